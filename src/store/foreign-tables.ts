import { sql } from 'kysely'
import { Problem } from '#core/problem.ts'
import { columnTypes } from './column-types.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Db } from './schema.ts'

/** The tables of the search index are known to the dialects only. */
const ourTables = new Set([...Object.keys(columnTypes), 'search', 'search_words'])

/** The names of the tables in the database. PostgreSQL lists those of all schemas. */
export async function tableNames(db: Db): Promise<Set<string>> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  const ours = dialectOf(db).name === 'postgres' ? await currentSchema(db) : undefined
  return new Set(tables.filter(({ schema }) => ours === undefined || schema === ours).map(({ name }) => name))
}

async function currentSchema(db: Db): Promise<string | undefined> {
  return (await sql<{ name: string }>`select current_schema() as name`.execute(db)).rows[0]?.name
}

/**
 * A database may be shared: tables with other names are left alone. A table with a name of ours from before the first migration belongs
 * to another program: migrations would add columns and indexes to it.
 * @param found the tables, before the first migration
 * @throws Problem `unavailable`
 */
export async function refuseForeignTables(db: Db, found: ReadonlySet<string>, where: string): Promise<void> {
  const foreign = (tables: ReadonlySet<string>) =>
    tables.has('kysely_migration') ? [] : [...tables].filter((name) => ourTables.has(name)).sort()
  if (foreign(found).length === 0) return
  // MariaDB lists tables one by one while another replica may create them. A second list shows the first of its tables at the latest.
  const names = foreign(await tableNames(db))
  if (names.length === 0) return
  const [tables, they] = names.length === 1 ? ['table', 'it is'] : ['tables', 'they are']
  throw new Problem(
    'unavailable',
    `${where} has the ${tables} ${names.join(', ')}, and ${they} not Duebell's. Nothing was changed. Name another database in --database-url.`,
  )
}
