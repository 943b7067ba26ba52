/**
 * How often who may ask: GCRA, the generic cell rate algorithm. Of a key one number is kept, the instant at which its quota will be
 * full again. A request moves that on by what one costs, and is refused where it would come to lie further ahead than a full quota
 * takes to fill. That is a bucket that leaks evenly: no window at whose edge twice the quota fits, no timer, no sweep.
 *
 *   quota 4 a second, all 4 at once:         now          +1 s
 *                                             ├──┬──┬──┬──┤
 *   two asked for                             ██████▲ full again     2 left
 *   four asked for                            ████████████▲          the fifth: after 0.25 s
 *
 * Own code, after a look at the two that are kept well:
 * - @fastify/rate-limit 11.2 counts in fixed windows, so that twice the quota passes at an edge; a promise, and a callback within it,
 *   for each key of a request; its headers are those of drafts up to 6, of one policy. Its store forgets whom it has not heard of
 *   for longest: who goes round among more than 5,000 addresses begins anew with each.
 * - rate-limiter-flexible 11.4 counts in fixed windows too, with a timer for each key, in a Map that grows with every address.
 *
 * Memory is bounded by the number of keys. A key that is full again is as good as unknown, so its place is given away first. Where
 * none is, the newcomer takes the place of the one that is nearest to it, and begins where that was (Space-Saving; Metwally,
 * Agrawal and El Abbadi, 2005): nobody gets out of a limit by being pushed out, since it comes back to no less than it had, and to
 * push out one that is being limited, all others must be limited too. Only then do newcomers notification: each is allowed once, and has to
 * wait for more, so that not even 10,000 addresses lock out one more.
 */
export interface Limiter {
  /** Asks for `cost` and takes it, where it is there. @param now ms, monotonic @param cost at most `burst` */
  take(key: string, now: number, cost?: number): Verdict
  /** What `take` would say. */
  peek(key: string, now: number, cost?: number): Verdict
  /** Undoes a `take` that was allowed. */
  giveBack(key: string, cost?: number): void
  /** Keys that are remembered. */
  readonly size: number
}

export interface Verdict {
  readonly isAllowed: boolean
  /** What may be taken right now, after this. */
  readonly remaining: number
  /** Until all may be taken again. */
  readonly resetMs: number
  /** Until this would be allowed; 0 when it is. */
  readonly retryAfterMs: number
}

export interface ChannelSettings {
  readonly quota: number
  readonly windowMs: number
  /** What may be taken at once. All of it unless told otherwise: then nobody is refused who keeps to the quota in every window. */
  readonly burst?: number
  readonly maxKeys?: number
}

interface Entry {
  key: string
  /** When its quota is full again. */
  fullAt: number
  /** The same as the heap knows it: perhaps from before some requests. */
  sortedBy: number
}

/** 150 bytes each, with a key of 40 characters. */
const defaultKeys = 10_000
/** Of what is taken once, for sums of fractions that do not come out even. */
const rounding = 1e-6

export function createLimiter({ quota, windowMs, burst = quota, maxKeys = defaultKeys }: ChannelSettings): Limiter {
  const oneMs = windowMs / quota
  const allMs = burst * oneMs
  const entries = new Map<string, Entry>()
  /** The one that is full first on top. Takes do not sort: an entry only ever moves down, and does so when it has come to the top. */
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

  function admit(key: string, now: number, cost: number): Entry {
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
      const entry = entries.get(key) ?? admit(key, now, cost)
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
