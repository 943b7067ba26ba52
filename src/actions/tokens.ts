import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Scope, TokenKind, TokenRecord } from '#core/account.ts'
import { covers } from '#core/account.ts'
import { invalidMember, Problem } from '#core/problem.ts'
import { ownerInTransaction } from '#store/owners.ts'
import type { Db } from '#store/schema.ts'
import * as store from '#store/tokens.ts'
import type { Actor, Context } from './context.ts'

/**
 * What one asks with: `dbl_` and 32 random bytes in base 62, and 6 more characters that are a checksum over the rest. The prefix lets
 * scanners for leaked secrets find it, and a person see what it is; by the checksum one that was cut or mistyped is told from one that is
 * not known, without a look into the database. Letters and digits alone: a double click takes it whole.
 *
 * Only its SHA-256 is stored: of 256 random bits nobody finds the rest by trying, so a slow hash would cost each request 30 ms for nothing.
 */
const prefixes: Record<TokenKind, string> = { token: 'dbl_', session: 'dbs_', invitation: 'dbi_' }
const [secretDigits, checkDigits] = [43, 6]
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const form = new RegExp(`^(dbl|dbs|dbi)_[0-9A-Za-z]{${secretDigits + checkDigits}}$`)

export function makeSecret(kind: TokenKind): string {
  const text = prefixes[kind] + toBase62(BigInt(`0x${randomBytes(32).toString('hex')}`), secretDigits)
  return text + checksum(text)
}

/** What is stored of it, and looked for; undefined for what is none of ours, or not whole. */
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
  /** ms since 1970; never when null. */
  readonly expiresAt: number | null
}

/** A token and, this once, what it is. */
export interface Issued {
  readonly record: TokenRecord
  readonly secret: string
}

/**
 * @param upTo the scope of who asks: nobody gives away more than he has
 * @throws Problem `invalid`, `forbidden`
 */
export async function createToken(ctx: Context, { ownerId }: Actor, draft: TokenDraft, upTo: Scope): Promise<Issued> {
  if (!covers(upTo, draft.scope)) throw new Problem('forbidden', 'This token cannot give away more than it has itself.')
  return ctx.transact(async (tx, now) => {
    if (draft.expiresAt !== null && draft.expiresAt <= now) throw invalidMember('/expires_dt', 'is past')
    return issue(tx, ownerId, 'token', draft, now)
  })
}

/** @throws Problem `not-found` */
export async function revokeToken(ctx: Context, { ownerId }: Actor, id: number): Promise<TokenRecord> {
  return ctx.transact((tx) => store.deleteToken(tx, ownerId, id))
}

/** In a transaction of the caller's. */
export async function issue(
  tx: Db,
  ownerId: number,
  kind: TokenKind,
  { name, scope, expiresAt }: TokenDraft,
  now: number,
): Promise<Issued> {
  await ownerInTransaction(tx, ownerId) // not for one who is being deleted
  const secret = makeSecret(kind)
  const hash = hashSecret(secret) as string
  const hint = secret.slice(0, 9)
  const record = await store.insertToken(tx, { ownerId, kind, name, hash, hint, scope, createdAt: now, expiresAt })
  return { record, secret }
}
