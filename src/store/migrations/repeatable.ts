import { type AlterTableColumnAlteringBuilder, type CreateIndexBuilder, sql } from 'kysely'
import type { Dialect } from '#store/dialects/dialect.ts'

/**
 * Steps of a migration that may be there already: not all databases take a migration back that was killed on its way. Tables
 * have `ifNotExists` for that.
 */
export function repeatable(dialect: Dialect) {
  const { partialIndexes } = dialect.columnSyntax()

  async function unlessThere(step: { execute(): Promise<void> }) {
    try {
      await step.execute()
    } catch (error) {
      if (dialect.classify(error) !== 'exists') throw error
    }
  }

  return {
    /** @param only where it may, the index leaves out rows without this, so that what is done costs it nothing */
    createIndex: <C extends string>(index: CreateIndexBuilder<C>, only?: C) =>
      unlessThere(partialIndexes && only ? index.where(sql.ref(only), 'is not', null) : index),
    /** One column a step: of several, some may be there. */
    addColumn: (altered: AlterTableColumnAlteringBuilder) => unlessThere(altered),
  }
}
