import type { Expression, RawBuilder, SqlBool } from 'kysely'
import type { Db, Schema } from '../schema.ts'

/**
 * All that may differ between databases. Everything else in the store is one statement that all of them understand. A new
 * difference becomes a member here, never an `if` elsewhere.
 */
export interface Dialect {
  readonly name: DialectName
  /** A write transaction's first statement. */
  readonly begin: string
  readonly words: ColumnWords
  /**
   * Many rows in one statement, whatever is there already left alone; answers the `returning` columns of those inserted.
   * @param rows values in the order of `columns`
   */
  insertRows<T extends keyof Schema, R extends keyof Schema[T] & string>(
    tx: Db,
    table: T,
    columns: readonly (keyof Schema[T] & string)[],
    rows: readonly (readonly unknown[])[],
    returning: readonly R[],
  ): Promise<Record<R, number>[]>
  /**
   * Changes many rows in one statement, each found by its values in the `keys` columns: compare and set.
   * @param rows the values of `keys`, then of `sets`
   * @returns how many rows were found
   */
  updateRows<T extends keyof Schema>(
    tx: Db,
    table: T,
    keys: readonly (keyof Schema[T] & string)[],
    sets: readonly (keyof Schema[T] & string)[],
    rows: readonly (readonly unknown[])[],
  ): Promise<number>
  /** `column in (…)` for a list of any length as one parameter. */
  among(column: Expression<unknown>, values: readonly (number | string)[]): Expression<SqlBool>
  classify(error: unknown): ErrorClass
}

export type DialectName = 'sqlite'

/**
 * `duplicate`: a unique key is taken · `busy`: somebody else holds it, try again · `gone`: the database cannot be reached ·
 * `full`: no room to write, reads still work · `broken`: the storage failed and nothing can be trusted before a restart
 */
export type ErrorClass = 'duplicate' | 'busy' | 'gone' | 'full' | 'broken' | 'other'

/** The words a migration uses for columns. */
export interface ColumnWords {
  readonly id: RawBuilder<unknown>
  readonly integer: RawBuilder<unknown>
  readonly text: (characters: number) => RawBuilder<unknown>
  readonly longText: RawBuilder<unknown>
  /** What stands behind a table's columns. `keyedByText`: its primary key is text, and rows are looked up by it. */
  readonly tableEnd: (keyedByText: boolean) => RawBuilder<unknown>
  /** Whether an index may leave out rows (`create index … where`). */
  readonly partialIndexes: boolean
}

const dialects = new WeakMap<object, Dialect>()

/** To be called where the adapter of a database is made. */
export function speaks<A extends object>(adapter: A, dialect: Dialect): A {
  dialects.set(adapter, dialect)
  return adapter
}

export function dialectOf(db: Db): Dialect {
  const dialect = dialects.get(db.getExecutor().adapter)
  if (!dialect) throw new Error('a database that was not opened by store/open.ts')
  return dialect
}
