import { Problem } from '#core/problem.ts'
import type { Transact } from '#store/engine/transact.ts'
import type { Db } from '#store/schema.ts'

/** What a wish needs besides its arguments. */
export interface Context {
  /** For reading; in a wish that is part of another, what that has written so far is seen. */
  readonly db: Db
  readonly transact: Transact
  /** Called after the commit with an instant at which the bell has something to do. */
  readonly wake: (at: number) => void
}

/** What a wish needs that writes chunk by chunk. */
export interface LongContext extends Context {
  /** Aborted when the server stops: what is underway ends with its chunk. */
  readonly signal: AbortSignal
}

/** @throws Problem `unavailable` */
export function refuseIfStopping(signal: AbortSignal): void {
  if (signal.aborted) throw new Problem('unavailable', 'The server is stopping.', { retryAfterMs: 1_000 })
}
