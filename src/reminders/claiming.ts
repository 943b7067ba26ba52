import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { type Claim, claimDue } from '#store/claims.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { giveUpUnreadable, sortByReadability } from '#store/unreadable-deliveries.ts'
import type { BatchSize } from './batch-size.ts'
import { type ChannelQueue, capacity, isHeld } from './channel-queue.ts'

/** A channel with deliveries on a damaged page is checked this rarely, since each check reads the due deliveries row by row … */
const damagedMs = 60_000
/** … and this often while there are more that can be claimed. */
const damagedMoreMs = 1_000

interface ClaimingDeps {
  readonly store: Pick<Store, 'db' | 'transactDeliveries'>
  readonly clock: Clock
  readonly batchSize: BatchSize
  readonly leaseMs: number
  readonly log: Logger
  readonly accept: (claims: readonly Claim[]) => void
  readonly release: (claims: readonly Claim[]) => void
}

/** @returns a function that claims due deliveries of a channel, and resolves with how many were claimed or failed */
export function createClaiming(deps: ClaimingDeps): (queue: ChannelQueue) => Promise<number> {
  const { db } = deps.store
  return async (queue) => {
    try {
      // A delivery whose result could not be stored must not be sent a second time.
      return queue.unwritable.size === 0 ? await claim(deps, queue) : await claimReadable(deps, queue, null)
    } catch (error) {
      if (!isDamage(db, error)) throw error
      return claimReadable(deps, queue, error).catch((error) => {
        if (!isDamage(db, error)) throw error
        return 0 // the index is damaged as well: `damagedUntil` says when to try again
      })
    }
  }
}

async function claim(
  { store, batchSize, leaseMs, accept, release }: ClaimingDeps,
  queue: ChannelQueue,
  only?: readonly number[],
): Promise<number> {
  let claims: Claim[] = []
  try {
    await store.transactDeliveries(async (tx, now) => {
      if (isHeld(queue, now)) return
      const { id, groupWaitMs } = queue.channel.record
      const max = Math.min(capacity(queue, now), batchSize.current())
      claims = await claimDue(tx, { id, isGrouping: groupWaitMs !== null, only }, now, leaseMs, max)
    })
  } catch (error) {
    release(claims) // the COMMIT may have succeeded, and only its answer was lost
    throw error
  }
  accept(claims)
  return claims.length
}

/** Claims the deliveries that can be read, and fails those whose notification cannot. Unreadable deliveries stay as they are. */
async function claimReadable(deps: ClaimingDeps, queue: ChannelQueue, cause: unknown): Promise<number> {
  const { store, clock, batchSize, log } = deps
  const { id, name } = queue.channel.record
  const isFirst = queue.damagedUntil === 0
  queue.damagedUntil = clock.now() + damagedMs
  if (isFirst)
    log.error(
      { err: cause, channel: name },
      'deliveries of a channel cannot be read, since the database is damaged; all others are sent',
    )
  const max = Math.min(capacity(queue, clock.now()), batchSize.current())
  const { readable, withoutNotification } = await sortByReadability(store.db, id, clock.now(), max, queue.unwritable)
  if (withoutNotification.length > 0) {
    await store.transactDeliveries((tx, now) => giveUpUnreadable(tx, id, withoutNotification, now))
    log.error(
      { channel: name, count: withoutNotification.length },
      'notification deliveries failed: the database is damaged and the notifications cannot be read',
    )
  }
  const claimed = readable.length === 0 ? 0 : await claimTogetherOrSingly(deps, queue, readable)
  if (claimed > 0) queue.damagedUntil = clock.now() + damagedMoreMs
  return claimed + withoutNotification.length
}

/** Claims one by one if a joint claim fails: to change a row, SQLite may have to read the page next to its own. */
async function claimTogetherOrSingly(
  deps: ClaimingDeps,
  queue: ChannelQueue,
  notifications: readonly number[],
): Promise<number> {
  const { db } = deps.store
  try {
    return await claim(deps, queue, notifications)
  } catch (error) {
    if (!isDamage(db, error)) throw error
  }
  let claimed = 0
  for (const id of notifications)
    try {
      claimed += await claim(deps, queue, [id])
    } catch (error) {
      if (!isDamage(db, error)) throw error
      queue.unwritable.add(id)
    }
  return claimed
}
