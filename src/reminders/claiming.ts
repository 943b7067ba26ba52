import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { type Claim, claimDue } from '#store/claims.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { giveUpUnreadable, sortByReadability } from '#store/unreadable-deliveries.ts'
import type { BatchSize } from './batch-size.ts'
import { type ChannelQueue, isHeld, room } from './channel-queues.ts'

/** A channel that has deliveries on a damaged page waits so long between two looks, each of which reads what is due row by row … */
const damagedMs = 60_000
/** … and so long while there are more that can be claimed. */
const damagedMoreMs = 1_000

/** Takes due deliveries of a channel from the database into hand. */
export function createClaiming(deps: {
  store: Pick<Store, 'db' | 'transactDeliveries'>
  clock: Clock
  batchSize: BatchSize
  leaseMs: number
  log: Logger
  accept: (claims: readonly Claim[]) => void
  giveBack: (claims: readonly Claim[]) => void
}): (queue: ChannelQueue) => Promise<number> {
  const { store, clock, batchSize, leaseMs, log } = deps

  async function claim(queue: ChannelQueue, only?: readonly number[]): Promise<number> {
    let claims: Claim[] = []
    try {
      await store.transactDeliveries(async (tx, now) => {
        if (isHeld(queue, now)) return
        const { id, groupWaitMs } = queue.channel.record
        const max = Math.min(room(queue, now), batchSize.maxConcurrent())
        claims = await claimDue(tx, { id, isGrouping: groupWaitMs !== null, only }, now, leaseMs, max)
      })
    } catch (error) {
      deps.giveBack(claims) // the answer to the COMMIT may be all that was lost
      throw error
    }
    deps.accept(claims)
    return claims.length
  }

  /** Takes what can be read, and gives up what has no notification any more. A delivery that cannot be read itself stays as it is. */
  async function claimAround(queue: ChannelQueue, cause: unknown): Promise<number> {
    const { id, name } = queue.channel.record
    const isFirst = queue.damagedUntil === 0
    queue.damagedUntil = clock.now() + damagedMs
    if (isFirst)
      log.error(
        { err: cause, channel: name },
        'deliveries of a channel cannot be read, since the database is damaged; all others are sent',
      )
    const max = Math.min(room(queue, clock.now()), batchSize.maxConcurrent())
    const { readable, withoutNotification } = await sortByReadability(store.db, id, clock.now(), max, queue.unwritable)
    if (withoutNotification.length > 0) {
      await store.transactDeliveries((tx, now) => giveUpUnreadable(tx, id, withoutNotification, now))
      log.error(
        { channel: name, count: withoutNotification.length },
        'given up: notifications that cannot be read, since the database is damaged',
      )
    }
    const claimed = readable.length === 0 ? 0 : await claimAll(queue, readable)
    if (claimed > 0) queue.damagedUntil = clock.now() + damagedMoreMs
    return claimed + withoutNotification.length
  }

  /** One by one where they cannot be claimed together: to change a row SQLite may have to look at the page next to its own. */
  async function claimAll(queue: ChannelQueue, notifications: readonly number[]): Promise<number> {
    try {
      return await claim(queue, notifications)
    } catch (error) {
      if (!isDamage(store.db, error)) throw error
    }
    let claimed = 0
    for (const id of notifications)
      try {
        claimed += await claim(queue, [id])
      } catch (error) {
        if (!isDamage(store.db, error)) throw error
        queue.unwritable.add(id)
      }
    return claimed
  }

  /** @returns how many deliveries were taken into hand or given up */
  return async (queue) => {
    try {
      // What could not be written down must not be sent a second time.
      return queue.unwritable.size === 0 ? await claim(queue) : await claimAround(queue, null)
    } catch (error) {
      if (!isDamage(store.db, error)) throw error
      return claimAround(queue, error).catch((error) => {
        if (!isDamage(store.db, error)) throw error
        return 0 // the index is damaged as well: tried again, as the lane says
      })
    }
  }
}
