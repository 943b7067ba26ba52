import {
  CompiledQuery,
  type Dialect as KyselyDialect,
  MysqlDialect,
  type MysqlPool,
  type MysqlPoolConnection,
  sql,
} from 'kysely'
import mysql2 from 'mysql2'
import { Problem } from '#core/problem.ts'
import { type Db, type Schema, storageType } from '#store/schema.ts'
import { type Dialect, withDialect } from './dialect.ts'
import { classify, remedyFor } from './mysql-errors.ts'
import { wordTable } from './mysql-search.ts'
import { guardPool } from './pool.ts'
import {
  connections,
  connectMs,
  DatabaseTimeout,
  idleTransactionSeconds,
  type Limits,
  lockWaitSeconds,
  parseServerUrl,
} from './server.ts'

/**
 * MySQL 8 and MariaDB 10.6 or newer, by `mysql2`. Any number of processes share it. One dialect: the two differ by the name of a
 * collation and one session variable.
 */
interface Server {
  /**
   * Compares bytes, trailing spaces included. Other collations find 'a' and 'A ' equal, and a server's default may be latin1, which
   * cannot store 日本.
   */
  collation: 'utf8mb4_nopad_bin' | 'utf8mb4_0900_bin'
}

const tableEnd = ({ collation }: Server) =>
  sql`engine = InnoDB default character set utf8mb4 collate ${sql.raw(collation)}`

const dialectFor = (server: Server): Dialect => ({
  name: 'mysql',
  begin: 'start transaction',
  isShared: true,
  lockShared: sql`lock in share mode`, // MariaDB has no `for share`
  maxTransactions: 4,
  columnSyntax: () => ({
    id: sql`bigint not null auto_increment primary key`,
    integer: sql`bigint`,
    text: (characters) => sql`varchar(${sql.lit(characters)})`,
    longText: sql`mediumtext`,
    tableEnd: () => tableEnd(server),
    partialIndexes: false,
    indexIfNotExists: false, // MariaDB takes it, MySQL does not
  }),

  // JSON_TABLE over one parameter. IGNORE skips duplicates; all other errors that it could ignore are checked before.
  async insertRows(tx, table, columns, rows, returning, onDuplicate = 'skip') {
    if (rows.length === 0) return []
    const text =
      `insert ${onDuplicate === 'skip' ? 'ignore ' : ''}into ${table} (${columns.map(quote).join(', ')})` +
      ` select ${columns.map((_, i) => `r.c${i}`).join(', ')} from ${jsonTable(table, columns)} as r`
    const { insertId, numAffectedRows } = await tx.executeQuery(CompiledQuery.raw(text, [JSON.stringify(rows)]))
    const [first, second] = returning
    if (first === undefined || second === undefined || !numAffectedRows) return []
    // MySQL has no RETURNING. Our rows are those from the first new id on with our values in a column that is unique here.
    const index = (columns as readonly string[]).indexOf(second)
    const found = await tx.executeQuery(
      CompiledQuery.raw(
        `select ${quote(first)}, ${quote(second)} from ${table} where id >= ? and ${quote(second)} in (?)`,
        [Number(insertId), rows.map((row) => row[index])],
      ),
    )
    return found.rows as never
  },

  // STRAIGHT_JOIN: from the list to the table, whatever length the optimizer assumes for the list.
  async updateRows(tx, table, keys, sets, rows, fixed = {}) {
    if (rows.length === 0) return 0
    const columns = [...keys, ...sets]
    const assignments = [
      ...sets.map((column, i) => `t.${quote(column)} = r.c${keys.length + i}`),
      ...Object.keys(fixed).map((column) => `t.${quote(column)} = ?`),
    ].join(', ')
    // Text of the list has its own collation, and MySQL compares different collations only when told how.
    const value = (column: string, i: number) =>
      storageType(table, column) === 'text' ? `r.c${i} collate ${server.collation}` : `r.c${i}`
    const matches = keys.map((column, i) => `t.${quote(column)} = ${value(column, i)}`).join(' and ')
    const text = `update ${jsonTable(table, columns)} as r straight_join ${table} as t on ${matches} set ${assignments}`
    const parameters = [JSON.stringify(rows), ...Object.values(fixed)]
    const { numAffectedRows } = await tx.executeQuery(CompiledQuery.raw(text, parameters))
    return Number(numAffectedRows ?? 0)
  },

  // The driver expands a list.
  among: (column, values) => (values.length === 0 ? sql`false` : sql`${column} in (${values})`),

  // last_insert_id(x) returns x, which saves a second statement.
  async addToCounter(tx, userId, count) {
    const text =
      'insert into counters (user_id, changes) values (?, last_insert_id(?))' +
      ' on duplicate key update changes = last_insert_id(changes + ?)'
    return Number((await tx.executeQuery(CompiledQuery.raw(text, [userId, count, count]))).insertId)
  },

  search: wordTable(() => tableEnd(server)),
  clock: sql<number>`cast(unix_timestamp(now(3)) * 1000 as signed)`,

  inspect: (db) => inspect(db, server),

  classify,

  remedy: remedyFor,
})

async function inspect(db: Db, server: Server): Promise<string[]> {
  const { rows } = await sql<Record<string, string | number>>`
    select version() as version, @@session.transaction_isolation as isolation, @@session.character_set_connection as charset,
      @@innodb_flush_log_at_trx_commit as flush_log, @@log_bin as log_bin, @@sync_binlog as sync_binlog`
    .execute(db)
    // MariaDB before 11.1 uses the older name of the variable.
    .catch(() =>
      sql<Record<string, string | number>>`
        select version() as version, @@session.tx_isolation as isolation, @@session.character_set_connection as charset,
          @@innodb_flush_log_at_trx_commit as flush_log, @@log_bin as log_bin, @@sync_binlog as sync_binlog`.execute(
        db,
      ),
    )
  const is = rows[0] ?? {}
  const version = String(is.version)
  server.collation = isMariaDb(version) ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin'
  const [, major = 0, minor = 0] = (/^(\d+)\.(\d+)/.exec(version) ?? []).map(Number)
  const isOldEnough = isMariaDb(version) ? major > 10 || (major === 10 && minor >= 6) : major >= 8
  if (!isOldEnough)
    throw new Problem('unavailable', `The server is ${version}: Duebell needs MySQL 8 or MariaDB 10.6, or newer.`)
  if (is.isolation !== 'READ-COMMITTED' || is.charset !== 'utf8mb4')
    throw new Problem(
      'unavailable',
      `The server did not accept our session settings: isolation ${is.isolation}, charset ${is.charset}.`,
    )
  const warnings: string[] = []
  if (Number(is.flush_log) !== 1)
    warnings.push(
      `The server runs with innodb_flush_log_at_trx_commit = ${is.flush_log}: a crash of its machine may lose acknowledged writes. Set it to 1.`,
    )
  if (Number(is.log_bin) === 1 && Number(is.sync_binlog) !== 1)
    warnings.push(
      `The server runs with sync_binlog = ${is.sync_binlog}: after a crash its replicas may differ from it. Set it to 1.`,
    )
  return warnings
}

const isMariaDb = (version: string) => /mariadb/i.test(version)

/** @throws Problem `invalid` for an invalid URL */
export function openMysql(url: string, limits: Limits): KyselyDialect {
  const { host, port, user, password, database, tls } = parseServerUrl(url, { port: 3306, user: 'root' })
  const pool = mysql2.createPool({
    host,
    port,
    user,
    password,
    database,
    // The driver checks the name in a certificate only when told to.
    ...(tls && { ssl: { ...tls, verifyIdentity: tls.rejectUnauthorized } }),
    charset: 'utf8mb4',
    connectionLimit: connections,
    connectTimeout: connectMs,
    enableKeepAlive: true,
    dateStrings: true, // the original's times have no zone: Date would give them one
  })
  pool.on('connection', (connection) => {
    for (const setting of sessionSettings) connection.query(setting)
    // MySQL lacks this variable and reports an error; only a limit is lost.
    connection.query(`set session idle_transaction_timeout = ${idleTransactionSeconds}`, () => {})
  })
  return withDialect(
    new MysqlDialect({ pool: poolWithTimeouts(pool, limits) }),
    dialectFor({ collation: 'utf8mb4_nopad_bin' }),
  )
}

/** How long closing a connection may take; an unreachable server does not answer that either. */
const closeMs = 1_000

const sessionSettings = [
  // REPEATABLE READ locks gaps: an insert waited 508 ms for one, READ COMMITTED 12.
  'set session transaction isolation level read committed',
  `set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'`,
  `set session innodb_lock_wait_timeout = ${lockWaitSeconds}`,
]

/** mysql2 itself waits without a limit for a free connection, an answer, or the end of a connection. */
function poolWithTimeouts(pool: mysql2.Pool, limits: Limits): MysqlPool {
  const opened = new Set<mysql2.PoolConnection>()
  pool.on('connection', (connection) => {
    opened.add(connection)
    connection.once('end', () => opened.delete(connection))
    // While a connection is in use, the error of its statement is enough. An unhandled error event would end the process.
    connection.on('error', () => opened.delete(connection))
  })
  const guarded = guardPool<mysql2.PoolConnection>({
    connect: () =>
      new Promise((resolve, reject) =>
        pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection))),
      ),
    release: (connection) => connection.release(),
    discard: (connection) => connection.destroy(),
  })
  return {
    getConnection(callback) {
      guarded.acquire().then(
        (connection) => callback(undefined, withTimeout(connection)),
        (error) => callback(error, undefined as never),
      )
    },
    end(callback) {
      const finish = () => {
        clearTimeout(timer)
        for (const connection of opened) connection.destroy()
        opened.clear()
        callback(undefined as never)
      }
      const timer = setTimeout(finish, closeMs)
      pool.end(finish)
    },
  }

  function withTimeout(connection: mysql2.PoolConnection): MysqlPoolConnection {
    return {
      query(text: string, values: readonly unknown[], callback: (error: unknown, result: unknown) => void) {
        let isOver = false
        const answer = (error: unknown, result: unknown) => {
          if (isOver) return
          isOver = true
          clearTimeout(timer)
          if (error && classify(error) === 'gone') guarded.distrust(connection)
          callback(error, result)
        }
        const timer = setTimeout(
          () => answer(new DatabaseTimeout(`${limits.statementMs / 1_000} s for a statement`), undefined),
          limits.statementMs,
        )
        connection.query(text, values as unknown[], answer)
      },
      release: () => guarded.release(connection),
      destroy: () => connection.destroy(),
      threadId: connection.threadId,
    } as unknown as MysqlPoolConnection
  }
}

const quote = (column: string) => `\`${column}\``

/** mediumtext, because text ends at 65,535 bytes, one less than a description may have. */
function jsonTable(table: keyof Schema, columns: readonly string[]): string {
  const typeOf = (column: string) => (storageType(table, column) === 'integer' ? 'bigint' : 'mediumtext')
  const list = columns.map((column, i) => `c${i} ${typeOf(column)} path '$[${i}]'`)
  return `json_table(?, '$[*]' columns (${list.join(', ')}))`
}
