import type { Migration } from 'kysely/migration'
import type { Dialect } from '#store/dialects/dialect.ts'

/** The numbered list of changes, and the counter that numbers it. */
export function changes(dialect: Dialect): Migration {
  const { integer, text, tableEnd } = dialect.columnSyntax()
  return {
    async up(db) {
      // A table of its own, not a column of users: its row is locked by every transaction that changes something.
      await db.schema
        .createTable('counters')
        .ifNotExists()
        .addColumn('user_id', integer, (c) => c.primaryKey())
        .addColumn('changes', integer, (c) => c.notNull())
        .modifyEnd(tableEnd(false))
        .execute()
      await db.schema
        .createTable('changes')
        .ifNotExists()
        .addColumn('user_id', integer, (c) => c.notNull())
        .addColumn('number', integer, (c) => c.notNull())
        .addColumn('task_id', integer)
        .addColumn('kind', text(20), (c) => c.notNull())
        .addColumn('changed_at', integer, (c) => c.notNull())
        .addPrimaryKeyConstraint('changes_number', ['user_id', 'number'])
        .modifyEnd(tableEnd(true))
        .execute()
    },
  }
}
