import type { Migration } from 'kysely/migration'
import type { Dialect } from '#store/dialects/dialect.ts'
import { repeatable } from './repeatable.ts'

/**
 * Deliveries are given up by time, and a rate limit holds a channel. Both columns are null in existing rows, so no database rewrites its
 * tables. A delivery that was attempted before has its time estimated at its next attempt, from the number of its attempts.
 */
export function retryByTime(dialect: Dialect): Migration {
  const { integer } = dialect.columnSyntax()
  const { addColumn } = repeatable(dialect)
  return {
    async up(db) {
      await addColumn(db.schema.alterTable('deliveries').addColumn('trying_since_at', integer))
      await addColumn(db.schema.alterTable('channels').addColumn('held_until_at', integer))
    },
  }
}
