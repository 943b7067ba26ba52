import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { TokenKind, TokenRecord } from '#core/account.ts'
import type { Actor, Issuer } from '#core/caller.ts'
import { invalidMember, Problem } from '#core/problem.ts'
import type { Scope } from '#core/scope.ts'
import { covers } from '#core/scope.ts'
import type { Db } from '#store/schema.ts'
import * as store from '#store/tokens.ts'
import { lockUser, userInTransaction } from '#store/users.ts'
import type { Context } from './context.ts'

/**
 * A token is `dbl_`, 32 random bytes in base 62, and a checksum of 6 characters over the rest. Secret scanners and users recognise the
 * prefix. The checksum tells a truncated or mistyped token from an unknown one without a query. Letters and digits alone: a double click
 * selects it whole.
 *
 * Only its SHA-256 is stored. Guessing 256 random bits is hopeless, so a slow hash would cost each request 30 ms for nothing.
 */
const prefixes: Record<TokenKind, string> = { token: 'dbl_', session: 'dbs_', invitation: 'dbi_' }
const [secretDigits, checkDigits] = [43, 6]
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const form = new RegExp(`^(dbl|dbs|dbi)_[0-9A-Za-z]{${secretDigits + checkDigits}}$`)

export function makeSecret(kind: TokenKind): string {
  const text = prefixes[kind] + toBase62(BigInt(`0x${randomBytes(32).toString('hex')}`), secretDigits)
  return text + checksum(text)
}

/** The hash under which a token is stored; undefined for a string that is no complete token of this server. */
export function hashSecret(secret: string): string | undefined {
  if (!form.test(secret) || checksum(secret.slice(0, -checkDigits)) !== secret.slice(-checkDigits)) return undefined
  return createHash('sha256').update(secret).digest('base64url')
}

function checksum(text: string): string {
  return toBase62(BigInt(crc32(text)), checkDigits)
}

function toBase62(value: bigint, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest /= 62n) text = digits[Number(rest % 62n)] + text
  return text
}

export interface TokenDraft {
  readonly name: string
  readonly scope: Scope
  /** In ms since 1970; null for never. */
  readonly expiresAt: number | null
}

/** A new token with its secret, which is shown once. */
export interface Issued {
  readonly record: TokenRecord
  readonly secret: string
}

/** A request for a token. Without an expiry, the new token gets that of its parent. */
export interface TokenRequest extends Omit<TokenDraft, 'expiresAt'> {
  readonly expiresAt?: number | null
}

/** Longest chain of tokens that created each other. Without a limit, a leaked token could create one that takes minutes to revoke. */
const maxTokenDepth = 10

/**
 * Creates a token. One created with another token is its child: its scope and expiry are not wider, and it is revoked with its parent.
 * Otherwise a token that expires in an hour could create one that never does.
 * @throws Problem `invalid`, `forbidden`, `unauthorized` when the issuer's own access has just ended
 */
export async function createToken(ctx: Context, issuer: Issuer, request: TokenRequest): Promise<Issued> {
  if (!covers(issuer.scope, request.scope))
    throw new Problem('forbidden', 'This token cannot create one with a wider scope than its own.')
  return ctx.transact(async (tx, now) => {
    await userInTransaction(tx, issuer.userId) // locked before the token, as a reset does: otherwise the two could deadlock
    const credential = await requireCredential(tx, issuer, now)
    const parent = credential?.kind === 'token' ? credential : null
    const { expiresAt: limit = null } = parent ?? {}
    const { expiresAt = limit } = request
    if (expiresAt !== null && expiresAt <= now) throw invalidMember('/expires_dt', 'is past')
    if (limit !== null && (expiresAt === null || expiresAt > limit))
      throw invalidMember(
        '/expires_dt',
        `must not be after ${new Date(limit).toISOString()}: the token that creates it expires then`,
      )
    if (parent && (await store.countAncestors(tx, parent, maxTokenDepth)) >= maxTokenDepth)
      throw new Problem(
        'forbidden',
        `This token is number ${maxTokenDepth} in a chain of tokens that created each other. Create the next one with an earlier one, or sign in.`,
      )
    return issue(tx, issuer.userId, 'token', { ...request, expiresAt }, now, parent?.id)
  })
}

/**
 * Checks again, in the transaction, that the session or token of a request still exists. The token cache may be half a second old, and a
 * request in flight must not undo a reset.
 * @returns the token; undefined for a request that needs none
 * @throws Problem `unauthorized`
 */
export async function requireCredential(tx: Db, { userId, by }: Issuer, now: number): Promise<TokenRecord | undefined> {
  if (!by || by.id === null) return undefined
  const found = await store.lockToken(tx, userId, by.id)
  if (!found || (found.expiresAt !== null && found.expiresAt <= now))
    throw new Problem('unauthorized', 'The token is invalid or has expired.')
  return found
}

/** How many sessions and tokens have ended. */
export interface EndedAccess {
  readonly sessions: number
  readonly tokens: number
}

/** Ends all access of a user, open invitations included. The caller has locked the user's row, so that no token is created meanwhile. */
export async function endAccess(tx: Db, userId: number): Promise<EndedAccess> {
  await store.deleteTokens(tx, userId, ['invitation'])
  return {
    sessions: await store.deleteTokens(tx, userId, ['session']),
    tokens: await store.deleteTokens(tx, userId, ['token']),
  }
}

/** @throws Problem `not-found` */
export async function signOutEverywhere(ctx: Context, userId: number): Promise<EndedAccess> {
  return ctx.transact(async (tx) => {
    const user = await lockUser(tx, userId)
    if (user.removedAt !== null) throw new Problem('not-found', `There is no user ${userId}.`)
    return endAccess(tx, userId)
  })
}

/** Revokes a token and all its descendants, or counts these. @returns how many @throws Problem `not-found` */
export async function revokeToken(
  ctx: Context,
  { userId }: Actor,
  id: number,
  { isDryRun = false } = {},
): Promise<number> {
  return ctx.transact(async (tx) => {
    const ids = await store.lockTokenFamily(tx, userId, id)
    if (!isDryRun) await store.deleteTokensById(tx, ids)
    return ids.length
  })
}

/** Creates a token in the caller's transaction. */
export async function issue(
  tx: Db,
  userId: number,
  kind: TokenKind,
  { name, scope, expiresAt }: TokenDraft,
  now: number,
  parentId: number | null = null,
): Promise<Issued> {
  await userInTransaction(tx, userId) // fails for a user who is being deleted
  const secret = makeSecret(kind)
  const hash = hashSecret(secret) as string
  const hint = secret.slice(0, 9)
  const token = { userId, kind, name, hash, hint, scope, createdAt: now, expiresAt, parentId }
  return { record: await store.insertToken(tx, token), secret }
}
