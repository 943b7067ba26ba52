/**
 * One notice to one channel.
 *
 *             claim (attempt n, lease)              sent
 *   pending ───────────────────────────▶ in hand ─────────▶ sent
 *      ▲ │                                │ │ │  refused for good, or out of attempts
 *      │ └── no longer true ──▶ dropped ◀─┘ │ └───────────▶ dead
 *      └────────── failed for now: back-off ┘
 *
 * «In hand» is no state of its own: a pending delivery with a claim, whose `nextAt` is when the lease ends. After a crash
 * it is simply due again.
 */
export const deliveryStates = ['pending', 'sent', 'dropped', 'dead'] as const
export type DeliveryState = (typeof deliveryStates)[number]

/**
 * What a channel answers: done, later, never. A reason is for people, and holds no secret; a `status` is the receiver's own, where its
 * protocol has some. `isGone`: nobody will ever be there again, so that the channel itself is switched off.
 */
export type Outcome =
  | 'sent'
  | { readonly retry: true; readonly afterMs?: number; readonly reason: string; readonly status?: number }
  | { readonly retry: false; readonly reason: string; readonly status?: number; readonly isGone?: true }

/** An attempt may take this long, in ms. */
export const attemptMs = 15_000

export const timedOut = (ms: number): Outcome => ({ retry: true, reason: `timed out after ${ms / 1_000} s` })

/** A throw means «retry». */
export function thrown(error: unknown): Outcome {
  return { retry: true, reason: error instanceof Error ? error.message : String(error) }
}

export interface Settlement {
  readonly state: DeliveryState
  /** When the next attempt is due, in ms; null once settled for good. */
  readonly nextAt: number | null
  readonly error: string | null
}

const seconds = 1_000
const minutes = 60 * seconds
const hours = 60 * minutes

/** About a day in all; then the delivery is dead. */
export const backoffMs: readonly number[] = [
  5 * seconds,
  30 * seconds,
  2 * minutes,
  10 * minutes,
  30 * minutes,
  1 * hours,
  2 * hours,
  4 * hours,
  8 * hours,
  8 * hours,
]
const jitter = 0.2
/** The bounds within which a receiver's Retry-After is honoured: neither a tight loop nor a month. */
const retryAfterBoundsMs = [1 * seconds, 24 * hours] as const
const longestReason = 500

/**
 * @param attempt the number of the attempt that just ended, from 1; after a retry that a person asked for it counts anew
 * @param now ms since 1970
 * @param random in [0, 1): the jitter, so that what failed together does not come back together
 */
export function afterAttempt(attempt: number, outcome: Outcome, now: number, random: number): Settlement {
  if (outcome === 'sent') return { state: 'sent', nextAt: null, error: null }
  const error = outcome.reason.slice(0, longestReason)
  const backoff = backoffMs[attempt - 1]
  if (!outcome.retry || backoff === undefined) return { state: 'dead', nextAt: null, error }
  const [least, most] = retryAfterBoundsMs
  const waitMs =
    outcome.afterMs === undefined
      ? backoff * (1 - jitter + 2 * jitter * random)
      : Math.min(Math.max(outcome.afterMs, least), most)
  return { state: 'pending', nextAt: now + Math.round(waitMs), error }
}
