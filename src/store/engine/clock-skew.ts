import { sql } from 'kysely'
import type { Clock } from '#clock.ts'
import { dialectOf } from '#store/dialects/dialect.ts'
import type { Db } from '#store/schema.ts'

/**
 * How far the database's clock is ahead of ours, in ms; 0 when that is less than the round trip took. Null for a database in this
 * process, which uses our clock.
 */
export async function readClockSkew(db: Db, clock: Pick<Clock, 'now'>): Promise<number | null> {
  const dialect = dialectOf(db)
  if (!dialect.isShared) return null
  const before = clock.now()
  const { rows } = await sql<{ theirs: number }>`select ${dialect.clock} as theirs`.execute(db)
  const after = clock.now()
  const theirs = Number(rows[0]?.theirs)
  return theirs < before ? theirs - before : theirs > after ? theirs - after : 0
}
