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
import { perform } from './tasks.ts'

/** A person has seen it. To say so again changes nothing. @throws Problem `not-found` */
export async function acknowledgeNotification({ transact }: Context, { userId }: Actor, id: number): Promise<void> {
  await transact(async (tx, now) => {
    await getNotification(tx, userId, id)
    await acknowledgeNotifications(tx, userId, [id], now)
    await endRepeats(tx, [id])
  })
}

/** Notifications of one transaction: a tenth of a second on a server. */
const chunkSize = 5_000

/**
 * All up to one. In chunks, since there may be a million: what ends in the middle has acknowledged the older ones.
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
 * What was given up is tried again, at once and with its back-off begun anew: one delivery of a notification, or each that failed.
 * @throws Problem `not-found`, `invalid` (no delivery of this notification), `conflict` (nothing is dead, or it would only be dropped)
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
      throw new Problem('conflict', 'Nothing here was given up: there is nothing to try again.')
    const reason = cancelReason(notification, await lockTask(tx, userId, notification.taskId))
    if (reason !== null) throw new Problem('conflict', `It would only be dropped: ${reason}.`)
    if ((await retryFailed(tx, [id], { deliveryId }, now)) === 0)
      throw new Problem('conflict', 'Its channel is no longer there, or is switched off.')
    wakeAt(now)
  })
}

/** Deliveries of one transaction. Fewer than of `chunkSize`: each is written, and what is due at once is read again to be sent. */
const retryChunkSize = 1_000

/**
 * Everything that one channel has given up is tried again, at once and with its time begun anew. In chunks, the oldest first; what ends in
 * the middle has retried the older ones. Deliveries of tasks that were completed, moved or deleted meanwhile are dropped as usual.
 * @param sinceAt only what rang from this instant on, in ms since 1970
 * @returns how many
 * @throws Problem `invalid` (no such channel), `conflict` (it is switched off)
 */
export async function retryChannel(
  { db, transact, wake, signal }: LongContext,
  { userId }: Actor,
  { channelId, sinceAt }: { channelId: number; sinceAt: number },
): Promise<number> {
  const channel = (await channelsOfUser(db, userId)).find(({ id }) => id === channelId)
  if (!channel) throw invalidMember('/channel_id', 'is not one of your channels')
  if (!channel.isEnabled) throw new Problem('conflict', 'The channel is switched off. Switch it on, then retry.')
  let count = 0
  for await (const ids of failedNotificationIds(db, userId, { channelId, sinceAt, max: retryChunkSize })) {
    refuseIfStopping(signal)
    let now = Number.POSITIVE_INFINITY
    count += await transact((tx, at) => {
      now = at
      return retryFailed(tx, ids, { channelId }, at)
    })
    wake(now)
  }
  return count
}
