/**
 * One notification on one channel.
 *
 *             claim (attempt n, lease)              sent
 *   pending ───────────────────────────▶ claimed ─────────▶ sent
 *      ▲ │                                │ │ │  refused for good, or out of time
 *      │ └─ no longer true ─▶ cancelled ◀─┘ │ └───────────▶ failed
 *      └────────── failed for now: back-off ┘
 *
 * «Claimed» is not a state of its own: it is a pending delivery with a claim, whose `nextAt` is the end of the lease. After a crash
 * it is due again.
 */
export const deliveryStates = ['pending', 'sent', 'cancelled', 'failed'] as const
export type DeliveryState = (typeof deliveryStates)[number]

/**
 * The outcome of an attempt: sent, retry later, or refused for good. The reason is shown to users and holds no secret. `status` is the
 * receiver's own, if its protocol has one. `isGone`: the receiver no longer exists, so the channel is disabled. `isRateLimited`: the
 * receiver accepts no messages at all for now. HTTP says so by the status 429, other protocols need the flag.
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

/** The timeout of an attempt, in ms. */
export const attemptMs = 15_000

export const timedOut = (ms: number): Outcome => ({ retry: true, reason: `timed out after ${ms / 1_000} s` })

/** An exception means that the attempt is retried. */
export function thrownOutcome(error: unknown): Outcome {
  return { retry: true, reason: error instanceof Error ? error.message : String(error) }
}

export interface AttemptResult {
  readonly state: DeliveryState
  /** When the next attempt is due, in ms; null in a final state. */
  readonly nextAt: number | null
  readonly error: string | null
}

const seconds = 1_000
const minutes = 60 * seconds
const hours = 60 * minutes

/** The pause after each failed attempt. The last one repeats until `giveUpMs` is over. */
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
 * A delivery fails when an attempt fails this long after the first one. A limit by count lost 49 of 60 notifications in ten seconds to
 * a receiver that takes one a second and answers the others with `Retry-After: 1`.
 */
export const giveUpMs = 24 * hours
const jitter = 0.2
/** The bounds of a receiver's Retry-After: neither a tight loop nor a month. */
const retryAfterBoundsMs = [1 * seconds, 24 * hours] as const
/**
 * A rate limit holds the whole queue of a channel for at most this long. Then one attempt shows whether the limit still stands, so a
 * receiver cannot hold the queue for years with one answer.
 */
export const maxHoldMs = 1 * hours
const maxReasonLength = 500

export interface AttemptCount {
  /** The number of the attempt that just ended, from 1. A retry by the user starts at 1 again, and a rate limit does not count. */
  readonly attempt: number
  /** The instant from which `giveUpMs` counts, in ms since 1970. */
  readonly tryingSinceAt: number
}

/** @param now ms since 1970 @param random in [0, 1): the jitter, so that deliveries that failed together are not retried together */
export function afterAttempt(
  { attempt, tryingSinceAt }: AttemptCount,
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
 * When the attempts on a delivery began, for one that was attempted before this was recorded: as long ago as its back-offs took.
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
  const requestedMs = retryAfterOf(outcome)
  const steps = requestedMs === undefined ? count : count - 1
  const backoff = steps > 0 ? jittered(backoffAt(steps), random) : 0
  return Math.round(Math.min(Math.max(requestedMs ?? 0, backoff, retryAfterBoundsMs[0]), maxHoldMs))
}

const backoffAt = (step: number) => backoffMs[Math.min(step, backoffMs.length) - 1] as number
const jittered = (ms: number, random: number) => ms * (1 - jitter + 2 * jitter * random)

function retryAfterOf({ afterMs }: { readonly afterMs?: number }): number | undefined {
  if (afterMs === undefined || Number.isNaN(afterMs)) return undefined
  const [min, max] = retryAfterBoundsMs
  return Math.min(Math.max(afterMs, min), max)
}
