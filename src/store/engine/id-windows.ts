import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Expression, type SqlBool, sql } from 'kysely'
import type { Db } from '#store/schema.ts'

/**
 * Scans very many rows in the order of their ids, one window at a time. A filter that finds a few among a million takes half a
 * second, and with SQLite nothing else would run meanwhile.
 *
 *   ids  ├──────── window ────────┤├──────── window ────────┤├── …
 *         scan · yield             scan · yield
 */
type ScannedTable = 'tasks' | 'notifications'

/** The rows of a window: 2 ms of scanning on SQLite. */
const windowRows = 5_000

/**
 * The ids up to `last` of a user's rows that match `where`, in order, in lists of `max` and a shorter one at the end. Rows may change
 * meanwhile: callers check again under a lock.
 */
export async function* idsInOrder(
  db: Db,
  table: ScannedTable,
  userId: number,
  { where, last, max }: { where: Expression<SqlBool>; last: number; max: number },
): AsyncGenerator<number[]> {
  let found: number[] = []
  for (let after = 0; after < last; ) {
    const end = Math.min(last, (await windowEnd(db, table, userId, after, 'up')) ?? last)
    const { rows } = await sql<{ id: number }>`
      select id from ${sql.table(table)}
      where user_id = ${userId} and id > ${after} and id <= ${end} and ${where} order by id`.execute(db)
    for (const { id } of rows) found.push(id)
    for (; found.length >= max; found = found.slice(max)) yield found.slice(0, max)
    after = end
    await nextTurn()
  }
  if (found.length > 0) yield found
}

/** The last id of a window that begins behind an id, or undefined when fewer rows are left. */
export async function windowEnd(
  db: Db,
  table: ScannedTable,
  userId: number,
  start: number,
  direction: 'up' | 'down',
): Promise<number | undefined> {
  const [compare, order] = direction === 'up' ? ([sql`>`, sql`asc`] as const) : ([sql`<`, sql`desc`] as const)
  const { rows } = await sql<{ id: number }>`
    select id from ${sql.table(table)} where user_id = ${userId} and id ${compare} ${start}
    order by id ${order} limit 1 offset ${windowRows - 1}`.execute(db)
  return rows[0]?.id
}

/** The largest id of a user's rows, or 0. */
export async function lastId(db: Db, table: ScannedTable, userId: number): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    select id from ${sql.table(table)} where user_id = ${userId} order by id desc limit 1`.execute(db)
  return rows[0]?.id ?? 0
}
