import { sql } from 'kysely'
import { Problem } from '#core/problem.ts'
import { dialectOf } from './dialects/dialect.ts'
import { type Db, tables } from './schema.ts'

/** The tables of the search index are known to the dialects only. */
const ourTables = new Set([...Object.keys(tables), 'search', 'search_words'])

/** The names of the tables in the database. */
export async function tableNames(db: Db): Promise<Set<string>> {
  return new Set((await tablesIn(db)).map(({ name }) => name))
}

/** The names of the columns of each table in the database. */
export async function columnNames(db: Db): Promise<Map<string, Set<string>>> {
  return new Map((await tablesIn(db)).map((table) => [table.name, new Set(table.columns.map(({ name }) => name))]))
}

/** PostgreSQL lists the tables of all schemas. */
async function tablesIn(db: Db) {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (dialectOf(db).name !== 'postgres') return tables
  const { rows } = await sql<{ name: string }>`select current_schema() as name`.execute(db)
  return tables.filter(({ schema }) => schema === rows[0]?.name)
}

/**
 * A database may be shared: tables with other names are left alone. A table with a name of ours from before the first migration belongs
 * to another program: migrations would add columns and indexes to it.
 * @throws Problem `unavailable`
 */
export async function refuseForeignTables(db: Db, where: string): Promise<void> {
  const foreign = async () => {
    const found = await tableNames(db)
    return found.has('kysely_migration') ? [] : [...found].filter((name) => ourTables.has(name)).sort()
  }
  if ((await foreign()).length === 0) return
  // MariaDB lists tables one by one while another replica may create them. A second list shows the first of its tables at the latest.
  const names = await foreign()
  if (names.length === 0) return
  const [tables, they] = names.length === 1 ? ['table', 'it is'] : ['tables', 'they are']
  throw new Problem(
    'unavailable',
    `${where} has the ${tables} ${names.join(', ')}, and ${they} not Duebell's. Nothing was changed. Name another database in --database-url.`,
  )
}
