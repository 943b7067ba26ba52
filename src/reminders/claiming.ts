import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { type Claim, claimDue } from '#store/deliveries.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { giveUpUnreadable, sortByReadability } from '#store/unreadable-deliveries.ts'
import type { Pace } from './batch-size.ts'
import { isHeld, type Lane, room } from './channel-queues.ts'

/** A channel that has deliveries on a damaged page waits so long between two looks, each of which reads what is due row by row … */
const damagedMs = 60_000
/** … and so long while there are more that can be claimed. */
const damagedMoreMs = 1_000

/** Takes due deliveries of a channel from the database into hand. */
export function createClaiming(deps: {
  store: Pick<Store, 'db' | 'transactBell'>
  clock: Clock
  pace: Pace
  leaseMs: number
  log: Logger
  accept: (claims: readonly Claim[]) => void
  giveBack: (claims: readonly Claim[]) => void
}): (lane: Lane) => Promise<number> {
  const { store, clock, pace, leaseMs, log } = deps

  async function claim(lane: Lane, only?: readonly number[]): Promise<number> {
    let claims: Claim[] = []
    try {
      await store.transactBell(async (tx, now) => {
        if (isHeld(lane, now)) return
        const { id, groupWaitMs } = lane.channel.record
        const most = Math.min(room(lane, now), pace.mostAtOnce())
        claims = await claimDue(tx, { id, isGrouping: groupWaitMs !== null, only }, now, leaseMs, most)
      })
    } catch (error) {
      deps.giveBack(claims) // the answer to the COMMIT may be all that was lost
      throw error
    }
    deps.accept(claims)
    return claims.length
  }

  /** Takes what can be read, and gives up what has no notice any more. A delivery that cannot be read itself stays as it is. */
  async function claimAround(lane: Lane, cause: unknown): Promise<number> {
    const { id, name } = lane.channel.record
    const isFirst = lane.damagedUntil === 0
    lane.damagedUntil = clock.now() + damagedMs
    if (isFirst)
      log.error(
        { err: cause, channel: name },
        'deliveries of a channel cannot be read, since the database is damaged; all others are sent',
      )
    const most = Math.min(room(lane, clock.now()), pace.mostAtOnce())
    const { readable, withoutNotice } = await sortByReadability(store.db, id, clock.now(), most, lane.unwritable)
    if (withoutNotice.length > 0) {
      await store.transactBell((tx, now) => giveUpUnreadable(tx, id, withoutNotice, now))
      log.error(
        { channel: name, count: withoutNotice.length },
        'given up: notices that cannot be read, since the database is damaged',
      )
    }
    const claimed = readable.length === 0 ? 0 : await claimAll(lane, readable)
    if (claimed > 0) lane.damagedUntil = clock.now() + damagedMoreMs
    return claimed + withoutNotice.length
  }

  /** One by one where they cannot be claimed together: to change a row SQLite may have to look at the page next to its own. */
  async function claimAll(lane: Lane, notices: readonly number[]): Promise<number> {
    try {
      return await claim(lane, notices)
    } catch (error) {
      if (!isDamage(store.db, error)) throw error
    }
    let claimed = 0
    for (const id of notices)
      try {
        claimed += await claim(lane, [id])
      } catch (error) {
        if (!isDamage(store.db, error)) throw error
        lane.unwritable.add(id)
      }
    return claimed
  }

  /** @returns how many deliveries were taken into hand or given up */
  return async (lane) => {
    try {
      // What could not be written down must not be sent a second time.
      return lane.unwritable.size === 0 ? await claim(lane) : await claimAround(lane, null)
    } catch (error) {
      if (!isDamage(store.db, error)) throw error
      return claimAround(lane, error).catch((error) => {
        if (!isDamage(store.db, error)) throw error
        return 0 // the index is damaged as well: tried again, as the lane says
      })
    }
  }
}
