import type { Clock } from '#clock.ts'

/**
 * A clock that a test advances by hand. Only sleepers that use this clock are affected; global timers stay real, since drivers need theirs.
 */
export interface FakeClock extends Clock {
  /** Advances, waking sleepers in the order of their times and letting each finish before the next. */
  advance(ms: number): Promise<void>
  /** The same, to an instant: ISO text or ms since 1970. */
  advanceTo(time: string | number): Promise<void>
  /** Sets the time without waking sleepers, as an operator or NTP does. */
  set(time: string | number): void
  /** Called after every step until it resolves: woken sleepers have finished. */
  whenIdle: () => Promise<void>
}

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

export function fakeClock(start: string | number = '2026-12-01T09:00:00Z'): FakeClock {
  const toMs = (time: string | number) => (typeof time === 'number' ? time : Date.parse(time))
  let now = toMs(start)
  /** The elapsed time of this clock, whatever it was set to: sleeps are measured by this, as in setTimeout. */
  let elapsed = 0
  const sleepers = new Set<Sleeper>()

  const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

  const clock: FakeClock = {
    now: () => now,
    maxSleepMs: 3_600_000, // a day in 24 steps, not 86,400
    sleep(ms, signal) {
      return new Promise((resolve) => {
        if (signal?.aborted || ms <= 0) return resolve()
        const wake = () => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        const sleeper = { until: elapsed + ms, wake }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', wake, { once: true })
      })
    },
    async advance(ms) {
      const target = elapsed + ms
      await turn()
      await clock.whenIdle()
      for (;;) {
        const next = Math.min(...[...sleepers].map(({ until }) => until))
        if (next > target) break
        now += next - elapsed
        elapsed = next
        for (const { until, wake } of [...sleepers]) if (until <= next) wake()
        await turn()
        await clock.whenIdle()
      }
      now += target - elapsed
      elapsed = target
    },
    advanceTo: (time) => clock.advance(toMs(time) - now),
    set(time) {
      now = toMs(time)
    },
    whenIdle: async () => {},
  }
  return clock
}
