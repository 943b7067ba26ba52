import { type Selectable, sql, type UpdateObject } from 'kysely'
import type { DeliveryState } from '#core/delivery.ts'
import type { Notification } from '#core/notification.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Db, DeliveryTable, Schema } from './schema.ts'

/** A delivery. Instants in ms since 1970. */
export interface Delivery {
  readonly id: string
  readonly notificationId: number
  readonly channelId: number
  readonly state: DeliveryState
  readonly attempts: number
  readonly nextAt: number | null
  readonly latencyMs: number | null
  readonly error: string | null
}

/** Inserts deliveries. One with an `attempt` is claimed by this process, one without is due at `nextAt`, which may lie ahead. */
export async function insertDeliveries(
  tx: Db,
  deliveries: readonly { id: string; channelId: number; notification: Notification; attempt: number; nextAt: number }[],
  now: number,
): Promise<void> {
  await dialectOf(tx).insertRows(
    tx,
    'deliveries',
    ['id', 'notification_id', 'user_id', 'channel_id', 'state', 'attempts', 'claimed_at', 'next_at'],
    deliveries.map(({ id, channelId, notification, attempt, nextAt }) => [
      id,
      notification.id,
      notification.userId,
      channelId,
      'pending',
      attempt,
      attempt > 0 ? now : null,
      nextAt,
    ]),
    [],
  )
}

/** Inserts deliveries that will not be attempted, each with the reason, so that the user can see why. */
export async function insertCancelled(
  tx: Db,
  cancelled: readonly { id: string; channelId: number; notification: Notification; reason: string }[],
  now: number,
): Promise<void> {
  await dialectOf(tx).insertRows(
    tx,
    'deliveries',
    ['id', 'notification_id', 'user_id', 'channel_id', 'state', 'attempts', 'error', 'finished_at'],
    cancelled.map(({ id, channelId, notification, reason }) => {
      return [id, notification.id, notification.userId, channelId, 'cancelled', 0, reason, now]
    }),
    [],
  )
}

/** Makes cancelled deliveries due again when tasks return to the expiry for which they were made. @returns how many */
export async function reviveCancelled(
  tx: Db,
  tasks: readonly { readonly id: number; readonly expiryAt: number | null }[],
  now: number,
): Promise<number> {
  // Two statements: MariaDB would run a subquery of the UPDATE for each delivery there is.
  const rows = await tx
    .selectFrom('notifications')
    .select(['id', 'task_id', 'expiry_at'])
    .where((eb) =>
      dialectOf(tx).among(
        eb.ref('task_id'),
        tasks.map(({ id }) => id),
      ),
    )
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('deliveries')
          .select('deliveries.id')
          .whereRef('notification_id', '=', 'notifications.id')
          .where('state', '=', 'cancelled'),
      ),
    )
    .execute()
  const expiries = new Map(tasks.map(({ id, expiryAt }) => [id, expiryAt]))
  const ids = rows.filter((row) => expiries.get(row.task_id) === row.expiry_at).map(({ id }) => id)
  return makeDue(tx, ids, 'cancelled', { error: null, finished_at: null, ...resetAttempts }, now)
}

/** Attempts keep counting, because a claim is identified by its attempt. The back-off and the time until it fails start again. */
const resetAttempts = { backoff_from: sql<number>`attempts`, trying_since_at: null }

/** Makes failed deliveries due again at the user's request. The last error stays readable. @returns how many */
export async function retryFailed(
  tx: Db,
  notificationIds: readonly number[],
  only: { readonly deliveryId?: string | undefined; readonly channelId?: number },
  now: number,
): Promise<number> {
  return makeDue(tx, notificationIds, 'failed', { finished_at: null, ...resetAttempts }, now, only)
}

async function makeDue(
  tx: Db,
  notificationIds: readonly number[],
  state: DeliveryState,
  set: UpdateObject<Schema, 'deliveries'>,
  now: number,
  { deliveryId, channelId }: { readonly deliveryId?: string | undefined; readonly channelId?: number } = {},
): Promise<number> {
  if (notificationIds.length === 0) return 0
  // It leaves its group: the other deliveries of the group may have been sent under that id, and the receiver would ignore it.
  let query = tx
    .updateTable('deliveries')
    .set({ state: 'pending', next_at: now, group_id: null, ...set })
    .where((eb) => dialectOf(tx).among(eb.ref('notification_id'), notificationIds))
    .where('state', '=', state)
    // A delivery of a removed or disabled channel would wait for ever.
    .where('channel_id', 'in', (eb) =>
      eb.selectFrom('channels').select('channels.id').where('removed_at', 'is', null).where('enabled', '=', 1),
    )
  if (deliveryId !== undefined) query = query.where('deliveries.id', '=', deliveryId)
  if (channelId !== undefined) query = query.where('deliveries.channel_id', '=', channelId)
  const { numUpdatedRows } = await query.executeTakeFirst()
  return Number(numUpdatedRows)
}

/** How many deliveries of a channel `cancelForChannel` would cancel. */
export async function countPending(db: Db, channelId: number): Promise<number> {
  const row = await db
    .selectFrom('deliveries')
    .select((eb) => eb.fn.countAll().as('count'))
    .where('channel_id', '=', channelId)
    .where('next_at', 'is not', null)
    .where('state', '=', 'pending')
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

/** Cancels the pending deliveries of a removed channel, with the reason. @returns how many */
export async function cancelForChannel(tx: Db, channelId: number, reason: string, now: number): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('deliveries')
    .set({ state: 'cancelled', next_at: null, claimed_at: null, error: reason, finished_at: now })
    .where('channel_id', '=', channelId)
    .where('next_at', 'is not', null)
    .where('state', '=', 'pending')
    .executeTakeFirst()
  // Deliveries that were sent and wait for a repeat stay `sent`.
  await tx
    .updateTable('deliveries')
    .set({ next_at: null })
    .where('channel_id', '=', channelId)
    .where('next_at', 'is not', null)
    .execute()
  return Number(numUpdatedRows)
}

/** Ends the repeats of acknowledged notifications. */
export async function endRepeats(tx: Db, notificationIds: readonly number[]): Promise<void> {
  await tx
    .updateTable('deliveries')
    .set({ next_at: null })
    .where((eb) => dialectOf(tx).among(eb.ref('notification_id'), notificationIds))
    .where('state', '=', 'sent')
    .where('next_at', 'is not', null)
    .execute()
}

/** The deliveries of these notifications, by notification, in the order of the channels. */
export async function deliveriesOf(db: Db, notificationIds: readonly number[]): Promise<Map<number, Delivery[]>> {
  const rows = await db
    .selectFrom('deliveries')
    .selectAll()
    .where((eb) => dialectOf(db).among(eb.ref('notification_id'), notificationIds))
    .orderBy('channel_id')
    .execute()
  return Map.groupBy(rows.map(toDelivery), ({ notificationId }) => notificationId)
}

function toDelivery(row: Selectable<DeliveryTable>): Delivery {
  return {
    id: row.id,
    notificationId: row.notification_id,
    channelId: row.channel_id,
    state: row.state,
    attempts: row.attempts,
    nextAt: row.next_at,
    latencyMs: row.latency_ms,
    error: row.error,
  }
}
