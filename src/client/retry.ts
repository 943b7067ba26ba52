/**
 * Decides when a request is retried: a pure function of the failure, the number of attempts, and a random number for the jitter.
 *
 *                     no response, 502, 504   429, 503
 *   on the server     unknown                 nothing happened
 *   retried           if idempotent           yes
 *
 * Any other status is final: a retry would get the same response.
 */
export const tries = 4
/** No attempt starts later than this after the first one. */
export const maxMs = 30_000

const firstWaitMs = 200

export interface Failure {
  /** Undefined without a response. */
  readonly status?: number
  /** The value of Retry-After. */
  readonly retryAfterMs?: number | undefined
}

export interface RetryContext {
  /** The number of the failed attempt, from 1. */
  readonly attempt: number
  readonly elapsedMs: number
  readonly failure: Failure
  /** Whether a second attempt has the same effect and the same response, even if the first one succeeded. */
  readonly isRepeatable: boolean
  /** 0 to 1. */
  readonly random: number
  readonly tries: number
}

/** The wait before the next attempt, in ms; undefined for no further attempt. */
export function waitBeforeRetry({ attempt, elapsedMs, failure, isRepeatable, random, tries }: RetryContext) {
  const { status, retryAfterMs } = failure
  if (attempt >= tries) return undefined
  const didNothing = status === 429 || status === 503
  const isUnknown = status === undefined || status === 502 || status === 504
  if (!didNothing && !(isUnknown && isRepeatable)) return undefined
  // Between half and all of 200, 400, 800 ms, so that clients that failed together do not return together.
  const backOffMs = firstWaitMs * 2 ** (attempt - 1) * (1 - random / 2)
  const waitMs = Math.max(retryAfterMs ?? 0, backOffMs)
  return elapsedMs + waitMs <= maxMs ? waitMs : undefined
}
