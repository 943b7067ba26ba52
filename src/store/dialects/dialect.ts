import type { Expression, Kysely, Dialect as KyselyDialect, QueryResult, RawBuilder, SqlBool } from 'kysely'
import type { Db, Schema } from '#store/schema.ts'

/**
 * Everything that differs between databases. All other statements of the store run on all of them. A new difference becomes a member
 * here, never an `if` elsewhere.
 */
export interface Dialect {
  readonly name: DialectName
  /** The first statement of a write transaction. */
  readonly begin: string
  /**
   * Whether other processes may share the database. Then a row that is read for a change is locked (`for update`), locked rows are
   * skipped in a queue (`skip locked`), and claims end with their lease only.
   */
  readonly isShared: boolean
  /**
   * Appended to a select: locks the rows against changes until the transaction ends, while others may lock them in the same way. Absent
   * where nothing is needed.
   */
  readonly lockShared?: RawBuilder<unknown>
  /**
   * A queue for the locks of a user's row, where the database grants shared locks past a transaction that waits for an exclusive one:
   * with six clients that create without a pause it would wait for ever. `shared` is a condition of the select that locks, and waits
   * for earlier transactions. `alone` comes before an exclusive lock. Both last until the transaction ends.
   */
  readonly userLockQueue?: {
    shared(userId: number): Expression<SqlBool>
    alone(tx: Db, userId: number): Promise<void>
  }
  /**
   * How many rows this connection has changed so far, where that is nearly free to ask. It tells `transact` that refused work has left
   * no trace.
   */
  readonly rowsChanged?: (tx: Db) => Promise<number>
  /** How many write transactions a process runs at once. */
  readonly maxTransactions: number
  /**
   * Runs a statement synchronously, where the database is in this process: without the queue for the one connection, and without the
   * promises that a network needs. Undefined when it cannot: a transaction is open, and the statement does not belong to it.
   */
  readonly runSync?: (
    text: string,
    parameters: readonly unknown[],
    isOfTransaction: boolean,
  ) => QueryResult<unknown> | undefined
  /**
   * Inserts many rows in one statement and leaves existing rows alone. Returns the `returning` columns of the inserted rows. The second
   * of them must be unique among the rows.
   * @param rows values in the order of `columns`
   * @param onDuplicate `fail`: a row that exists is an error of the class `duplicate`
   */
  insertRows<T extends keyof Schema, R extends keyof Schema[T] & string>(
    tx: Db,
    table: T,
    columns: readonly (keyof Schema[T] & string)[],
    rows: readonly (readonly unknown[])[],
    returning: readonly [R, R] | readonly [],
    onDuplicate?: 'skip' | 'fail',
  ): Promise<Record<R, number>[]>
  /**
   * Updates many rows in one statement, each found by its values in the `keys` columns: compare and set.
   * @param rows the values of `keys`, then of `sets`
   * @param fixed columns with the same value in all rows: a third less to transfer where most are the same
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
  /** `column in (…)` with a list of any length as one parameter. */
  among(column: Expression<unknown>, values: readonly (number | string)[]): Expression<SqlBool>
  /** Adds to the change counter of a user, which stays locked until the transaction ends. @returns its new value */
  addToCounter(tx: Db, userId: number, count: number): Promise<number>
  readonly search: SearchIndex
  /** The database's own time in ms since 1970, to measure its difference to ours. */
  readonly clock: RawBuilder<number>
  /**
   * Checks version and settings at startup.
   * @returns a warning for each setting that may lose acknowledged writes
   * @throws Problem `unavailable` for an unsupported version
   */
  inspect(db: Db): Promise<string[]>
  /** The column types for migrations. Known after `inspect`. */
  columnSyntax(): ColumnSyntax
  classify(error: unknown): ErrorClass
  /** How an administrator can fix an error of the classes `refused`, `full`, `readonly`, `failed`, `broken` or `damaged`: sentences. */
  remedy(error: unknown): string
  /** The file of an embedded database. */
  readonly file?: DatabaseFile
}

export interface DatabaseFile {
  /** Why the open file is not the one at its path, as a sentence with the remedy, or null. */
  fault(): string | null
  /** How many rows this process has changed. */
  changes(): number
  /**
   * Copies the log into the file, so that a copy of the file alone is complete. Synchronous: 30 ms for the usual maximum of 8 MB. The
   * log is not truncated: a commit that makes it grow takes 0.5 ms, one that overwrites it 0.3.
   * @returns false when a transaction is open
   */
  checkpoint(): boolean
}

export type DialectName = 'sqlite' | 'postgres' | 'mysql'

/**
 * `duplicate`: a unique key is taken · `busy`: another transaction holds a lock, try again · `gone`: the database cannot be reached ·
 * `full`: no space to write, reads still work · `readonly`: the same, because writes are forbidden · `failed`: the storage of a
 * database server failed · `broken`: the storage of this process failed, and only a restart helps · `damaged`: a page or row cannot be
 * read, others can · `exists`: a table, column or index exists already · `refused`: a wrong password, a missing database or privilege,
 * or encryption that one side does not have
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
  /** Appended to the columns of a table. `hasOwnKey`: rows are stored by their primary key, which is not a single id. */
  readonly tableEnd: (hasOwnKey: boolean) => RawBuilder<unknown>
  /** Whether an index can be partial (`create index … where`). */
  readonly partialIndexes: boolean
  /** Whether `create index` takes `if not exists`. */
  readonly indexIfNotExists: boolean
}

const dialects = new WeakMap<object, Dialect>()

/** A Kysely dialect whose databases are known to `dialectOf`. */
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
  if (!dialect) throw new Error('this database was not opened by store/engine/open.ts')
  return dialect
}

/**
 * An index from words to tasks, in the best form of each database. It only narrows a search: it may name too many tasks, deleted ones
 * or another user's, and must not miss one. Each candidate is checked (store/task-list.ts), so that a search finds the same on all
 * databases.
 */
export interface SearchIndex {
  /** Creates it, unless it exists. */
  // biome-ignore lint/suspicious/noExplicitAny: migrations have no schema
  create(db: Kysely<any>): Promise<void>
  /** Replaces the entries of these tasks, each of which occurs once. */
  write(tx: Db, entries: readonly IndexEntry[]): Promise<void>
  remove(tx: Db, ids: readonly number[]): Promise<void>
  /**
   * The ids of tasks with words of each prefix, or of the rarest one; undefined when those are more than `max`. `max` bounds the cost,
   * however many tasks there are.
   */
  find(db: Db, words: readonly string[], max: number): Promise<number[] | undefined>
}

export interface IndexEntry {
  readonly id: number
  readonly words: readonly string[]
  /** The index has no entry of it yet. */
  readonly isNew: boolean
}
