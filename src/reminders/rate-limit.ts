import { holdMs, isRateLimit, maxHoldMs, type Outcome } from '#core/delivery.ts'

/**
 * The rate limit of a receiver, learned from its answers:
 *
 *   free ──429──▶ held until the instant it asked for ──▶ one attempt at a time ── 10 accepted ──▶ two ──▶ … ──▶ free
 *                  ▲                                        │
 *                  └────────────────────429─────────────────┘
 *
 * Without the slow start, a receiver that accepts one message a second would get a full set of attempts every second, and refuse all but
 * one. The state is in memory. The end of the hold is also stored with the channel, for other replicas and for the next start.
 */
export interface RateLimit {
  /** No attempt begins before this instant, in ms since 1970. */
  heldUntil(now: number): number
  /** How many attempts may be in flight, out of the number that the channel kind allows. */
  allowed(concurrency: number): number
  /**
   * Records how an attempt ended.
   * @returns the end of the hold, if this outcome moved it
   */
  record(outcome: Outcome, attempt: { startedAt: number; endedAt: number; chance: number }): number | undefined
  /** The number of holds since the last accepted message. */
  holdsInARow(): number
  /** Adopts the hold of another process, or of the previous run. */
  holdUntil(at: number, now: number): void
}

/** Accepted messages in a row after which one more attempt is allowed. */
const acceptedPerStep = 10

export function createRateLimit(): RateLimit {
  let until = Number.NEGATIVE_INFINITY
  /** When our own last hold began. Attempts in flight by then belong to the same burst. */
  let heldAt = Number.NEGATIVE_INFINITY
  let holdsInARow = 0
  /** Messages accepted since the last hold; undefined while there is no limit. */
  let accepted: number | undefined

  return {
    heldUntil(now) {
      // A clock that was set back must not prolong a hold beyond the maximum.
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
      const requested = endedAt + holdMs(outcome, holdsInARow, chance)
      if (requested <= until) return undefined
      until = requested
      return until
    },
    holdsInARow: () => holdsInARow,
    holdUntil(at, now) {
      // A hold beyond the maximum shows that a clock was set.
      if (at <= until || at <= now || at > now + maxHoldMs) return
      until = at
      accepted = 0
    },
  }
}
