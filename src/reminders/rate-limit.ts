import { holdMs, isRateLimit, maxHoldMs, type Outcome } from '#core/delivery.ts'

/**
 * What the receiver of a channel takes, as its answers show it:
 *
 *   free ──429──▶ held until the instant it asked for ──▶ one attempt at a time ── 10 accepted ──▶ two ──▶ … ──▶ free
 *                  ▲                                        │
 *                  └────────────────────429─────────────────┘
 *
 * Without the slow start, a receiver that takes one message a second would get all that may be underway every second, and refuse all
 * but one. Kept in memory. The instant is also stored with the channel, for other replicas and for the next start.
 */
export interface RateLimit {
  /** No attempt begins before this instant, in ms since 1970. */
  heldUntil(now: number): number
  /** How many attempts may be underway, of so many that the kind of channel allows. */
  allowed(concurrency: number): number
  /**
   * Records how an attempt ended.
   * @returns the end of the hold where this outcome moved it
   */
  record(outcome: Outcome, attempt: { startedAt: number; endedAt: number; chance: number }): number | undefined
  /** How many holds there were since the last message that was accepted. */
  holdsInARow(): number
  /** Another process, or the last one, was told to wait until this instant. */
  holdUntil(at: number, now: number): void
}

/** One attempt more for this many accepted in a row. */
const acceptedPerStep = 10

export function createRateLimit(): RateLimit {
  let until = Number.NEGATIVE_INFINITY
  /** When the last hold of our own began. What was underway by then belongs to the same burst. */
  let heldAt = Number.NEGATIVE_INFINITY
  let holdsInARow = 0
  /** Accepted since the last hold; undefined while there is no limit. */
  let accepted: number | undefined

  return {
    heldUntil(now) {
      // A clock that was set back must not make the hold longer than any.
      until = Math.min(until, now + maxHoldMs)
      return until
    },
    allowed(concurrency) {
      if (accepted === undefined) return concurrency
      const allowed = 1 + Math.floor(accepted / acceptedPerStep)
      if (allowed >= concurrency) accepted = undefined
      return Math.min(allowed, concurrency)
    },
    record(outcome, { startedAt, endedAt, chance }) {
      const isOfLastBurst = startedAt <= heldAt
      if (!isRateLimit(outcome)) {
        if (outcome !== 'sent' || isOfLastBurst) return undefined
        holdsInARow = 0
        if (accepted !== undefined) accepted++
        return undefined
      }
      if (!isOfLastBurst) {
        holdsInARow++
        heldAt = endedAt
      }
      accepted = 0
      const asked = endedAt + holdMs(outcome, holdsInARow, chance)
      if (asked <= until) return undefined
      until = asked
      return until
    },
    holdsInARow: () => holdsInARow,
    holdUntil(at, now) {
      // Further away than any hold: a clock was set.
      if (at <= until || at <= now || at > now + maxHoldMs) return
      until = at
      accepted = 0
    },
  }
}
