import { readFileSync } from 'node:fs'
import { type Kysely, sql } from 'kysely'
import type { Store } from '#store/engine/open.ts'

/** What FTS5 keeps its index in; what that says is in `search_words`. */
const inner = /^search_(data|idx|content|docsize|config)$/

/** All that a database holds, the rows of each table as text. */
export async function dumpDatabase({ db }: Pick<Store, 'db'>): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const { name } of await db.introspection.getTables({ withInternalKyselyTables: true })) {
    if (inner.test(name)) continue
    const rows = await (db as unknown as Kysely<Record<string, object>>).selectFrom(name).selectAll().execute()
    found.set(
      name,
      JSON.stringify(rows, (_, value) => (isBytes(value) ? Buffer.from(value).toString('latin1') : value)),
    )
  }
  return found
}

const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array

/** The names of the tables in which a text stands anywhere; of an embedded database also `file`, where its files hold it. */
export async function placesOf(store: Pick<Store, 'db' | 'dialect'>, text: string): Promise<string[]> {
  const places = [...(await dumpDatabase(store))].filter(([, rows]) => rows.includes(text)).map(([name]) => name)
  if (store.dialect.name !== 'sqlite') return places
  const { rows } = await sql<{ file: string }>`pragma database_list`.execute(store.db)
  const files = rows.flatMap(({ file }) => [file, `${file}-wal`])
  return files.some((file) => readFileSync(file).includes(text)) ? [...places, 'file'] : places
}
