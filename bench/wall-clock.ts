/**
 * The time of day with fractions, in ms since 1970. `Date.now()` has no fractions, and `performance.timeOrigin` is read once at startup,
 * from a clock that may be set and slewed. So this compares both where `Date.now()` steps: the latest of some steps is the one that was
 * seen soonest.
 */
export function openWallClock(): () => number {
  let offset = Number.NEGATIVE_INFINITY
  for (let i = 0; i < 10; i++) {
    const before = Date.now()
    let step = before
    while (step === before) step = Date.now()
    offset = Math.max(offset, step - performance.now())
  }
  return () => offset + performance.now()
}
