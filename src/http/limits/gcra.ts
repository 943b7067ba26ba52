/**
 * GCRA, the generic cell rate algorithm. It keeps one number per key: the time at which the quota will be full again. A request moves
 * that time on by its cost, and is rejected when the time would lie further ahead than a full quota takes to fill. That is a bucket that
 * leaks evenly: no window at whose edge twice the quota fits, no timer, no sweep.
 *
 *   quota 4 a second, all 4 at once:         now          +1 s
 *                                             ├──┬──┬──┬──┤
 *   two asked for                             ██████▲ full again     2 left
 *   four asked for                            ████████████▲          the fifth: after 0.25 s
 *
 * Rejected, the two libraries that are maintained:
 * - @fastify/rate-limit 11.2 counts in fixed windows, so twice the quota passes at an edge. Each key of a request costs a promise and a
 *   callback. Its headers are those of drafts up to 6, of one policy. Its store evicts the key it has not seen for longest: a client
 *   that rotates among more than 5,000 addresses starts afresh with each.
 * - rate-limiter-flexible 11.4 counts in fixed windows too, with a timer for each key, in a Map that grows with every address.
 *
 * The number of keys is bounded. A key with a full quota carries no information and is replaced first. Where all are in use, a new key
 * replaces the one with the most quota left and starts from its level (Space-Saving; Metwally, Agrawal and El Abbadi, 2005). So no key
 * escapes its limit by eviction: it returns to no more quota than it had, and evicting a limited key needs all others limited too. Only
 * then do new keys notice: each is allowed once, then waits. So not even 10,000 addresses lock out one more.
 */
export interface Limiter {
  /** Asks for `cost`, and takes it when it is available. @param now ms, monotonic @param cost at most `burst` */
  take(key: string, now: number, cost?: number): Verdict
  /** Returns the verdict of `take`, and takes nothing. */
  peek(key: string, now: number, cost?: number): Verdict
  /** Undoes a `take` that was allowed. */
  giveBack(key: string, cost?: number): void
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

export interface RatePolicy {
  readonly quota: number
  readonly windowMs: number
  /**
   * The maximum that may be taken at once. The default is the whole quota: then a caller that keeps to it in every window is never
   * rejected.
   */
  readonly burst?: number
  readonly maxKeys?: number
}

interface Entry {
  key: string
  /** When the quota is full again. */
  fullAt: number
  /** `fullAt` as the heap has sorted it: perhaps before some requests. */
  sortedBy: number
}

/** An entry takes 150 bytes with a key of 40 characters. */
const defaultMaxKeys = 10_000
/** Tolerance, as a part of one request, for rounding errors in sums of fractions. */
const rounding = 1e-6

export function createLimiter({ quota, windowMs, burst = quota, maxKeys = defaultMaxKeys }: RatePolicy): Limiter {
  const oneMs = windowMs / quota
  const allMs = burst * oneMs
  const entries = new Map<string, Entry>()
  /** A min-heap by `sortedBy`. Takes do not sort: an entry only ever moves down, and does so when it reaches the top. */
  const heap: Entry[] = []

  function judge(fullAt: number, now: number, cost: number): Verdict {
    const usedMs = Math.max(0, fullAt - now)
    const missingMs = usedMs + cost * oneMs - allMs
    const isAllowed = missingMs <= rounding * oneMs
    const resetMs = isAllowed ? usedMs + cost * oneMs : usedMs
    const remaining = Math.max(0, Math.floor((allMs - resetMs) / oneMs + rounding))
    return { isAllowed, remaining, resetMs, retryAfterMs: isAllowed ? 0 : missingMs }
  }

  function fullest(): Entry | undefined {
    for (;;) {
      const top = heap[0]
      if (!top || top.sortedBy >= top.fullAt) return top
      top.sortedBy = top.fullAt
      sinkFirst(heap)
    }
  }

  function add(key: string, now: number, cost: number): Entry {
    const top = fullest()
    if (!top || (top.fullAt > now && heap.length < maxKeys)) {
      const entry = { key, fullAt: now, sortedBy: now }
      heap.push(entry)
      riseLast(heap)
      entries.set(key, entry)
      return entry
    }
    entries.delete(top.key)
    top.key = key
    top.fullAt = Math.min(Math.max(top.fullAt, now), now + allMs - cost * oneMs)
    entries.set(key, top)
    return top
  }

  return {
    take(key, now, cost = 1) {
      const entry = entries.get(key) ?? add(key, now, cost)
      const verdict = judge(entry.fullAt, now, cost)
      if (verdict.isAllowed) entry.fullAt = now + verdict.resetMs
      return verdict
    },
    peek: (key, now, cost = 1) => judge(entries.get(key)?.fullAt ?? now, now, cost),
    giveBack(key, cost = 1) {
      const entry = entries.get(key)
      if (entry) entry.fullAt -= cost * oneMs
    },
    get size() {
      return heap.length
    },
  }
}

function riseLast(heap: Entry[]) {
  let at = heap.length - 1
  const entry = heap[at] as Entry
  while (at > 0) {
    const above = (at - 1) >> 1
    const parent = heap[above] as Entry
    if (parent.sortedBy <= entry.sortedBy) break
    heap[at] = parent
    at = above
  }
  heap[at] = entry
}

function sinkFirst(heap: Entry[]) {
  let at = 0
  const entry = heap[at] as Entry
  for (;;) {
    let below = 2 * at + 1
    const [left, right] = [heap[below], heap[below + 1]]
    if (!left) break
    if (right && right.sortedBy < left.sortedBy) below++
    const child = heap[below] as Entry
    if (child.sortedBy >= entry.sortedBy) break
    heap[at] = child
    at = below
  }
  heap[at] = entry
}
