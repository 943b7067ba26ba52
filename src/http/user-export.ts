import type { Owner } from '#core/account.ts'
import { channelKinds, presentChannels } from '#store/channels.ts'
import { deliveriesOf } from '#store/deliveries.ts'
import { listNotices } from '#store/notification-list.ts'
import type { Db } from '#store/schema.ts'
import { listTasks } from '#store/tasks.ts'
import { listTrash } from '#store/trash.ts'
import { getHabits } from '#store/users.ts'
import { toOwnerWire } from '#wire/accounts.ts'
import { toChannelWire } from '#wire/channels.ts'
import { reminderText, toNotificationWire, toTaskWire } from '#wire/task.ts'

const pageSize = 500

/** All that is an owner's, in the words of the API, a line each; a page is in memory at a time, and is read when the last was taken. */
export async function* exportOwner(db: Db, owner: Owner): AsyncGenerator<string> {
  const line = (type: string, value: object) => `${JSON.stringify({ type, [type]: value })}\n`
  yield line('owner', toOwnerWire(owner))
  const { defaults, quiet } = await getHabits(db, owner.id)
  yield line('settings', {
    time_zone: defaults.timeZone,
    default_reminders: defaults.reminders.map(reminderText),
    quiet_hours: quiet,
  })
  // Without their options: which of these are secret only their kinds know, and what goes on from here needs new ones.
  for (const channel of await presentChannels(db, owner.id)) yield line('channel', toChannelWire(channel, undefined))

  for (let after = 0; ; ) {
    const tasks = await listTasks(db, owner.id, { after, limit: pageSize, offset: 0 })
    if (tasks.length > 0) yield tasks.map((task) => line('task', toTaskWire(task))).join('')
    after = tasks.at(-1)?.id ?? after
    if (tasks.length < pageSize) break
  }

  for (let before: { deletedAt: number; id: number } | undefined; ; ) {
    const trashed = await listTrash(db, owner.id, { before, limit: pageSize })
    if (trashed.length > 0) yield trashed.map(({ task }) => line('trashed', toTaskWire(task))).join('')
    const last = trashed.at(-1)
    if (!last || trashed.length < pageSize) break
    before = { deletedAt: last.deletedAt, id: last.task.id }
  }

  const kinds = await channelKinds(db, owner.id)
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const notices = await listNotices(db, owner.id, {}, { before, limit: pageSize })
    const deliveries = await deliveriesOf(
      db,
      notices.map(({ id }) => id),
    )
    if (notices.length > 0)
      yield notices
        .map((notice) => line('notification', toNotificationWire(notice, deliveries.get(notice.id) ?? [], kinds)))
        .join('')
    before = notices.at(-1)?.id ?? before
    if (notices.length < pageSize) return
  }
}
