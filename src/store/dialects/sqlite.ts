import { resolve } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type Dialect as KyselyDialect, SqliteAdapter, SqliteDialect, sql } from 'kysely'
import { Problem } from '#core/problem.ts'
import { runStatement } from '#store/engine/prepare.ts'
import { addReturning } from './counter.ts'
import { type Dialect, type ErrorClass, withDialect } from './dialect.ts'
import { applicationId, noDatabase, prepareFile, refuseForeign, watchFile } from './sqlite-file.ts'
import { fts5 } from './sqlite-search.ts'

/**
 * SQLite inside the process, by `node:sqlite`. One connection, because it is synchronous and a second would not run in parallel.
 * EXCLUSIVE locking reserves the file for this process. That gives four things: a second server on the file is refused, reads take no
 * lock, no shared-memory file is needed (with one, a restart on a full disk cannot even SELECT), and claims of the previous process are
 * known to be abandoned.
 */
export const sqlite: Dialect = {
  name: 'sqlite',
  // A deferred transaction that reads first can fail with BUSY_SNAPSHOT at its first write, which no timeout cures.
  begin: 'begin immediate',
  isShared: false,
  async rowsChanged(tx) {
    return (await runStatement<{ n: number }>(tx, 'select total_changes() as n', [])).rows[0]?.n as number
  },
  maxTransactions: 1,
  columnSyntax: () => ({
    // AUTOINCREMENT: without it the id of a deleted last row would be reused.
    id: sql`integer primary key autoincrement`,
    integer: sql`integer`,
    text: () => sql`text`,
    longText: sql`text`,
    // STRICT: SQLite would otherwise store 'abc' in an integer column.
    tableEnd: (hasOwnKey) => (hasOwnKey ? sql`strict, without rowid` : sql`strict`),
    partialIndexes: true,
    indexIfNotExists: true,
  }),

  // VALUES of a hundred rows: 1.7 µs a row. One row a statement takes 3.3, json_each over one parameter 3.2.
  async insertRows(tx, table, columns, rows, returning, onDuplicate = 'skip') {
    const answers: unknown[] = []
    for (const chunk of chunks(rows)) {
      const text =
        // Not `or ignore`, which would also skip a missing value (SQLite, «The UPSERT Clause»).
        `insert into ${table} (${columns.join(', ')}) values ${tuples(chunk.length, columns.length)}` +
        (onDuplicate === 'skip' ? ' on conflict do nothing' : '') +
        (returning.length > 0 ? ` returning ${returning.join(', ')}` : '')
      const result = await runStatement(tx, text, chunk.flat())
      for (const row of result.rows) answers.push(row)
    }
    return answers as never
  },

  async updateRows(tx, table, keys, sets, rows, fixed = {}) {
    const names = [...keys, ...sets].map((_, i) => `c${i}`)
    const assignments = [
      ...sets.map((column, i) => `${column} = r.c${keys.length + i}`),
      ...Object.keys(fixed).map((column) => `${column} = ?`),
    ].join(', ')
    const matches = keys.map((column, i) => `${table}.${column} = r.c${i}`).join(' and ')
    let found = 0
    for (const chunk of chunks(rows)) {
      const text =
        `with r (${names.join(', ')}) as (values ${tuples(chunk.length, names.length)})` +
        ` update ${table} set ${assignments} from r where ${matches}`
      const { numAffectedRows } = await runStatement(tx, text, [...chunk.flat(), ...Object.values(fixed)])
      found += Number(numAffectedRows ?? 0)
    }
    return found
  },

  among(column, values) {
    return sql`${column} in (select value from json_each(${JSON.stringify(values)}))`
  },

  addToCounter: async (tx, userId, count) => (await addReturning(tx, { userId, count })).rows[0]?.changes as number,

  search: fts5,
  clock: sql<number>`cast(unixepoch('subsec') * 1000 as integer)`,
  inspect: async () => [], // the settings are set and read back when the file is opened

  classify(error): ErrorClass {
    const code = (error as { errcode?: unknown })?.errcode
    if (typeof code !== 'number') return 'other'
    if (code === 2067 || code === 1555) return 'duplicate' // SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY
    const primary = code & 0xff
    if (primary === 1 && /already exists|duplicate column/.test((error as Error).message)) return 'exists' // SQLITE_ERROR
    if (primary === 5 || primary === 6) return 'busy' // SQLITE_BUSY, SQLITE_LOCKED
    if (primary === 13) return 'full' // SQLITE_FULL
    if (primary === 8) return 'readonly' // SQLITE_READONLY
    // SQLITE_CORRUPT, NOTADB. No reason to stop: after a restart the page is still damaged, and the reminders behind it would not fire.
    if (primary === 11 || primary === 26) return 'damaged'
    // SQLITE_IOERR. After a failed fsync the kernel may have dropped the pages it could not write, so a second fsync that succeeds
    // proves nothing: stop, and let the next start recover from the log.
    if (primary === 10) return 'broken'
    return 'other'
  },
  remedy: (error) => remedyFor(error, 'the database file'),
}

function remedyFor(error: unknown, file: string): string {
  const what = sqlite.classify(error)
  if (what === 'full') return `Free space on the disk of ${file}. The server continues by itself.`
  if (what === 'readonly') return `Make ${file} and its folder writable, then restart the server.`
  if (what === 'broken') return `Check the disk of ${file}, then restart the server.`
  if (what === 'damaged')
    return `Stop the server and copy ${file} with its -wal. Then restore a backup, or save what can be read by: sqlite3 ${file} .recover | sqlite3 repaired.db`
  return ''
}

/** Chunks of 100, 30, 10, 3 and 1 rows: any number of rows with only five texts to prepare for each statement. */
function* chunks<T>(rows: readonly T[]): Generator<readonly T[]> {
  let i = 0
  for (const size of [100, 30, 10, 3, 1]) for (; rows.length - i >= size; i += size) yield rows.slice(i, i + size)
}

/** `(?,?),(?,?)` */
function tuples(rows: number, columns: number): string {
  const tuple = `(${Array(columns).fill('?').join(',')})`
  return Array(rows).fill(tuple).join(',')
}

/**
 * @param path of the file, or `:memory:`
 * @param isWatched whether every statement must pass through Kysely's driver, because a test wraps it
 * @throws Problem `unavailable` when another process has the file, or it cannot be opened as a database
 */
export function openSqlite(path: string, isWatched: boolean): KyselyDialect {
  const isFile = path !== ':memory:'
  if (isFile) prepareFile(path)
  let database: DatabaseSync
  try {
    database = new DatabaseSync(path)
  } catch (error) {
    throw new Problem(
      'unavailable',
      `The database file ${resolve(path)} cannot be opened: ${(error as Error).message}.`,
    )
  }
  try {
    configure(database, isFile ? path : undefined)
  } catch (error) {
    database.close()
    throw toOpenProblem(error, path)
  }
  const statements = new Map<string, PreparedStatement>()
  function prepare(text: string): PreparedStatement {
    let statement = statements.get(text)
    if (!statement) {
      // Statements are few, because values are parameters. The bound is for filters with lists of every length.
      if (statements.size >= 500) statements.clear()
      statement = prepareStatement(database.prepare(text))
      statements.set(text, statement)
    }
    return statement
  }
  const inner = new SqliteDialect({ database: { prepare, close: () => database.close() } })
  // Kysely does not claim it for SQLite, although CREATE TABLE rolls back there: a killed migration has not happened.
  inner.createAdapter = () => new TransactionalSqliteAdapter()
  const dialect: Dialect = isFile
    ? {
        ...sqlite,
        remedy: (error) => remedyFor(error, resolve(path)),
        file: { ...watchFile(path), changes, checkpoint },
      }
    : sqlite
  return withDialect(inner, isWatched ? dialect : { ...dialect, runSync })

  function changes(): number {
    return prepare('select total_changes() as n').all([])[0]?.n as number
  }

  function checkpoint(): boolean {
    if (database.isTransaction) return false
    database.exec('pragma wal_checkpoint(passive)')
    return true
  }

  // Kysely needs some ten promises to reach the connection: 5 µs beside a read of 3, and 4 beside an insert of 12.
  function runSync(text: string, parameters: readonly unknown[], isOfTransaction: boolean) {
    if (!isOfTransaction && database.isTransaction) return undefined
    const statement = prepare(text)
    if (statement.reader) return { rows: statement.all(parameters) }
    const { changes, lastInsertRowid } = statement.run(parameters)
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
  }
}

type PreparedStatement = ReturnType<typeof prepareStatement>

/**
 * Returns rows as plain objects of one shape: those of node:sqlite take twice as long to create and read (2.8 against 1.4 ms for
 * 1,000).
 */
function prepareStatement(statement: StatementSync) {
  type Values = Parameters<StatementSync['all']>
  const names = statement.columns().map(({ name }) => name)
  statement.setReturnArrays(true)
  // A statement without rows returns the id of the last inserted row. Those of FTS5 exceed 2^53, and reading them as numbers would
  // throw after a successful COMMIT.
  if (names.length === 0) statement.setReadBigInts(true)
  // Generated for its columns, `{ "id": v[0], "user_id": v[1], … }`: a loop over their names takes five times as long.
  const members = names.map((name, i) => `${JSON.stringify(name)}: v[${i}]`)
  const toRow = new Function('v', `return { ${members.join(', ')} }`) as (values: unknown) => Record<string, unknown>
  return {
    reader: names.length > 0,
    all: (values: readonly unknown[]) => (statement.all(...(values as Values)) as unknown[]).map(toRow),
    run: (values: readonly unknown[]) => statement.run(...(values as Values)),
    *iterate(values: readonly unknown[]) {
      for (const row of statement.iterate(...(values as Values))) yield toRow(row)
    },
  }
}

class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl() {
    return true
  }
}

/** Sets each setting and reads it back: SQLite ignores an invalid pragma. */
function configure(database: DatabaseSync, path: string | undefined) {
  const isFile = path !== undefined
  const pragma = (name: string, value: string, expected: string | number) => {
    database.exec(`pragma ${name} = ${value}`)
    const actual = Object.values(database.prepare(`pragma ${name}`).get() ?? {})[0]
    if (actual !== expected) throw new Error(`pragma ${name} is ${actual}, not ${expected}`)
  }
  pragma('locking_mode', 'exclusive', 'exclusive')
  if (isFile) refuseForeign(database, path) // before anything is written
  // Only for a new file; an existing one keeps its page size. A task is 250 bytes, and each of its two dates touches another page of
  // an index. With 2 kB there is half as much to write and to sync as with the usual 4: creates are 1.2 to 1.3 times as fast, and
  // reads the same. 1 kB is no better: the rows then cost what the indexes save.
  database.exec('pragma page_size = 2048')
  pragma('journal_mode', isFile ? 'wal' : 'memory', isFile ? 'wal' : 'memory')
  // FULL syncs the log at each commit. NORMAL lost acknowledged writes in 184 of 200 simulated power cuts, OFF in 191, FULL in 0; kill
  // -9 shows no difference. Group commit pays for it.
  pragma('synchronous', 'full', 2)
  pragma('cell_size_check', 'on', 1)
  // The number of pages in the log before a checkpoint: 8 MB. The usual 1,000 would be 2 MB, copied and synced four times as often.
  pragma('wal_autocheckpoint', '4000', 4000)
  pragma('cache_size', '-16000', -16000) // KiB: 16 MB
  pragma('journal_size_limit', String(64 << 20), 64 << 20) // after a burst the log shrinks again
  // The lock is taken at the first write, so that a second server fails now and not at its first task.
  database.exec(`begin immediate; pragma user_version = 1; pragma application_id = ${applicationId}; commit`)
}

function toOpenProblem(error: unknown, path: string): unknown {
  if (error instanceof Problem) return error
  const file = resolve(path)
  const { message } = error as Error
  if ((error as { errcode?: unknown }).errcode === 26) return noDatabase(path, error) // SQLITE_NOTADB
  const what = sqlite.classify(error)
  const detail =
    what === 'busy'
      ? `The database file ${file} is in use by another process. One server per file: stop the other one, or give this one another --database-url.`
      : `The database file ${file} ${what === 'damaged' ? 'is damaged' : 'cannot be used'}: ${message}. ${remedyFor(error, file)}`
  return new Problem('unavailable', detail.trimEnd(), { cause: error })
}
