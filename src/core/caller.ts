import type { Role } from './account.ts'
import type { Defaults } from './reminder.ts'
import type { Scope } from './scope.ts'

/** The user who acts. Every read and write of user data is scoped to this user. */
export interface Actor {
  readonly userId: number
}

/** An actor and the credential they use. */
export interface Issuer extends Actor {
  readonly scope: Scope
  readonly by: Credential
}

/** An authenticated caller over HTTP. */
export interface Caller extends Issuer {
  readonly name: string | null
  readonly role: Role
  /** At most half a second old, so for reading only. A write reads them in its transaction. */
  readonly defaults: Defaults
}

/** The credential of a request. Null on a server without login. */
export type Credential = {
  readonly kind: 'token' | 'session' | 'socket' | 'link'
  /** Null for a credential without a row. */
  readonly id: number | null
  readonly name: string
  /** The object of an action link, because the address of the link itself is a secret. */
  readonly object?: string
} | null
