import type { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { Problem } from '#core/problem.ts'
import type { Dialect } from '#store/dialects/dialect.ts'
import { refuseForeignTables, tableNames } from '#store/foreign-tables.ts'
import { currentSchema, type MigrationDeps, migrationsOf, type SchemaDefinition } from '#store/migrations/migrations.ts'
import { firstMigration, unreleasedMigration } from '#store/migrations/names.ts'
import type { Db } from '#store/schema.ts'

/**
 * Creates the tables of a new database, and upgrades those of an earlier version. Several replicas may do so at once: one does, the
 * others wait for it.
 * @param where the database, in words, for errors
 * @returns whether it was new
 * @throws Problem `unavailable` for a database of a newer version, of a version from before the first release, or of another program
 */
export async function migrate(
  db: Db,
  dialect: Dialect,
  deps: MigrationDeps & { where: string },
  schema: SchemaDefinition = currentSchema,
): Promise<boolean> {
  const { where } = deps
  const migrations = migrationsOf(schema, dialect, deps)
  const applied = await appliedMigrations(db)
  if (applied?.includes(unreleasedMigration))
    throw new Problem(
      'unavailable',
      `${where} was created before the first release of Duebell, and cannot be upgraded. Nothing was changed. Name an empty database in --database-url; tasks can be exported with the version that created this one.`,
    )
  const unknown = (applied ?? []).filter((name) => !(name in migrations))
  if (unknown.length > 0)
    throw new Problem(
      'unavailable',
      `The database was used by a newer Duebell: it has ${unknown.join(', ')}, which this version does not know. Nothing was changed. Start the newer version.`,
    )
  // Most starts: without it, Kysely would list all tables twice and take its lock.
  if (applied?.length === Object.keys(migrations).length) return false
  if (!applied) await refuseForeignTables(db, where)
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error) throw error
  const done = results.filter(({ status }) => status === 'Success')
  if (done.length > 0) dialect.file?.checkpoint()
  return done.some(({ migrationName }) => migrationName === firstMigration)
}

/** Undefined when the table of migrations does not exist. */
async function appliedMigrations(db: Db): Promise<string[] | undefined> {
  const query = (db as unknown as Kysely<{ kysely_migration: { name: string } }>)
    .selectFrom('kysely_migration')
    .select('name')
  const read = async () => (await query.execute()).map(({ name }) => name)
  try {
    return await read()
  } catch {
    // Asked only now: listing the tables takes 0.4 ms on SQLite, and 6 to 28 on a server.
    if (!(await tableNames(db)).has('kysely_migration')) return undefined
    // Another replica may have created it since. Any other error occurs again.
    return read()
  }
}
