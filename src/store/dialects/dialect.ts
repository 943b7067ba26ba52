import type { Expression, Kysely, Dialect as KyselyDialect, QueryResult, RawBuilder, SqlBool } from 'kysely'
import type { Db, Schema } from '#store/schema.ts'

/**
 * All that may differ between databases. Everything else in the store is one statement that all of them understand. A new
 * difference becomes a member here, never an `if` elsewhere.
 */
export interface Dialect {
  readonly name: DialectName
  /** A write transaction's first statement. */
  readonly begin: string
  /**
   * Whether other processes may work on the same database. Then a row that is read to be changed is locked (`for update`),
   * what others have locked is passed over where it is only one of many (`skip locked`), and claims end by their lease alone.
   */
  readonly isShared: boolean
  /** Behind a select: the rows stay as they are until the transaction ends, while others may read them as well. Alone, nothing is needed. */
  readonly lockShared?: RawBuilder<unknown>
  /**
   * A queue before the locks of a user's row, where the database gives a shared one to whoever comes, past who waits to have the row
   * alone: by six clients who create without a pause he would wait for ever. `shared` is a condition of the select that locks, and
   * waits for who was there before; `alone` goes before one that locks the row to change it. Both until the transaction ends.
   */
  readonly userLockQueue?: {
    shared(userId: number): Expression<SqlBool>
    alone(tx: Db, userId: number): Promise<void>
  }
  /**
   * How many rows have been changed over this connection so far, where to ask costs next to nothing: by it `transact` knows that a wish
   * which is refused has left no trace.
   */
  readonly rowsChanged?: (tx: Db) => Promise<number>
  /** How many write transactions one process runs side by side. */
  readonly maxTransactions: number
  /**
   * Runs a statement now, where the database is in this process: no queue for the one connection, and none of the promises that
   * a network needs. Answers undefined when it cannot: a transaction is open, and the statement is not of it.
   */
  readonly runSync?: (
    text: string,
    parameters: readonly unknown[],
    isOfTransaction: boolean,
  ) => QueryResult<unknown> | undefined
  /**
   * Many rows in one statement, whatever is there already left alone; answers the `returning` columns of those inserted. The
   * second of them must be unique among the rows.
   * @param rows values in the order of `columns`
   */
  insertRows<T extends keyof Schema, R extends keyof Schema[T] & string>(
    tx: Db,
    table: T,
    columns: readonly (keyof Schema[T] & string)[],
    rows: readonly (readonly unknown[])[],
    returning: readonly [R, R] | readonly [],
  ): Promise<Record<R, number>[]>
  /**
   * Changes many rows in one statement, each found by its values in the `keys` columns: compare and set.
   * @param rows the values of `keys`, then of `sets`
   * @param fixed what is set to the same in all of them: a third less to hand over where most is
   * @returns how many rows were found
   */
  updateRows<T extends keyof Schema>(
    tx: Db,
    table: T,
    keys: readonly (keyof Schema[T] & string)[],
    sets: readonly (keyof Schema[T] & string)[],
    rows: readonly (readonly unknown[])[],
    fixed?: Partial<Record<keyof Schema[T] & string, unknown>>,
  ): Promise<number>
  /** `column in (…)` for a list of any length as one parameter. */
  among(column: Expression<unknown>, values: readonly (number | string)[]): Expression<SqlBool>
  /** Adds to the counter of a user's changes, which stays locked until the transaction ends. @returns its new value */
  addToCounter(tx: Db, userId: number, count: number): Promise<number>
  readonly search: SearchIndex
  /** The database's own time in ms since 1970: only to tell how far apart its clock and ours are. */
  readonly clock: RawBuilder<number>
  /**
   * Looks at version and settings at a start.
   * @returns a sentence for each setting with which answered writes may be lost
   * @throws Problem `unavailable` for a version we do not speak
   */
  inspect(db: Db): Promise<string[]>
  /** The words a migration uses; to be asked after `inspect`. */
  columnSyntax(): ColumnSyntax
  classify(error: unknown): ErrorClass
  /** What a person can do about an error of the classes `refused`, `full`, `readonly`, `failed`, `broken` or `damaged`: sentences. */
  remedy(error: unknown): string
  /** Of an embedded database that is a file. */
  readonly file?: DatabaseFile
}

export interface DatabaseFile {
  /** Why the open file is not what is at its path, as a sentence with the way out, or null. */
  fault(): string | null
  /** How many rows this process has changed. */
  changes(): number
  /**
   * Copies the log into the file, so that a copy of the file alone has everything. Synchronous: 30 ms for the 8 MB that a log usually
   * has at most. The log is not cut: a commit that makes it grow takes 0.5 ms, one that overwrites it 0.3.
   * @returns false when a transaction is open
   */
  checkpoint(): boolean
}

export type DialectName = 'sqlite' | 'postgres' | 'mysql'

/**
 * `duplicate`: a unique key is taken · `busy`: somebody else holds it, try again · `gone`: the database cannot be reached ·
 * `full`: no room to write, reads still work · `readonly`: the same, because writing is forbidden · `failed`: the storage of a
 * database server failed · `broken`: ours failed, and nothing can be trusted before a restart · `damaged`: a page or row cannot be
 * read, others can · `exists`: a table, column or index is there already · `refused`: wrong password, missing database or privilege, encryption that one side
 * does not have
 */
export type ErrorClass =
  | 'duplicate'
  | 'busy'
  | 'gone'
  | 'full'
  | 'readonly'
  | 'failed'
  | 'broken'
  | 'damaged'
  | 'exists'
  | 'refused'
  | 'other'

export interface ColumnSyntax {
  readonly id: RawBuilder<unknown>
  readonly integer: RawBuilder<unknown>
  readonly text: (characters: number) => RawBuilder<unknown>
  readonly longText: RawBuilder<unknown>
  /** What stands behind a table's columns. `hasOwnKey`: rows lie under their primary key, which is no id of one number. */
  readonly tableEnd: (hasOwnKey: boolean) => RawBuilder<unknown>
  /** Whether an index may leave out rows (`create index … where`). */
  readonly partialIndexes: boolean
}

const dialects = new WeakMap<object, Dialect>()

/** The same Kysely dialect, whose databases know which of ours they speak. */
export function withDialect(kysely: KyselyDialect, dialect: Dialect): KyselyDialect {
  return {
    createAdapter() {
      const adapter = kysely.createAdapter()
      dialects.set(adapter, dialect)
      return adapter
    },
    createDriver: () => kysely.createDriver(),
    createIntrospector: (db) => kysely.createIntrospector(db),
    createQueryCompiler: () => kysely.createQueryCompiler(),
  }
}

export function dialectOf(db: Db): Dialect {
  const dialect = dialects.get(db.getExecutor().adapter)
  if (!dialect) throw new Error('a database that was not opened by store/engine/open.ts')
  return dialect
}

/**
 * An index from words to the tasks that have them, in what each database does best. It narrows a search down and no more: it may name
 * a task too many, which was deleted or is another user's, and must name none too few. What is found is looked at (store/task-list.ts),
 * so that the same words find the same on all three.
 */
export interface SearchIndex {
  /** Makes it, where it is not there yet. */
  // biome-ignore lint/suspicious/noExplicitAny: as migrations have it
  create(db: Kysely<any>): Promise<void>
  /** Takes the place of what was there of these tasks; each of them once. */
  write(tx: Db, entries: readonly IndexEntry[]): Promise<void>
  remove(tx: Db, ids: readonly number[]): Promise<void>
  /**
   * The ids of tasks that have a word beginning so, for each of `words` or for the rarest of them; undefined when those are more than
   * `max`. What it costs is bounded by `max`, however many tasks there are.
   */
  find(db: Db, words: readonly string[], max: number): Promise<number[] | undefined>
}

export interface IndexEntry {
  readonly id: number
  readonly words: readonly string[]
  /** Nothing is there of it. */
  readonly isNew: boolean
}
