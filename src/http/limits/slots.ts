export interface Slots {
  /** Slots that count now. */
  taken(now: number): number
  /** @returns the slot, for `release` */
  take(now: number): number
  release(slot: number): void
}

/** Counts slots for the window in which they are taken and for the next. A slot is the number of its window. */
export function countSlots(windowMs: number): Slots {
  let window = 0
  let current = 0
  let previous = 0

  function advance(now: number) {
    const next = Math.floor(now / windowMs)
    if (next === window) return
    previous = next === window + 1 ? current : 0
    current = 0
    window = next
  }

  return {
    taken(now) {
      advance(now)
      return current + previous
    },
    take(now) {
      advance(now)
      current++
      return window
    },
    release(slot) {
      if (slot === window) current--
      else if (slot === window - 1) previous--
    },
  }
}
