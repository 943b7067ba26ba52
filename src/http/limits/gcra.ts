/**
 * GCRA, the generic cell rate algorithm. It keeps one number per key: the time at which the quota will be full again. A request moves
 * that time on by one share of the window, and is rejected when the time would lie further ahead than the window. That is a bucket that
 * leaks evenly: no window at whose edge twice the quota fits, no timer, no sweep.
 *
 *   quota 4 a second, all 4 at once:         now          +1 s
 *                                             ├──┬──┬──┬──┤
 *   two asked for                             ██████▲ full again     2 left
 *   four asked for                            ████████████▲          the fifth: after 0.25 s
 *
 * The keys are in two maps of at most 5,000, as in hashlru: one that is filling, and the one before it. A key that is used moves to the
 * first. The second is dropped when the first is full, or has been filling for a window; then all keys of the second have a full quota
 * again. So the keys in memory are those that were seen last, and a flood of new keys limits no other key.
 *
 * A key that is dropped early starts afresh. That helps no one: a client would have to use up 5,000 quotas within a window. Those are
 * 3,000,000 requests in a minute, of which the server answers a million, or 50,000 passwords in 15 minutes, of which it checks as many
 * (two at once, 30 ms each).
 *
 * Rejected (a take in a flood of 50,000 keys; here 0.5 µs, decision 20):
 * - One Map in the order of use: 29 µs. Its iterator has to skip what was deleted to find the oldest key.
 * - `lru-cache` 10.4: 0.8 µs, and two to three times as long as here for few keys.
 * - A heap by the quota that is left, where a new key inherits the level of the key it replaces (Space-Saving): 1.7 µs, 60 lines more. Once
 *   10,000 keys were limited, it limited each new one.
 * - @fastify/rate-limit 11.2 counts in fixed windows, so twice the quota passes at an edge. Each key of a request costs a promise and a
 *   callback. Its headers are those of drafts up to 6, of one policy.
 * - rate-limiter-flexible 11.4 counts in fixed windows too, with a timer for each key, in a Map that grows with every address.
 */
export interface Limiter {
  /** Takes one when it is available. @param now ms, monotonic */
  take(key: string, now: number): Verdict
  /** Returns the verdict of `take`, and takes nothing. */
  peek(key: string, now: number): Verdict
  /** Undoes a `take` that was allowed. */
  giveBack(key: string): void
  /** The number of keys in memory. */
  readonly size: number
}

export interface Verdict {
  readonly isAllowed: boolean
  /** The quota that is left now, after this request. */
  readonly remaining: number
  /** Until the quota is full again. */
  readonly resetMs: number
  /** Until this would be allowed; 0 when it is. */
  readonly retryAfterMs: number
}

/** The whole quota may be used at once. So a caller that keeps to it in every window is never rejected. */
export interface RatePolicy {
  readonly quota: number
  readonly windowMs: number
  readonly maxKeys?: number
}

/** An entry takes less than 100 bytes with a key of 40 characters. */
const defaultMaxKeys = 10_000
/** Tolerance, as a part of one request, for rounding errors in sums of fractions. */
const rounding = 1e-6

export function createLimiter({ quota, windowMs, maxKeys = defaultMaxKeys }: RatePolicy): Limiter {
  const oneMs = windowMs / quota
  /** When the quota of each key is full again. */
  let current = new Map<string, number>()
  let previous = new Map<string, number>()
  let rotateAt = Number.NEGATIVE_INFINITY

  function judge(key: string, now: number): Verdict {
    const fullAt = current.get(key) ?? previous.get(key) ?? now
    const usedMs = Math.max(0, fullAt - now)
    const missingMs = usedMs + oneMs - windowMs
    const isAllowed = missingMs <= rounding * oneMs
    const resetMs = isAllowed ? usedMs + oneMs : usedMs
    const remaining = Math.max(0, Math.floor((windowMs - resetMs) / oneMs + rounding))
    return { isAllowed, remaining, resetMs, retryAfterMs: isAllowed ? 0 : missingMs }
  }

  function rotate(now: number) {
    previous = current
    current = new Map()
    rotateAt = now + windowMs
  }

  return {
    take(key, now) {
      const verdict = judge(key, now)
      if (now >= rotateAt || (current.size >= maxKeys / 2 && !current.has(key))) rotate(now)
      current.set(key, now + verdict.resetMs)
      return verdict
    },
    peek: judge,
    giveBack(key) {
      const keys = current.has(key) ? current : previous
      const fullAt = keys.get(key)
      if (fullAt !== undefined) keys.set(key, fullAt - oneMs)
    },
    get size() {
      return current.size + previous.size
    },
  }
}
