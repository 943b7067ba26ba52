import type { Selectable } from 'kysely'
import { dialectOf } from './dialects/dialect.ts'
import type { AuditTable, Db } from './schema.ts'

/** Who did what to which object, and from where. Users and tokens are stored by name, because an entry outlives them. */
export interface AuditEntry {
  /** ms since 1970. */
  readonly at: number
  /** Null when unknown: a failed sign-in. */
  readonly userId: number | null
  readonly who: string | null
  /** The kind of credential: `token`, `session`, `link`, `socket`; null without one. */
  readonly byKind: string | null
  readonly byName: string | null
  /** The operationId. */
  readonly operation: string
  /** The path of the object. */
  readonly object: string
  /** HTTP status: refused requests are recorded too. */
  readonly status: number
  readonly address: string | null
  readonly requestId: string
}

export async function insertAudit(tx: Db, entries: readonly AuditEntry[]): Promise<void> {
  await dialectOf(tx).insertRows(
    tx,
    'audit',
    ['at', 'user_id', 'who', 'by_kind', 'by_name', 'operation', 'object', 'status', 'address', 'request_id'],
    entries.map((one) => [
      one.at,
      one.userId,
      one.who,
      one.byKind,
      one.byName,
      one.operation,
      one.object,
      one.status,
      one.address,
      one.requestId,
    ]),
    [],
  )
}

/** The newest first. @param page.before an id; absent for the first page */
export async function listAudit(
  db: Db,
  filter: { userId?: number | undefined; operation?: string | undefined },
  page: { before: number; limit: number },
): Promise<(AuditEntry & { id: number })[]> {
  let query = db.selectFrom('audit').selectAll().where('id', '<', page.before)
  if (filter.userId !== undefined) query = query.where('user_id', '=', filter.userId)
  if (filter.operation !== undefined) query = query.where('operation', '=', filter.operation)
  const rows = await query.orderBy('id', 'desc').limit(page.limit).execute()
  return rows.map(toEntry)
}

/** Deletes entries older than an instant. @returns how many, at most `limit` */
export async function trimAuditLog(tx: Db, before: number, limit: number): Promise<number> {
  const rows = await tx.selectFrom('audit').select('id').where('at', '<', before).orderBy('at').limit(limit).execute()
  const ids = rows.map(({ id }) => id)
  if (ids.length > 0)
    await tx
      .deleteFrom('audit')
      .where((eb) => dialectOf(tx).among(eb.ref('id'), ids))
      .execute()
  return ids.length
}

function toEntry(row: Selectable<AuditTable>): AuditEntry & { id: number } {
  return {
    id: row.id,
    at: row.at,
    userId: row.user_id,
    who: row.who,
    byKind: row.by_kind,
    byName: row.by_name,
    operation: row.operation,
    object: row.object,
    status: row.status,
    address: row.address,
    requestId: row.request_id,
  }
}
