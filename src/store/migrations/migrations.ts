import type { Migration } from 'kysely/migration'
import type { Dialect } from '#store/dialects/dialect.ts'
import { type Db, tables } from '#store/schema.ts'
import { schemaVersion, type Tables } from '#store/tables/table.ts'
import { migrationName } from './names.ts'

export interface MigrationDeps {
  readonly clock: { now(): number }
  readonly log: { info(text: string): void }
  /** The zone of the local times in the original's table. */
  readonly timeZone: string
}

/** Changes rows. It may run twice: a start may be killed at any statement. */
type DataMigration = (db: Db, dialect: Dialect, deps: MigrationDeps) => Promise<void>

/** The tables of a database, and its migrations of data by the schema version that needs them. */
export interface SchemaDefinition {
  readonly tables: Tables
  readonly data: Readonly<Record<number, () => Promise<readonly DataMigration[]>>>
}

/** Most starts have nothing to do, so what does it is loaded only then. */
export const currentSchema: SchemaDefinition = {
  tables,
  data: {
    1: async () => [
      (await import('./original.ts')).importOriginal,
      (await import('./search-index.ts')).createSearchIndex,
    ],
  },
}

/**
 * One migration for each schema version. The first of them to run creates all that is missing, also what later versions add; so a
 * migration of data finds the tables of this version, which its types are of.
 *
 *   new database   schema-0001: all tables, then data of 1     schema-0002: data of 2     …
 *   upgrade        (done)                                      schema-0002: all that 2, 3, … added, then data of 2     …
 */
export function migrationsOf(
  { tables, data }: SchemaDefinition,
  dialect: Dialect,
  deps: MigrationDeps,
): Record<string, Migration> {
  const latest = Math.max(schemaVersion(tables), ...Object.keys(data).map(Number))
  const versions = Array.from({ length: latest }, (_, i) => i + 1)
  let isComplete = false
  return Object.fromEntries(
    versions.map((version): [string, Migration] => [
      migrationName(version),
      {
        async up(db: Db) {
          if (!isComplete) {
            const { addToSchema } = await import('./ddl.ts')
            await addToSchema(db, dialect, tables, version)
            isComplete = true
          }
          for (const migrate of (await data[version]?.()) ?? []) await migrate(db, dialect, deps)
        },
      },
    ]),
  )
}
