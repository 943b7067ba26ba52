import type { Clock } from '#clock.ts'
import type { Db } from '#store/schema.ts'
import { validTokens } from '#store/tokens.ts'

/** Ends what lasts longer than a request, a stream or a long poll, when the token or session that it was begun with ends. */
export interface CredentialWatch {
  /** Calls `end` once when the token or session is no longer valid. @returns to be called when the work is over before */
  watch(id: number, end: () => void): () => void
  /** Checks at once: this process has just changed tokens or users. */
  recheck(): void
  stop(): void
}

/** Other replicas end access as well. What they did is seen within this. */
const checkEveryMs = 500

/** A reason of our own for abort(): without one, each call makes a DOMException with a stack. */
const over = 'over'

export function watchCredentials({ db, clock }: { db: Db; clock: Clock }): CredentialWatch {
  const watched = new Map<number, Set<() => void>>()
  let running: AbortController | undefined
  /** While it sleeps. */
  let nap: AbortController | undefined
  let isStale = false

  async function run(signal: AbortSignal) {
    while (!signal.aborted) {
      if (!isStale) {
        const mine = new AbortController()
        nap = mine
        await clock.sleep(checkEveryMs, mine.signal)
        if (nap === mine) nap = undefined
      }
      if (signal.aborted) return
      isStale = false
      await check()
    }
  }

  async function check() {
    // Not those that arrive while the database answers: it was not asked about them.
    const ids = [...watched.keys()]
    // A failed query is repeated at the next check.
    const good = await validTokens(db, ids, clock.now()).catch(() => undefined)
    if (!good) return
    for (const id of ids) {
      if (good.has(id)) continue
      const ends = watched.get(id) ?? []
      watched.delete(id)
      for (const end of ends) end()
    }
    if (watched.size === 0) stop()
  }

  function stop() {
    running?.abort(over)
    running = undefined
    nap?.abort(over)
  }

  return {
    watch(id, end) {
      const ends = watched.get(id) ?? new Set()
      watched.set(id, ends.add(end))
      if (!running) {
        running = new AbortController()
        run(running.signal)
      }
      return () => {
        ends.delete(end)
        if (ends.size > 0 || watched.get(id) !== ends) return
        watched.delete(id)
        if (watched.size === 0) stop()
      }
    },
    recheck() {
      isStale = watched.size > 0
      if (isStale) nap?.abort(over)
    },
    stop,
  }
}
