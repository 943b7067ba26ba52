/**
 * When a request is sent again. Pure: what failed and how often decides, and a number between 0 and 1 for the jitter.
 *
 *                     no answer, 502, 504     429, 503
 *   what happened     nobody knows            nothing: the server said so
 *   sent again        if twice is once        yes
 *
 * Any other status is an answer, and would be the same again.
 */
export const tries = 4
/** A try is not begun when more than this has gone since the first, its wait included. */
export const maxMs = 30_000

const firstWaitMs = 200

export interface Failure {
  /** Undefined where no answer came. */
  readonly status?: number
  /** What Retry-After said. */
  readonly retryAfterMs?: number | undefined
}

export interface Attempted {
  /** Counts from 1. */
  readonly attempt: number
  readonly elapsedMs: number
  readonly failure: Failure
  /** Whether a repeat of what has been done has the same effect and the same answer. */
  readonly isRepeatable: boolean
  /** 0 to 1. */
  readonly random: number
  readonly tries: number
}

/** How long to wait before the next try, in ms; undefined when there is to be none. */
export function waitBeforeRetry({ attempt, elapsedMs, failure, isRepeatable, random, tries }: Attempted) {
  const { status, retryAfterMs } = failure
  if (attempt >= tries) return undefined
  const didNothing = status === 429 || status === 503
  const isUnknown = status === undefined || status === 502 || status === 504
  if (!didNothing && !(isUnknown && isRepeatable)) return undefined
  // Between half and all of 200, 400, 800 ms: many clients that failed together do not come back together.
  const backOffMs = firstWaitMs * 2 ** (attempt - 1) * (1 - random / 2)
  const waitMs = Math.max(retryAfterMs ?? 0, backOffMs)
  return elapsedMs + waitMs <= maxMs ? waitMs : undefined
}

/** Seconds or an HTTP date (RFC 9110 section 10.2.3), in ms from now. */
export function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000
  if (!/^[A-Z][a-z]+, /.test(value)) return undefined // to Date.parse a -1 is a date
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}
