/**
 * A first-in, first-out queue that takes a limited share of each turn of the event loop. The rest continues in the next turn, and
 * timers fire between two turns. So reminders wait for at most one share, however long the queue is.
 *
 *   push ─▶ queue empty, share not used up ────────────▶ served at once
 *       └─▶ queue ─▶ turn: one, one, one … share used up ─▶ next turn: one, one …
 *
 * Without a share, libuv polls up to 48 times before it checks timers while 1,024 sockets are readable. 2,000 connections that send the
 * next request as soon as the last is answered (a 503 is an answer too) delayed reminders by 1 to 5 s. A client that is answered in the
 * next turn cannot send again in this one.
 */
export interface FairQueue<T> {
  readonly length: number
  push(item: T): void
  /** Serves more once `hasCapacity` may have become true. */
  resume(): void
}

/** The clock and the turns of the event loop; tests replace it. */
export interface EventLoop {
  /** ms, monotonic. */
  now(): number
  /** Calls once in the check phase of this turn, or of the next turn when this check phase has begun. */
  later(callback: () => void): void
}

export const eventLoop: EventLoop = { now: () => performance.now(), later: setImmediate }

/**
 * Leaves every second turn free. A concurrent write takes two turns, and would otherwise wait for as many pieces of long work.
 */
export const everySecondTurn = ({ now, later }: EventLoop): EventLoop => ({
  now,
  later: (callback) => later(() => later(callback)),
})

/** No turn has time for more: the cheapest item takes 15 µs. */
const maxPerTurn = 512
/** A queue that never empties is copied once this many items, and half of its array, have been served. */
const servedBeforeCopy = 1_024

export interface FairQueueOptions<T> {
  /** Time per turn. */
  readonly shareMs: number
  /** Returns whether an item may be served now. */
  readonly hasCapacity: (now: number) => boolean
  /** Begins to work on an item. The promises it leaves are settled before the next item is served. */
  readonly serve: (item: T, now: number) => void
}

/** Creates a queue of functions, and calls each. It always has capacity. @param shareMs time per turn */
export function createCallQueue(shareMs: number, loop: EventLoop): FairQueue<() => void> {
  return createFairQueue({ shareMs, hasCapacity: () => true, serve: (call) => call() }, loop)
}

export function createFairQueue<T>(
  { shareMs, hasCapacity, serve }: FairQueueOptions<T>,
  { now, later }: EventLoop,
): FairQueue<T> {
  let items: T[] = []
  let served = 0
  /** When the share of this turn is used up; 0 before its first item is served. */
  let until = 0
  let isTurnScheduled = false

  const length = () => items.length - served

  function isUsedUp(at: number): boolean {
    until ||= at + shareMs
    return at >= until
  }

  function scheduleTurn() {
    if (isTurnScheduled) return
    isTurnScheduled = true
    later(beginTurn)
  }

  function beginTurn() {
    isTurnScheduled = false
    until = 0
    resume()
  }

  // One callback per item: Node runs pending promises between two callbacks. So the work of one item is done, and its time has passed,
  // before the share is checked for the next. A loop would begin all items before any had done its work.
  function resume() {
    if (isTurnScheduled || length() === 0 || !hasCapacity(now())) return
    scheduleTurn()
    for (let i = Math.min(length(), maxPerTurn); i > 0; i--) later(serveNext)
  }

  function serveNext() {
    const at = now()
    if (length() === 0 || !hasCapacity(at) || isUsedUp(at)) return
    const item = items[served++] as T
    if (length() === 0 || (served >= servedBeforeCopy && served * 2 >= items.length)) {
      items = items.slice(served)
      served = 0
    }
    serve(item, at)
  }

  return {
    get length() {
      return length()
    },
    push(item) {
      const at = now()
      if (length() === 0 && hasCapacity(at) && !isUsedUp(at)) {
        scheduleTurn()
        serve(item, at)
      } else {
        items.push(item)
        resume()
      }
    },
    resume,
  }
}
