import type { Selectable } from 'kysely'
import { Problem } from '#core/problem.ts'
import { dialectOf } from './dialects/dialect.ts'
import { prepare } from './engine/prepare.ts'
import type { Db, IdempotencyKeyTable } from './schema.ts'

/**
 * The responses to requests with an Idempotency-Key, so that a repeated request has no second effect. The key is reserved and its
 * response saved in the transaction of the request:
 *
 *   free ── reserveKey ──▶ reserved ── saveResponse, COMMIT ──▶ saved ── 24 h ──▶ free
 *     ▲                       │
 *     └────── rollback ───────┘     a second request with a reserved key waits for that transaction
 */
export interface IdempotencyRecord {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The key of a request, and a hash of the request in hexadecimal, which tells apart two requests with the same key. */
export interface RequestKey {
  readonly key: string
  readonly fingerprint: string
}

export const keyLifetimeMs = 24 * 3_600_000

/** The status of a row without a response. Only its own transaction can see it. */
const reserved = 0

const selectKey = prepare((db, args: { userId: number; key: string }) =>
  db.selectFrom('idempotency_keys').selectAll().where('user_id', '=', args.userId).where('key', '=', args.key),
)

/**
 * Reserves a key for this transaction.
 * @returns the saved response, or undefined when the key is now reserved: then `saveResponse` must follow
 * @throws Problem `invalid` when the key was used for another request
 */
export async function reserveKey(
  tx: Db,
  userId: number,
  { key, fingerprint }: RequestKey,
  now: number,
): Promise<IdempotencyRecord | undefined> {
  for (;;) {
    // 1. The insert waits for other transactions with this key. Then the key is ours, or theirs has committed.
    await dialectOf(tx).insertRows(
      tx,
      'idempotency_keys',
      ['user_id', 'key', 'fingerprint', 'status', 'headers', 'body', 'created_at'],
      [[userId, key, fingerprint, reserved, '', '', now]],
      [],
    )
    const row = (await selectKey(tx, { userId, key })).rows[0]
    if (!row) continue // deleted in between
    if (row.status === reserved) return undefined
    // 2. An expired key is ours, unless another transaction has just taken it.
    if (row.created_at <= now - keyLifetimeMs) {
      const { numUpdatedRows } = await tx
        .updateTable('idempotency_keys')
        .set({ fingerprint, status: reserved, headers: '', body: '', created_at: now })
        .where('user_id', '=', userId)
        .where('key', '=', key)
        .where('created_at', '=', row.created_at)
        .executeTakeFirst()
      if (numUpdatedRows === 1n) return undefined
      continue
    }
    return toRecord(row, fingerprint)
  }
}

/** Finds the saved response without reserving the key. @throws Problem `invalid` when the key was used for another request */
export async function findResponse(
  db: Db,
  userId: number,
  { key, fingerprint }: RequestKey,
  now: number,
): Promise<IdempotencyRecord | undefined> {
  const row = (await selectKey(db, { userId, key })).rows[0]
  return row && row.created_at > now - keyLifetimeMs ? toRecord(row, fingerprint) : undefined
}

function toRecord(row: Selectable<IdempotencyKeyTable>, fingerprint: string): IdempotencyRecord {
  if (row.fingerprint !== fingerprint)
    throw new Problem('invalid', 'This Idempotency-Key was used for another request.', {
      faults: [{ at: { parameter: 'Idempotency-Key' }, detail: 'was used for another request' }],
    })
  return { status: row.status, headers: JSON.parse(row.headers), body: row.body }
}

const updateResponse = prepare(
  (db, args: { userId: number; key: string; status: number; headers: string; body: string }) =>
    db
      .updateTable('idempotency_keys')
      .set({ status: args.status, headers: args.headers, body: args.body })
      .where('user_id', '=', args.userId)
      .where('key', '=', args.key),
)

/** Saves the response, if this transaction commits. */
export async function saveResponse(tx: Db, userId: number, key: string, response: IdempotencyRecord): Promise<void> {
  const { status, headers, body } = response
  await updateResponse(tx, { userId, key, status, headers: JSON.stringify(headers), body })
}

/**
 * Deletes responses that were saved before an instant, the oldest first.
 * @param limit about this many; those of one transaction go together
 * @returns how many
 */
export async function deleteExpiredIdempotencyKeys(tx: Db, before: number, limit: number): Promise<number> {
  const last = await tx
    .selectFrom('idempotency_keys')
    .select('created_at')
    .where('created_at', '<', before)
    .orderBy('created_at')
    .limit(1)
    .offset(limit - 1)
    .executeTakeFirst()
  const { numDeletedRows } = await tx
    .deleteFrom('idempotency_keys')
    .where('created_at', '<', last ? last.created_at + 1 : before)
    .executeTakeFirst()
  return Number(numDeletedRows)
}
