import type { Columns } from './column.ts'

/**
 * One definition for each table. The row types, the statements that pass many rows in one parameter, the list of columns, and the DDL
 * of all databases follow from it. It only grows: see `since` in column.ts.
 */
export interface Table<C extends Columns = Columns> {
  readonly columns: C
  readonly keys: Keys<keyof C & string>
}

export type Tables = Readonly<Record<string, Table>>

export interface Keys<Name extends string = string> {
  /** For a table without an `id`. Rows are stored by it, unless it is one integer. */
  readonly primaryKey?: Name | Readonly<Record<string, readonly Name[]>>
  /** Unique constraints, by name. */
  readonly unique?: Readonly<Record<string, readonly Name[]>>
  readonly indexes?: Readonly<Record<string, readonly Name[] | Index<Name>>>
  /** The schema version that added the table; 1 when absent. */
  readonly since?: number
}

export interface Index<Name extends string = string> {
  readonly columns: readonly Name[]
  readonly unique?: true
  /** Leaves out rows where this column is null, on databases with partial indexes: what is done then costs the index nothing. */
  readonly notNull?: Name
  /** Only on databases with partial indexes, and with this condition. */
  readonly where?: string
  /** The schema version that added it; 1 when absent. */
  readonly since?: number
}

export function table<const C extends Columns>(columns: C, keys: Keys<keyof C & string> = {}): Table<C> {
  return { columns, keys }
}

export const indexesOf = ({ keys }: Table): [string, Index][] =>
  Object.entries(keys.indexes ?? {}).map(([name, index]) => [name, 'columns' in index ? index : { columns: index }])

/** The schema version of a definition: the highest `since` in it. */
export function schemaVersion(tables: Tables): number {
  return Math.max(1, ...Object.values(tables).flatMap(versionsOf))
}

const versionsOf = (one: Table) => [
  one.keys.since ?? 1,
  ...Object.values(one.columns).map(({ addedIn }) => addedIn),
  ...indexesOf(one).map(([, { since = 1 }]) => since),
]
