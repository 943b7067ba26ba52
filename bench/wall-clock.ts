/**
 * The time of day with its fractions, in ms since 1970. `Date.now()` has none, and `performance.timeOrigin` was read once at
 * start, from a clock that is set and slewed. So the two are laid side by side where `Date.now()` steps: the latest of some
 * steps is the one that was seen soonest.
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
