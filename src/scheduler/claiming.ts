import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { type Claim, claimDue } from '#store/deliveries.ts'
import type { Store } from '#store/open.ts'
import { isDamage } from '#store/storage.ts'
import { findUnreadable, giveUpUnreadable } from '#store/unreadable-deliveries.ts'
import { isHeld, type Lane, room } from './lanes.ts'
import type { Pace } from './pace.ts'

const damagedMs = 60_000

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

  async function claim(lane: Lane): Promise<number> {
    let claims: Claim[] = []
    try {
      await store.transactBell(async (tx, now) => {
        if (isHeld(lane, now)) return
        const { id, groupWaitMs } = lane.channel.record
        const most = Math.min(room(lane, now), pace.mostAtOnce())
        claims = await claimDue(tx, { id, isGrouping: groupWaitMs !== null }, now, leaseMs, most)
      })
    } catch (error) {
      deps.giveBack(claims) // the answer to the COMMIT may be all that was lost
      throw error
    }
    deps.accept(claims)
    return claims.length
  }

  /** Gives up what cannot be read, so that the next look takes the others. A channel of which nothing can be read waits for a minute. */
  async function passOverDamage(lane: Lane, cause: unknown): Promise<number> {
    const { id, name } = lane.channel.record
    try {
      const notices = await findUnreadable(store.db, id, clock.now(), pace.mostAtOnce())
      if (notices.length > 0) {
        await store.transactBell((tx, now) => giveUpUnreadable(tx, id, notices, now))
        log.error(
          { channel: name, count: notices.length },
          'given up: notices that cannot be read, since the database is damaged',
        )
        return notices.length
      }
    } catch (error) {
      if (!isDamage(store.db, error)) throw error
    }
    if (lane.damagedUntil === 0)
      log.error(
        { err: cause, channel: name },
        'deliveries of a channel cannot be read, since the database is damaged; tried again every minute',
      )
    lane.damagedUntil = clock.now() + damagedMs
    return 0
  }

  /** @returns how many deliveries were taken into hand or given up */
  return (lane) =>
    claim(lane).catch((error) => {
      if (!isDamage(store.db, error)) throw error
      return passOverDamage(lane, error)
    })
}
