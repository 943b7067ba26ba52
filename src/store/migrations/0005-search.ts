import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { Dialect } from '#store/dialects/dialect.ts'
import type { Schema } from '#store/schema.ts'
import { toEntry } from '#store/search.ts'
import { repeatable } from './repeatable.ts'

const batchSize = 500

/** The index of words, of tasks that are there as well, and one of the tasks that have tags. */
export function search(dialect: Dialect, { log }: { log: { info(text: string): void } }): Migration {
  const { createIndex } = repeatable(dialect)
  return {
    async up(untyped) {
      const db = untyped as Kysely<Schema>
      // Only where it can leave out those without any: then a million of them cost what asks for tags nothing.
      if (dialect.columnSyntax().partialIndexes)
        await createIndex(
          db.schema
            .createIndex('tasks_tagged')
            .on('tasks')
            .columns(['user_id', 'id'])
            .where(sql`tags`, '<>', sql.lit('[]')),
        )
      await dialect.search.create(db)
      let count = 0
      for (let after = 0; ; ) {
        const rows = await db
          .selectFrom('tasks')
          .select(['id', 'title', 'description'])
          .where('id', '>', after)
          .orderBy('id')
          .limit(batchSize)
          .execute()
        if (rows.length === 0) break
        // Not new: a migration that was killed may have been here before.
        await dialect.search.write(
          db,
          rows.map((row) => toEntry(row, false)),
        )
        after = rows.at(-1)?.id ?? after
        count += rows.length
        if (count % 100_000 === 0) log.info(`the words of ${count} tasks are in the index of the search`)
      }
    },
  }
}
