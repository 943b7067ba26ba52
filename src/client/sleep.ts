/** The longest delay of setTimeout: 24 days. It fires at once for a longer one (Node: TimeoutOverflowWarning). */
const maxDelayMs = 2 ** 31 - 1

/** Resolves after a while, or as soon as the signal aborts. Not by node:timers/promises, which browsers lack. */
export function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const finish = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, Math.min(ms, maxDelayMs))
    signal?.addEventListener('abort', finish, { once: true })
  })
}
