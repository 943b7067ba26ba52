import { Kysely, type Dialect as KyselyDialect } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { type Dialect, dialectOf } from './dialects/dialect.ts'
import { openSqlite } from './dialects/sqlite.ts'
import { foundation } from './migrations/0001-foundation.ts'
import type { Db, Schema } from './schema.ts'
import { createTransact, type Transact } from './transact.ts'

export interface Store extends AsyncDisposable {
  /** For reading. What changes something goes through `transact`. */
  readonly db: Db
  readonly dialect: Dialect
  readonly transact: Transact
}

/** In the order in which they are applied; a name, once released, stays. */
const migrations = { '0001-foundation': foundation }

/**
 * @param url `sqlite:<path>` or `sqlite::memory:`
 * @param onBroken called when the storage failed in a way that only a restart can mend
 * @throws Problem `unavailable` with a sentence for a person
 */
export async function openStore(
  url: string,
  deps: {
    clock: Clock
    onBroken: (error: unknown) => void
    /** Stands between the statements and the database; the identity when absent. */
    wrap?: (dialect: KyselyDialect) => KyselyDialect
  },
): Promise<Store> {
  const dialect = openDialect(url)
  const db = new Kysely<Schema>({ dialect: deps.wrap?.(dialect) ?? dialect })
  try {
    await migrate(db)
  } catch (error) {
    await db.destroy()
    throw error
  }
  return {
    db,
    dialect: dialectOf(db),
    transact: createTransact(db, deps.clock, deps.onBroken),
    [Symbol.asyncDispose]: () => db.destroy(),
  }
}

function openDialect(url: string): KyselyDialect {
  const [, scheme, rest] = /^([a-z]+):(.+)$/.exec(url) ?? []
  if (scheme === 'sqlite' && rest) return openSqlite(rest)
  throw new Problem('unavailable', `There is no database to speak ${scheme ?? url}: expected sqlite:<path>.`)
}

async function migrate(db: Db): Promise<void> {
  const { words } = dialectOf(db)
  const all = Object.fromEntries(
    Object.entries(migrations).map(([name, migration]): [string, Migration] => [name, migration(words)]),
  )
  const migrator = new Migrator({ db, provider: { getMigrations: async () => all } })
  const unknown = (await appliedMigrations(db)).filter((name) => !(name in all))
  if (unknown.length > 0)
    throw new Problem(
      'unavailable',
      `The database was used by a newer Duebell: it has ${unknown.join(', ')}, which this one does not know. Nothing was changed. Start the newer version.`,
    )
  const { error } = await migrator.migrateToLatest()
  if (error) throw error
}

async function appliedMigrations(db: Db): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(({ name }) => name === 'kysely_migration')) return []
  const rows = await (db as unknown as Kysely<{ kysely_migration: { name: string } }>)
    .selectFrom('kysely_migration')
    .select('name')
    .execute()
  return rows.map(({ name }) => name)
}
