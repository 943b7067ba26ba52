import type { LongContext } from '#actions/context.ts'
import * as actions from '#actions/notifications.ts'
import type { Query } from '#api/operation.ts'
import type { notifications } from '#api/operations.ts'
import type { NotificationWire } from '#api/schemas/notification.ts'
import type { Actor } from '#core/caller.ts'
import { channelKinds, channelsOfUser } from '#store/channels.ts'
import { deliveriesOf } from '#store/deliveries.ts'
import { listNotifications, type NotificationFilter } from '#store/notification-list.ts'
import { getNotification, type NotificationRecord } from '#store/notifications.ts'
import { mergeUpcoming, selectProjected } from '#store/projected-reminders.ts'
import type { Db } from '#store/schema.ts'
import { getTask } from '#store/tasks.ts'
import { selectUpcoming } from '#store/upcoming.ts'
import { parseFilterCursor, toFilterCursor } from '#wire/cursor.ts'
import { toNotificationWire, toSince } from '#wire/notification.ts'
import { parseInstant } from '#wire/time.ts'
import { toUpcomingWire } from '#wire/upcoming.ts'
import { type Handlers, inChunks } from './call.ts'
import { toPage } from './page.ts'

type NotificationQuery = Query<typeof notifications.listNotifications>

const aheadMs = 24 * 3_600_000

/** Notifications with their deliveries, the newest first, and reminders that will fire. */
export function notificationOperations({ db, ctx, now }: { db: Db; ctx: LongContext; now: () => number }) {
  async function withDeliveries(
    { userId }: Actor,
    records: readonly NotificationRecord[],
    from = db,
  ): Promise<NotificationWire[]> {
    const ids = records.map(({ id }) => id)
    const [deliveries, kinds] = [await deliveriesOf(from, ids), await channelKinds(from, userId)]
    return records.map((record) => toNotificationWire(record, deliveries.get(record.id) ?? [], kinds))
  }

  async function one(actor: Actor, id: number, from = db): Promise<NotificationWire> {
    return (await withDeliveries(actor, [await getNotification(from, actor.userId, id)], from))[0] as NotificationWire
  }

  async function page(actor: Actor, { limit, cursor, ...query }: NotificationQuery, taskId?: number) {
    const filter = toFilter(query, taskId)
    const name = JSON.stringify(filter)
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : parseFilterCursor(cursor, name)
    const found = await listNotifications(db, actor.userId, filter, { before, limit: limit + 1 })
    const { page: records, last } = toPage(found, limit)
    return {
      notifications: await withDeliveries(actor, records),
      next_cursor: last ? toFilterCursor(last.id, name) : null,
    }
  }

  return {
    async listUpcoming({ query, caller }) {
      const from = now()
      const until =
        query.until === undefined ? from + aheadMs : parseInstant('until', query.until, caller.defaults.timeZone)
      const request = { defaults: caller.defaults, now: from, until, limit: query.limit }
      let found = await selectUpcoming(db, caller.userId, request)
      if (query.occurrences === 'true')
        found = mergeUpcoming(found, await selectProjected(db, caller.userId, request), query.limit)
      return { body: toUpcomingWire(found, until, await channelsOfUser(db, caller.userId)) }
    },

    listNotifications: async ({ query, caller }) => ({ body: await page(caller, query) }),
    getNotification: async ({ params, caller }) => ({ body: await one(caller, params.id) }),

    async listTaskNotifications({ params, query, caller }) {
      await getTask(db, caller.userId, params.id)
      return { body: await page(caller, query, params.id) }
    },

    async acknowledgeNotification({ params, caller, ctx }) {
      await actions.acknowledgeNotification(ctx, caller, params.id)
      return { body: await one(caller, params.id, ctx.db) }
    },

    acknowledgeNotifications: inChunks(async ({ body, caller }) => ({
      body: { acknowledged: await actions.acknowledgeUpTo(ctx, caller, body.up_to) },
    })),

    retryNotifications: inChunks(async ({ body, caller }) => {
      const sinceAt = toSince(body, caller.defaults.timeZone)
      return { body: { retried: await actions.retryChannel(ctx, caller, { channelId: body.channel_id, sinceAt }) } }
    }),

    async retryNotification({ params, body, caller, ctx }) {
      await actions.retryNotification(ctx, caller, { id: params.id, deliveryId: body.delivery_id })
      return { body: await one(caller, params.id, ctx.db) }
    },
  } satisfies Handlers<
    | 'listUpcoming'
    | 'listNotifications'
    | 'getNotification'
    | 'listTaskNotifications'
    | 'acknowledgeNotification'
    | 'acknowledgeNotifications'
    | 'retryNotifications'
    | 'retryNotification'
  >
}

function toFilter(
  { status, channel_id, acknowledged, problems }: Omit<NotificationQuery, 'limit' | 'cursor'>,
  taskId: number | undefined,
): NotificationFilter {
  return {
    ...(taskId !== undefined && { taskId }),
    ...(status !== undefined && { status }),
    ...(channel_id !== undefined && { channelId: channel_id }),
    ...(acknowledged !== undefined && { acknowledged: acknowledged === 'true' }),
    ...(problems !== undefined && { hasProblem: true }),
  }
}
