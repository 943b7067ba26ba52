import type { Selectable } from 'kysely'
import type { TokenKind, TokenRecord } from '#core/account.ts'
import { Problem } from '#core/problem.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockRows } from './engine/lock-rows.ts'
import { prepare } from './engine/prepare.ts'
import type { Db, TokenTable } from './schema.ts'

/** Tokens, sessions and invitations. Only their hashes are stored, so this table gives no access. */

const selectByHash = prepare((db, args: { hash: string }) =>
  db.selectFrom('tokens').selectAll().where('hash', '=', args.hash),
)

/** Finds expired tokens too: callers check that. */
export async function findToken(db: Db, hash: string): Promise<TokenRecord | undefined> {
  const row = (await selectByHash(db, { hash })).rows[0]
  return row && toToken(row)
}

export type NewToken = Omit<TokenRecord, 'id' | 'lastUsedAt'> & { readonly hash: string }

export async function insertToken(tx: Db, token: NewToken): Promise<TokenRecord> {
  const columns = ['user_id', 'kind', 'name', 'hash', 'hint', 'scope', 'created_at', 'expires_at', 'parent_id'] as const
  const { hash, ...record } = token
  const { userId, kind, name, hint, scope, createdAt, expiresAt, parentId } = record
  const values = [userId, kind, name, hash, hint, scope, createdAt, expiresAt, parentId]
  const [row] = await dialectOf(tx).insertRows(tx, 'tokens', columns, [values], ['id', 'created_at'])
  if (!row) throw new Error('two tokens have the same 256 bits')
  return { ...record, id: row.id, lastUsedAt: null }
}

/** The valid tokens of a user, the newest first, without invitations. */
export async function listTokens(db: Db, userId: number, now: number): Promise<TokenRecord[]> {
  const rows = await db
    .selectFrom('tokens')
    .selectAll()
    .where('user_id', '=', userId)
    .where('kind', '!=', 'invitation')
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .orderBy('id', 'desc')
    .execute()
  return rows.map(toToken)
}

/** Locks a token until the transaction ends, so that it cannot be revoked meanwhile. */
export async function lockToken(tx: Db, userId: number, id: number): Promise<TokenRecord | undefined> {
  const query = tx.selectFrom('tokens').selectAll().where('id', '=', id).where('user_id', '=', userId)
  const row = await lockRows(tx, query).executeTakeFirst()
  return row && toToken(row)
}

/** The length of the chain of tokens from a session or command to this token, itself included; at most `limit`. */
export async function countAncestors(tx: Db, token: TokenRecord, limit: number): Promise<number> {
  let count = 1
  for (let parentId = token.parentId; parentId !== null && count < limit; count++) {
    const row = await tx.selectFrom('tokens').select('parent_id').where('id', '=', parentId).executeTakeFirst()
    parentId = row?.parent_id ?? null
  }
  return count
}

/**
 * Locks a token and all tokens created with it, one generation a round, each locked before the next is read. A token that creates another
 * at the same time either comes first, and its child is found, or waits, and finds itself deleted. A recursive query was rejected:
 * MariaDB stops one after 1,000 rounds without an error.
 * @returns their ids
 * @throws Problem `not-found`
 */
export async function lockTokenFamily(tx: Db, userId: number, id: number): Promise<number[]> {
  if (!(await lockToken(tx, userId, id))) throw new Problem('not-found', `There is no token ${id}.`)
  const family: number[] = []
  for (let generation = [id]; generation.length > 0; ) {
    family.push(...generation)
    const parents = generation
    const query = tx
      .selectFrom('tokens')
      .select('id')
      .where((eb) => dialectOf(tx).among(eb.ref('parent_id'), parents))
    generation = (await lockRows(tx, query).execute()).map((row) => row.id)
  }
  return family
}

export async function deleteTokensById(tx: Db, ids: readonly number[]): Promise<void> {
  await tx
    .deleteFrom('tokens')
    .where((eb) => dialectOf(tx).among(eb.ref('id'), ids))
    .execute()
}

/** Deletes a user's tokens of these kinds, except for one. @returns how many */
export async function deleteTokens(
  tx: Db,
  userId: number,
  kinds: readonly TokenKind[],
  except?: number | undefined,
): Promise<number> {
  const { numDeletedRows } = await tx
    .deleteFrom('tokens')
    .where('user_id', '=', userId)
    .where('kind', 'in', kinds)
    .where('id', '!=', except ?? 0)
    .executeTakeFirst()
  return Number(numDeletedRows)
}

/** Consumes an invitation, unless it has expired. @returns the id of its user */
export async function consumeInvitation(tx: Db, hash: string, now: number): Promise<number | undefined> {
  const query = tx.selectFrom('tokens').selectAll().where('hash', '=', hash).where('kind', '=', 'invitation')
  const row = await lockRows(tx, query).executeTakeFirst()
  if (!row || (row.expires_at ?? now) <= now) return undefined
  await tx.deleteFrom('tokens').where('id', '=', row.id).execute()
  return row.user_id
}

/** The tokens among these ids that exist, have not expired, and whose users are enabled. */
export async function validTokens(db: Db, ids: readonly number[], now: number): Promise<Set<number>> {
  const rows = await db
    .selectFrom('tokens')
    .innerJoin('users', 'users.id', 'tokens.user_id')
    .select('tokens.id')
    .where((eb) => dialectOf(db).among(eb.ref('tokens.id'), ids))
    .where('users.disabled_at', 'is', null)
    .where('users.removed_at', 'is', null)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .execute()
  return new Set(rows.map(({ id }) => id))
}

export async function markTokenUsed(tx: Db, id: number, now: number): Promise<void> {
  await tx.updateTable('tokens').set({ last_used_at: now }).where('id', '=', id).execute()
}

/** Extends a session that is in use. */
export async function extendSession(tx: Db, id: number, expiresAt: number): Promise<void> {
  await tx.updateTable('tokens').set({ expires_at: expiresAt }).where('id', '=', id).execute()
}

/** Deletes expired tokens. @returns how many, at most `limit` */
export async function purgeExpiredTokens(tx: Db, before: number, limit: number): Promise<number> {
  const rows = await tx.selectFrom('tokens').select('id').where('expires_at', '<', before).limit(limit).execute()
  const ids = rows.map(({ id }) => id)
  if (ids.length > 0)
    await tx
      .deleteFrom('tokens')
      .where((eb) => dialectOf(tx).among(eb.ref('id'), ids))
      .execute()
  return ids.length
}

function toToken(row: Selectable<TokenTable>): TokenRecord {
  return {
    id: row.id,
    userId: row.user_id,
    kind: row.kind,
    name: row.name,
    hint: row.hint,
    scope: row.scope,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    parentId: row.parent_id,
  }
}
