import type { Dialect } from '#store/dialects/dialect.ts'
import type { Db } from '#store/schema.ts'
import { toEntry } from '#store/search.ts'

const batchSize = 500

/** Creates the search index, with the words of the tasks that are there already: those of the original service. */
export async function createSearchIndex(
  db: Db,
  dialect: Dialect,
  { log }: { log: { info(text: string): void } },
): Promise<void> {
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
    // Not new: a migration that was killed may have written them before.
    await dialect.search.write(
      db,
      rows.map((row) => toEntry(row, false)),
    )
    after = rows.at(-1)?.id ?? after
    count += rows.length
    if (count % 100_000 === 0) log.info(`the words of ${count} tasks are in the index of the search`)
  }
}
