import { readFileSync } from 'node:fs'
import { type Kysely, sql } from 'kysely'
import type { Store } from '#store/engine/open.ts'

/** The storage of FTS5; `search_words` has its content. */
const inner = /^search_(data|idx|content|docsize|config)$/

/** The content of a database, with the rows of each table as text. */
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

/** The names of the tables that contain a text; of an embedded database also `file`, if its files contain it. */
export async function placesOf(store: Pick<Store, 'db' | 'dialect'>, text: string): Promise<string[]> {
  const places = [...(await dumpDatabase(store))].filter(([, rows]) => rows.includes(text)).map(([name]) => name)
  if (store.dialect.name !== 'sqlite') return places
  const { rows } = await sql<{ file: string }>`pragma database_list`.execute(store.db)
  const files = rows.flatMap(({ file }) => [file, `${file}-wal`])
  return files.some((file) => readFileSync(file).includes(text)) ? [...places, 'file'] : places
}
