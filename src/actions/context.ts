import { setImmediate as turn } from 'node:timers/promises'
import { Problem } from '#core/problem.ts'
import type { Transact } from '#store/engine/transact.ts'
import type { Db } from '#store/schema.ts'

/** The dependencies of an action, besides its arguments. */
export interface Context {
  /** For reading. Inside another action's transaction it sees the writes of that action. */
  readonly db: Db
  readonly transact: Transact
  /** Wakes the loops, after the commit, for a reminder or delivery that is due at this instant. */
  readonly wake: (at: number) => void
}

/** The dependencies of an action that writes in chunks. */
export interface LongContext extends Context {
  /** Aborted when the server stops: the action ends after the current chunk. */
  readonly signal: AbortSignal
}

/** @throws Problem `unavailable` */
export function refuseIfStopping(signal: AbortSignal): void {
  if (signal.aborted) throw new Problem('unavailable', 'The server is stopping.', { retryAfterMs: 1_000 })
}

/**
 * Lets reminders and other requests run between two chunks. After the second of the two turns of the event loop, the requests that waited for
 * the last chunk have begun a transaction of their own, instead of sharing that of the next chunk.
 */
export async function yieldToOthers(): Promise<void> {
  await turn()
  await turn()
}
