import type { User } from '#core/account.ts'
import { channelKinds, channelsOfUser } from '#store/channels.ts'
import { deliveriesOf } from '#store/deliveries.ts'
import { listNotifications } from '#store/notification-list.ts'
import { getPreferences } from '#store/preferences.ts'
import type { Db } from '#store/schema.ts'
import { listTasks } from '#store/tasks.ts'
import { listTrash } from '#store/trash.ts'
import { toUserWire } from '#wire/accounts.ts'
import { toChannelWire } from '#wire/channels.ts'
import { toNotificationWire } from '#wire/notification.ts'
import { toDefaultsWire } from '#wire/settings.ts'
import { toTaskWire } from '#wire/task.ts'

const pageSize = 500

/** All data of a user as JSON lines, in the form of the API. It reads a page at a time, when the previous one has been consumed. */
export async function* exportUser(db: Db, user: User): AsyncGenerator<string> {
  const line = (type: string, value: object) => `${JSON.stringify({ type, [type]: value })}\n`
  yield line('user', toUserWire(user))
  const { defaults, quiet } = await getPreferences(db, user.id)
  yield line('settings', { ...toDefaultsWire(defaults), quiet_hours: quiet })
  // Without their options: which of these are secret only their kinds know, and what goes on from here needs new ones.
  for (const channel of await channelsOfUser(db, user.id)) yield line('channel', toChannelWire(channel, undefined))

  for (let after = 0; ; ) {
    const tasks = await listTasks(db, user.id, { after, limit: pageSize, offset: 0 })
    if (tasks.length > 0) yield tasks.map((task) => line('task', toTaskWire(task))).join('')
    after = tasks.at(-1)?.id ?? after
    if (tasks.length < pageSize) break
  }

  for (let before: { deletedAt: number; id: number } | undefined; ; ) {
    const trashed = await listTrash(db, user.id, { before, limit: pageSize })
    if (trashed.length > 0) yield trashed.map(({ task }) => line('trashed', toTaskWire(task))).join('')
    const last = trashed.at(-1)
    if (!last || trashed.length < pageSize) break
    before = { deletedAt: last.deletedAt, id: last.task.id }
  }

  const kinds = await channelKinds(db, user.id)
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const notifications = await listNotifications(db, user.id, {}, { before, limit: pageSize })
    const deliveries = await deliveriesOf(
      db,
      notifications.map(({ id }) => id),
    )
    if (notifications.length > 0)
      yield notifications
        .map((notification) =>
          line('notification', toNotificationWire(notification, deliveries.get(notification.id) ?? [], kinds)),
        )
        .join('')
    before = notifications.at(-1)?.id ?? before
    if (notifications.length < pageSize) return
  }
}
