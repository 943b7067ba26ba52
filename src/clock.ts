/** The only source of time. Every module that reads the time or waits receives one. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z, whole. */
  now(): number
  /** Resolves `ms` later and never earlier by this clock, or at once if the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /**
   * How long a loop may sleep between two checks, in ms. Events that no timer notices (a clock that was set, a laptop that slept,
   * another process's write) cost at most this.
   */
  readonly maxSleepMs: number
}

/** setTimeout fires after 1 ms if the delay is longer than this (24.8 days). */
const maxTimeoutMs = 2 ** 31 - 1
const shortMs = 1

export const systemClock: Clock = {
  now: Date.now,
  maxSleepMs: 1_000,
  sleep(ms, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const until = Date.now() + ms
      const finish = () => {
        clearTimeout(timer)
        clearImmediate(immediate)
        signal?.removeEventListener('abort', finish)
        resolve()
      }
      // setTimeout fires up to 0.8 ms early, and in the median 0.8 ms late. So it is set a millisecond short, and turns of the event
      // loop wait for the rest: then half of all sleeps end within 0.05 ms. If the clock is set back, the sleep ends all the same: it
      // may end early by that clock, and every caller checks the time afterwards.
      const check = () => {
        if (Date.now() >= until || until - Date.now() > shortMs + 2) finish()
        else immediate = setImmediate(check)
      }
      let immediate: NodeJS.Immediate | undefined
      const timer = setTimeout(check, Math.min(Math.max(ms - shortMs, 0), maxTimeoutMs))
      signal?.addEventListener('abort', finish, { once: true })
    })
  },
}
