import {
  type AlterTableColumnAlteringBuilder,
  type ColumnDefinitionBuilder,
  type CreateTableBuilder,
  sql,
} from 'kysely'
import type { ColumnSyntax, Dialect } from '#store/dialects/dialect.ts'
import { columnNames } from '#store/foreign-tables.ts'
import type { Db } from '#store/schema.ts'
import { type Column, storageTypes } from '#store/tables/column.ts'
import { type Index, indexesOf, type Table, type Tables } from '#store/tables/table.ts'

/**
 * Creates what the schema versions from `from` on have added: tables, columns, indexes. 1 for all of a new database. Each statement is
 * skipped where its work is done already: MySQL commits each, so a start that was killed leaves some of it.
 */
export async function addToSchema(db: Db, dialect: Dialect, tables: Tables, from: number): Promise<void> {
  const syntax = dialect.columnSyntax()
  const all = Object.entries(tables)
  for (const [name, table] of all)
    if ((table.keys.since ?? 1) >= from) await createTable(db, syntax, name, table).execute()
  // After the tables: a new one has all of its columns.
  const added = all.flatMap(([table, { columns }]) =>
    Object.entries(columns).flatMap(([name, column]) =>
      column.addedIn >= Math.max(from, 2) ? [{ table, name, column }] : [],
    ),
  )
  const present = added.length > 0 ? await columnNames(db) : undefined
  for (const { table, name, column } of added)
    if (!present?.get(table)?.has(name)) await addColumn(db, syntax, table, name, column).execute()
  for (const [table, definition] of all)
    for (const [name, index] of indexesOf(definition))
      if (Math.max(index.since ?? 1, definition.keys.since ?? 1) >= from)
        await createIndex(db, dialect, syntax, table, name, index)
}

function createTable(db: Db, syntax: ColumnSyntax, name: string, { columns, keys }: Table) {
  const { primaryKey, unique = {} } = keys
  let query: CreateTableBuilder<string, string> = db.schema.createTable(name).ifNotExists()
  for (const [columnName, column] of Object.entries(columns))
    query = query.addColumn(columnName, typeOf(syntax, column), (c) =>
      primaryKey === columnName ? c.primaryKey() : constrain(c, column),
    )
  if (typeof primaryKey === 'object')
    for (const [constraint, key] of Object.entries(primaryKey))
      query = query.addPrimaryKeyConstraint(constraint, [...key])
  for (const [constraint, key] of Object.entries(unique)) query = query.addUniqueConstraint(constraint, [...key])
  return query.modifyEnd(syntax.tableEnd(isStoredByKey({ columns, keys })))
}

/** Whether rows are stored by a key that is not one integer. */
function isStoredByKey({ columns, keys: { primaryKey } }: Table): boolean {
  if (typeof primaryKey !== 'string') return primaryKey !== undefined
  return storageTypes[(columns[primaryKey] as Column).kind] !== 'integer'
}

function typeOf(syntax: ColumnSyntax, { kind, maxLength }: Column) {
  if (kind === 'id') return syntax.id
  if (storageTypes[kind] === 'integer') return syntax.integer
  return maxLength === undefined ? syntax.longText : syntax.text(maxLength)
}

function constrain(builder: ColumnDefinitionBuilder, { kind, isNullable, defaultValue }: Column) {
  const built = isNullable || kind === 'id' ? builder : builder.notNull()
  return defaultValue === undefined ? built : built.defaultTo(defaultValue)
}

function addColumn(
  db: Db,
  syntax: ColumnSyntax,
  table: string,
  name: string,
  column: Column,
): AlterTableColumnAlteringBuilder {
  return db.schema.alterTable(table).addColumn(name, typeOf(syntax, column), (c) => constrain(c, column))
}

async function createIndex(db: Db, dialect: Dialect, syntax: ColumnSyntax, table: string, name: string, index: Index) {
  const { columns, unique, notNull, where } = index
  if (where !== undefined && !syntax.partialIndexes) return
  let query = db.schema
    .createIndex(name)
    .on(table)
    .columns([...columns])
  if (syntax.indexIfNotExists) query = query.ifNotExists()
  if (unique) query = query.unique()
  if (where !== undefined) query = query.where(sql.raw<boolean>(where))
  if (notNull !== undefined && syntax.partialIndexes) query = query.where(sql.ref(notNull), 'is not', null)
  try {
    await query.execute()
  } catch (error) {
    if (dialect.classify(error) !== 'exists') throw error
  }
}
