import type { Role } from './account.ts'
import type { Defaults } from './reminder.ts'
import type { Scope } from './scope.ts'

/** Who is asking. Every read and write of an owned thing is scoped to this user. */
export interface Actor {
  readonly userId: number
}

/** An actor, where it matters what they ask with. */
export interface Issuer extends Actor {
  readonly scope: Scope
  readonly by: Credential
}

/** Who is asking over HTTP, as authentication found them. */
export interface Caller extends Issuer {
  readonly name: string | null
  readonly role: Role
  /** As of at most half a second ago: to read by. Who writes reads them in his transaction. */
  readonly defaults: Defaults
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
