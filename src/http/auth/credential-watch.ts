import type { Clock } from '#clock.ts'
import type { Db } from '#store/schema.ts'
import { validTokens } from '#store/tokens.ts'

/** Ends a stream or a long poll when its token or session ends. */
export interface CredentialWatch {
  /** Calls `end` once when the token or session is no longer valid. @returns stops watching */
  watch(id: number, end: () => void): () => void
  /** Checks at once: this process has just changed tokens or users. */
  recheck(): void
  stop(): void
}

/**
 * Other replicas end access as well, and this process sees it within this time. Rejected: a check at the heartbeat of a stream, every
 * 15 s. A thief would read for as long after the token was revoked.
 */
const checkEveryMs = 500

export function watchCredentials({ db, clock }: { db: Db; clock: Clock }): CredentialWatch {
  const watchers = new Set<{ readonly id: number; readonly end: () => void }>()
  let running: AbortController | undefined
  let lastCheck = Promise.resolve()
  let isCheckQueued = false

  async function run(signal: AbortSignal) {
    for (;;) {
      await clock.sleep(checkEveryMs, signal)
      if (signal.aborted) return
      queueCheck()
    }
  }

  /** One check runs and one waits: a hundred tokens that end at once do not take all connections of a pool. */
  function queueCheck() {
    if (isCheckQueued || watchers.size === 0) return
    isCheckQueued = true
    lastCheck = lastCheck.then(check)
  }

  async function check() {
    isCheckQueued = false
    // Those that arrive during the query are not part of it.
    const checked = [...watchers]
    const ids = new Set(checked.map(({ id }) => id))
    // The next check repeats a failed query.
    const valid = await validTokens(db, [...ids], clock.now()).catch(() => ids)
    for (const watcher of checked) if (!valid.has(watcher.id) && watchers.delete(watcher)) watcher.end()
    if (watchers.size === 0) stop()
  }

  function start() {
    running = new AbortController()
    run(running.signal)
  }

  function stop() {
    running?.abort()
    running = undefined
  }

  return {
    watch(id, end) {
      const watcher = { id, end }
      watchers.add(watcher)
      if (!running) start()
      return () => {
        if (watchers.delete(watcher) && watchers.size === 0) stop()
      }
    },
    recheck: queueCheck,
    stop,
  }
}
