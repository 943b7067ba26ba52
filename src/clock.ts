/** The only source of time. Everything that asks what time it is, or waits, is handed one of these. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z, whole. */
  now(): number
  /** Resolves `ms` later and never earlier by this clock, or at once when the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /**
   * How long a loop may sleep without looking again, in ms. What no timer notices (a clock that was set, a laptop that slept,
   * another process's write) costs at most this.
   */
  readonly maxSleepMs: number
}

/** setTimeout fires after 1 ms when asked for more than this many milliseconds (24.8 days). */
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
      // setTimeout fires up to 0.8 ms early, and in the median 0.8 ms late. So it is set a millisecond short, and the rest is
      // waited for by turns of the event loop: then half of all sleeps end within 0.05 ms. After a step of the clock back the
      // sleep is over all the same: it may end early by that clock, and whoever slept looks at it anyway.
      const look = () => {
        if (Date.now() >= until || until - Date.now() > shortMs + 2) finish()
        else immediate = setImmediate(look)
      }
      let immediate: NodeJS.Immediate | undefined
      const timer = setTimeout(look, Math.min(Math.max(ms - shortMs, 0), maxTimeoutMs))
      signal?.addEventListener('abort', finish, { once: true })
    })
  },
}
