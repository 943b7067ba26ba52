import type { Actor } from '#core/caller.ts'
import { cancelReason } from '#core/notification.ts'
import { invalidMember, Problem } from '#core/problem.ts'
import { channelsOfUser } from '#store/channels.ts'
import { deliveriesOf, endRepeats, retryFailed } from '#store/deliveries.ts'
import {
  acknowledgeNotifications,
  failedNotificationIds,
  getNotification,
  unacknowledgedIds,
} from '#store/notifications.ts'
import { lockTask } from '#store/tasks.ts'
import { type Context, type LongContext, refuseIfStopping } from './context.ts'
import { perform } from './perform.ts'

/** Marks a notification as seen by its user. Repeating it changes nothing. @throws Problem `not-found` */
export async function acknowledgeNotification({ transact }: Context, { userId }: Actor, id: number): Promise<void> {
  await transact(async (tx, now) => {
    await getNotification(tx, userId, id)
    await acknowledgeNotifications(tx, userId, [id], now)
    await endRepeats(tx, [id])
  })
}

/** Notifications in one transaction: a tenth of a second on a server. */
const chunkSize = 5_000

/**
 * Acknowledges all notifications up to one. It works in chunks, since there may be a million: an interrupted call has acknowledged the
 * older ones.
 * @returns how many were not acknowledged before
 */
export async function acknowledgeUpTo({ db, transact, signal }: LongContext, { userId }: Actor, upTo: number) {
  let count = 0
  for await (const ids of unacknowledgedIds(db, userId, upTo, chunkSize)) {
    refuseIfStopping(signal)
    count += await transact(async (tx, now) => {
      await endRepeats(tx, ids)
      return acknowledgeNotifications(tx, userId, ids, now)
    })
  }
  return count
}

/**
 * Retries failed deliveries at once, with a fresh back-off: one delivery of a notification, or each that failed.
 * @throws Problem `not-found`, `invalid` (no delivery of this notification), `conflict` (nothing failed, or it would only be cancelled)
 */
export async function retryNotification(
  ctx: Context,
  { userId }: Actor,
  { id, deliveryId }: { id: number; deliveryId?: string | undefined },
): Promise<void> {
  await perform(ctx, async (tx, now, wakeAt) => {
    const notification = await getNotification(tx, userId, id)
    const deliveries = (await deliveriesOf(tx, [id])).get(id) ?? []
    const wanted = deliveries.filter((one) => deliveryId === undefined || one.id === deliveryId)
    if (deliveryId !== undefined && wanted.length === 0)
      throw invalidMember('/delivery_id', 'is no delivery of this notification')
    if (!wanted.some(({ state }) => state === 'failed'))
      throw new Problem('conflict', 'No delivery of this notification has failed: there is nothing to retry.')
    const reason = cancelReason(notification, await lockTask(tx, userId, notification.taskId))
    if (reason !== null) throw new Problem('conflict', `It would only be cancelled: ${reason}.`)
    if ((await retryFailed(tx, [id], { deliveryId }, now)) === 0)
      throw new Problem('conflict', 'Its channel is no longer there, or is switched off.')
    wakeAt(now)
  })
}

/** Deliveries in one transaction. Fewer than `chunkSize`: each is written, and read again to be sent. */
const retryChunkSize = 1_000

/**
 * Retries all failed deliveries of one channel at once, with their time limit restarted. It works in chunks, the oldest first; an
 * interrupted call has retried the older ones. Deliveries of tasks that were completed, moved or deleted meanwhile are cancelled as usual.
 * @param sinceAt only notifications that fired from this instant on, in ms since 1970
 * @returns how many
 * @throws Problem `invalid` (no such channel), `conflict` (it is switched off)
 */
export async function retryChannel(
  ctx: LongContext,
  { userId }: Actor,
  { channelId, sinceAt }: { channelId: number; sinceAt: number },
): Promise<number> {
  const channel = (await channelsOfUser(ctx.db, userId)).find(({ id }) => id === channelId)
  if (!channel) throw invalidMember('/channel_id', 'is not one of your channels')
  if (!channel.isEnabled) throw new Problem('conflict', 'The channel is switched off. Switch it on, then retry.')
  let count = 0
  for await (const ids of failedNotificationIds(ctx.db, userId, { channelId, sinceAt, max: retryChunkSize })) {
    refuseIfStopping(ctx.signal)
    count += await perform(ctx, (tx, now, wakeAt) => {
      wakeAt(now)
      return retryFailed(tx, ids, { channelId }, now)
    })
  }
  return count
}
