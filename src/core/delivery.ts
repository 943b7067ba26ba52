/**
 * One notification to one channel.
 *
 *             claim (attempt n, lease)              sent
 *   pending ───────────────────────────▶ in hand ─────────▶ sent
 *      ▲ │                                │ │ │  refused for good, or out of time
 *      │ └── no longer true ──▶ dropped ◀─┘ │ └───────────▶ dead
 *      └────────── failed for now: back-off ┘
 *
 * «In hand» is no state of its own: a pending delivery with a claim, whose `nextAt` is when the lease ends. After a crash
 * it is simply due again.
 */
export const deliveryStates = ['pending', 'sent', 'cancelled', 'failed'] as const
export type DeliveryState = (typeof deliveryStates)[number]

/**
 * What a channel answers: done, later, never. A reason is for people, and holds no secret; a `status` is the receiver's own, where its
 * protocol has some. `isGone`: nobody will ever be there again, so that the channel itself is switched off. `isRateLimited`: the receiver
 * takes no more messages for now, whichever they are; HTTP says it by the status 429, other protocols need the flag.
 */
export type Outcome =
  | 'sent'
  | {
      readonly retry: true
      readonly afterMs?: number
      readonly reason: string
      readonly status?: number
      readonly isRateLimited?: true
    }
  | { readonly retry: false; readonly reason: string; readonly status?: number; readonly isGone?: true }

/** An attempt may take this long, in ms. */
export const attemptMs = 15_000

export const timedOut = (ms: number): Outcome => ({ retry: true, reason: `timed out after ${ms / 1_000} s` })

/** A throw means «retry». */
export function thrownOutcome(error: unknown): Outcome {
  return { retry: true, reason: error instanceof Error ? error.message : String(error) }
}

export interface AttemptResult {
  readonly state: DeliveryState
  /** When the next attempt is due, in ms; null once settled for good. */
  readonly nextAt: number | null
  readonly error: string | null
}

const seconds = 1_000
const minutes = 60 * seconds
const hours = 60 * minutes

/** The wait after each failed attempt; the last one repeats until `giveUpMs` is over. */
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
/**
 * A delivery is dead when an attempt fails this long after the first one. A limit by count lost 49 of 60 notifications in ten seconds to
 * a receiver that takes one a second and answers the others with `Retry-After: 1`.
 */
export const giveUpMs = 24 * hours
const jitter = 0.2
/** The bounds within which a receiver's Retry-After is honoured: neither a tight loop nor a month. */
const retryAfterBoundsMs = [1 * seconds, 24 * hours] as const
/**
 * A rate limit holds the whole queue of a channel for at most this long. Then one attempt shows whether the limit still stands, so a
 * receiver cannot hold the queue for years with one answer.
 */
export const maxHoldMs = 1 * hours
const maxReasonLength = 500

export interface Tries {
  /** The number of the attempt that just ended, from 1. A retry by the user counts anew, and a rate limit does not count. */
  readonly attempt: number
  /** The instant from which `giveUpMs` counts, in ms since 1970. */
  readonly tryingSinceAt: number
}

/**
 * @param now ms since 1970
 * @param random in [0, 1): the jitter, so that what failed together does not come back together
 */
export function afterAttempt(
  { attempt, tryingSinceAt }: Tries,
  outcome: Outcome,
  now: number,
  random: number,
): AttemptResult {
  if (outcome === 'sent') return { state: 'sent', nextAt: null, error: null }
  const error = outcome.reason.slice(0, maxReasonLength)
  const leftMs = tryingSinceAt + giveUpMs - now
  if (!outcome.retry || leftMs <= 0) return { state: 'failed', nextAt: null, error }
  // The last attempt is made when the day is over, and not up to eight hours earlier or later.
  const backoff = Math.min(jittered(backoffAt(attempt), random), leftMs)
  // The longer of the two: a short Retry-After that replaced the back-off made a tight loop.
  const waitMs = Math.max(backoff, retryAfterOf(outcome) ?? 0, retryAfterBoundsMs[0])
  return { state: 'pending', nextAt: now + Math.round(waitMs), error }
}

/**
 * When the attempts on a delivery began, for one that was attempted before the ledger recorded it: as long ago as its back-offs took.
 * @param attempt the attempt that begins now, from 1
 */
export function assumeTryingSince(attempt: number, now: number): number {
  let at = now
  for (let i = 1; i < attempt && at > now - giveUpMs; i++) at -= backoffAt(i)
  return Math.max(at, now - giveUpMs)
}

/** Whether the receiver refuses every message for now, and not this one. RFC 6585 section 4 for the status. */
export function isRateLimit(outcome: Outcome): outcome is Extract<Outcome, { retry: true }> {
  return outcome !== 'sent' && outcome.retry && (outcome.isRateLimited === true || outcome.status === 429)
}

/**
 * How long a rate limit holds the queue of a channel, in ms.
 * @param count of rate limits in a row, without a message that was accepted. From the second on the back-off is a lower bound: a receiver
 *   that always answers `Retry-After: 1` would get 86,400 attempts a day.
 */
export function holdMs(outcome: Extract<Outcome, { retry: true }>, count: number, random: number): number {
  const asked = retryAfterOf(outcome)
  const steps = asked === undefined ? count : count - 1
  const backoff = steps > 0 ? jittered(backoffAt(steps), random) : 0
  return Math.round(Math.min(Math.max(asked ?? 0, backoff, retryAfterBoundsMs[0]), maxHoldMs))
}

const backoffAt = (step: number) => backoffMs[Math.min(step, backoffMs.length) - 1] as number
const jittered = (ms: number, random: number) => ms * (1 - jitter + 2 * jitter * random)

function retryAfterOf({ afterMs }: { readonly afterMs?: number }): number | undefined {
  if (afterMs === undefined || Number.isNaN(afterMs)) return undefined
  const [least, max] = retryAfterBoundsMs
  return Math.min(Math.max(afterMs, least), max)
}
