import type { Scope } from '#core/account.ts'
import { Problem } from '#core/problem.ts'
import type { Transact } from '#store/engine/transact.ts'
import type { Db } from '#store/schema.ts'

/** Who is asking. Every read and write of an owned thing is scoped to this owner. */
export interface Actor {
  readonly ownerId: number
}

/** What a request was authenticated with. Null on a server without login. */
export type Credential = {
  readonly kind: 'token' | 'session' | 'socket' | 'link'
  /** Null where no row stands for it. */
  readonly id: number | null
  readonly name: string
  /** What a link is for: its own address is a key. */
  readonly object?: string
} | null

/** An actor, where it matters what they ask with. */
export interface Issuer extends Actor {
  readonly scope: Scope
  readonly by: Credential
}

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
