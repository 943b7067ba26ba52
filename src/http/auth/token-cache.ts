import type { Clock } from '#clock.ts'
import type { TokenRecord, User } from '#core/account.ts'
import type { Caller } from '#core/caller.ts'
import type { Db } from '#store/schema.ts'
import { findToken } from '#store/tokens.ts'
import { builtInUserId, findUser } from '#store/users.ts'

/** A token or session, its user, and both as the caller of a request. */
export interface Credential {
  /** When it was read. */
  readonly at: number
  readonly user: User
  /** Null for the first user of a server without login. */
  readonly token: TokenRecord | null
  readonly caller: Caller
}

/**
 * Caches credentials by the hash of their secret for half a second. A request then costs no read, and a revoked token stops working within
 * a second on every replica; in this process at once, by `invalidate`. Unknown hashes are not cached.
 *
 * Rejected: no cache on SQLite. A look-up takes 10 µs there, a quarter of a read by id, and a hit 0.06 µs (decision 20).
 */
export interface TokenCache {
  /** Returns a fresh entry, without a promise: that saves each request a microtask. */
  getFresh(hash: string): Credential | undefined
  /** Reads from the database. */
  read(hash: string): Promise<Credential | undefined>
  /** The same; while the database is unavailable, returns an entry of the last hour. */
  readOrStale(hash: string): Promise<Credential | undefined>
  /** Call it when users or tokens have changed in this process. */
  invalidate(): void
}

/** Stands for the first user, who makes all requests of a server without login. */
export const firstUserHash = ''

const freshMs = 500
/** The age up to which an entry may be used while the database is unavailable. */
const maxStaleMs = 3_600_000
/** Entries are small, so all of them are removed at once at this number. */
const maxEntries = 10_000

export interface TokenCacheOptions {
  readonly db: Db
  readonly clock: Clock
  readonly onRead: (credential: Credential) => void
}

export function createTokenCache({ db, clock, onRead }: TokenCacheOptions): TokenCache {
  let entries = new Map<string, Credential>()

  async function read(hash: string): Promise<Credential | undefined> {
    // `invalidate` replaces the map, so a result that was read before it is not cached after it.
    const target = entries
    const at = clock.now()
    const token = hash === firstUserHash ? null : await findToken(db, hash)
    if (token === undefined || token?.kind === 'invitation') return undefined
    const user = await findUser(db, token?.userId ?? builtInUserId)
    if (!user || user.removedAt !== null) return undefined
    const credential = { at, user, token, caller: toCaller(user, token) }
    if (target.size >= maxEntries) target.clear()
    target.set(hash, credential)
    onRead(credential)
    return credential
  }

  return {
    getFresh(hash) {
      const entry = entries.get(hash)
      if (!entry) return undefined
      const age = clock.now() - entry.at
      return age >= 0 && age < freshMs ? entry : undefined
    },
    read,
    async readOrStale(hash) {
      try {
        return await read(hash)
      } catch (error) {
        const entry = entries.get(hash)
        if (entry && clock.now() - entry.at < maxStaleMs) return entry
        throw error
      }
    },
    invalidate() {
      entries = new Map()
    },
  }
}

export function toCaller(user: User, token: TokenRecord | null): Caller {
  const { id: userId, name, role, defaults } = user
  if (!token) return { userId, name, role, defaults, scope: 'admin', by: null }
  const kind = token.kind === 'session' ? 'session' : 'token'
  return { userId, name, role, defaults, scope: token.scope, by: { kind, id: token.id, name: token.name } }
}
