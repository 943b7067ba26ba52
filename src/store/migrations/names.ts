/** As recorded in the database, in `kysely_migration`: one for each schema version. A released name stays. */
export const migrationName = (version: number) => `schema-${String(version).padStart(4, '0')}`

export const firstMigration = migrationName(1)

/** The first of the ten migrations from before the first release. Its tables lack columns, and no upgrade adds them. */
export const unreleasedMigration = '0001-foundation'
