import type { Migration } from 'kysely/migration'
import type { Dialect } from '#store/dialects/dialect.ts'
import { repeatable } from './repeatable.ts'

/** The token that made a token, so that it is revoked with it. Null: made by a session, or on the server itself. */
export function tokenParents(dialect: Dialect): Migration {
  const { integer } = dialect.columnSyntax()
  const { addColumn, createIndex } = repeatable(dialect)
  return {
    async up(db) {
      await addColumn(db.schema.alterTable('tokens').addColumn('parent_id', integer))
      await createIndex(db.schema.createIndex('tokens_parent').on('tokens').column('parent_id'), 'parent_id')
    },
  }
}
