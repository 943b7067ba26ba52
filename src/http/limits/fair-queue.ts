/**
 * Work in a line, first come, first served, and in each turn of the event loop for no longer than its share of it. What is left
 * goes on in the next turn, and between two turns timers fire: so the bell waits for one share at most, however long the line.
 *
 *   enter ─▶ line empty, share not used up ─────────────▶ served at once
 *        └─▶ line ─▶ turn: one, one, one … share used up ─▶ next turn: one, one …
 *
 * Without this, no share: libuv polls again, up to 48 times before timers are looked at, as long as 1,024 sockets have something to
 * say. 2,000 connections that ask for the next thing as soon as they are answered (a refusal is an answer) kept the bell waiting
 * for 1 to 5 s. Who is answered in the next turn cannot ask again in this one.
 */
export interface Line<T> {
  readonly length: number
  enter(one: T): void
  /** Something has changed: whoever waits may be let in. */
  goOn(): void
}

/** What turns are made of. */
export interface Turns {
  /** ms, monotonic. */
  now(): number
  /** Calls once in the check phase of this turn of the event loop; of the next, when this one's has begun. */
  later(callback: () => void): void
}

export const eventLoop: Turns = { now: () => performance.now(), later: setImmediate }

/** A turn without between two with: a write of somebody else takes two turns, and would wait for as many pieces of long work. */
export const everySecond = ({ now, later }: Turns): Turns => ({
  now,
  later: (callback) => later(() => later(callback)),
})

/** No turn has time for more: the cheapest takes 15 µs. */
const maxATurn = 512
/** A line that never ends is copied to the front of its array when this much of it, and half, has been served. */
const servedBeforeCopy = 1_024

/**
 * @param shareMs of a turn
 * @param isOpen whether anybody may be let in at this moment
 * @param serve begins to work on one; what it leaves to promises is done before the next is served
 */
export function createLine<T>(
  {
    shareMs,
    isOpen,
    serve,
  }: { shareMs: number; isOpen: (now: number) => boolean; serve: (one: T, now: number) => void },
  { now, later }: Turns,
): Line<T> {
  let line: T[] = []
  let served = 0
  /** When the share of this turn is used up; 0 before the first is served in it. */
  let until = 0
  let isTurnAwaited = false

  const length = () => line.length - served

  function isUsedUp(at: number): boolean {
    until ||= at + shareMs
    return at >= until
  }

  function awaitTurn() {
    if (isTurnAwaited) return
    isTurnAwaited = true
    later(beginTurn)
  }

  function beginTurn() {
    isTurnAwaited = false
    until = 0
    goOn()
  }

  // A callback for each: between two of them Node runs what promises have become ready, so that the work of one is done, and its
  // time has passed, when the next is looked at. In a loop all would begin before any of them had done its work.
  function goOn() {
    if (isTurnAwaited || length() === 0 || !isOpen(now())) return
    awaitTurn()
    for (let i = Math.min(length(), maxATurn); i > 0; i--) later(serveNext)
  }

  function serveNext() {
    const at = now()
    if (length() === 0 || !isOpen(at) || isUsedUp(at)) return
    const one = line[served++] as T
    if (length() === 0 || (served >= servedBeforeCopy && served * 2 >= line.length)) {
      line = line.slice(served)
      served = 0
    }
    serve(one, at)
  }

  return {
    get length() {
      return length()
    },
    enter(one) {
      const at = now()
      if (length() === 0 && isOpen(at) && !isUsedUp(at)) {
        awaitTurn()
        serve(one, at)
      } else {
        line.push(one)
        goOn()
      }
    },
    goOn,
  }
}
