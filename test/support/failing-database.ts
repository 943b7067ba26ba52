import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult } from 'kysely'

/**
 * A layer between the app and its database that simulates a crash. Statements pass until it «dies»: from then on every statement throws, as
 * if the process were gone. A test that then stops the app and starts it on the same file has simulated a crash; SQLite rolls back open
 * transactions.
 */
export interface FailingDatabase {
  /** Passed as `wrapDatabase`. */
  wrap(dialect: Dialect): Dialect
  /** Every statement throws from here on. */
  die(): void
  /** The n-th statement from here on, counted from 1, is the last one. */
  dieAt(n: number, when: DateTimeInput): void
  readonly isFailed: boolean
  /** Resolves when it dies. */
  readonly died: Promise<void>
  /** The text of every requested statement, in order, up to the last one before it died. */
  readonly statements: readonly string[]
}

/**
 * `before`: the statement does not run. `after`: it ran, but its result never arrives; this counts only statements that change something,
 * since a read makes no difference to later ones.
 */
export type DateTimeInput = 'before' | 'after'

export class Died extends Error {
  constructor() {
    super('the process is dead')
    this.name = 'Died'
  }
}

const changes = /^(insert|update|delete|create|alter|drop|commit)/i

export function failingDatabase(): FailingDatabase {
  const statements: string[] = []
  const { promise: died, resolve } = Promise.withResolvers<void>()
  let isFailed = false
  let left = Number.POSITIVE_INFINITY
  let when: DateTimeInput = 'before'
  const die = () => {
    isFailed = true
    resolve()
  }

  async function around<R>(text: string, run: () => Promise<QueryResult<R>>): Promise<QueryResult<R>> {
    if (isFailed) throw new Died()
    statements.push(text)
    if (when === 'after' && !changes.test(text)) return run()
    if (--left > 0) return run()
    die()
    if (when === 'after') await run()
    throw new Died()
  }

  return {
    wrap: (dialect) => wrapConnections(dialect, around),
    die,
    dieAt(n, at) {
      left = n
      when = at
    },
    get isFailed() {
      return isFailed
    },
    died,
    statements,
  }
}

export type Around = <R>(
  text: string,
  run: () => Promise<QueryResult<R>>,
  query: CompiledQuery,
) => Promise<QueryResult<R>>

/** A dialect that passes every statement through `around`, and every acquired connection through `acquire`. */
export function wrapConnections(
  dialect: Dialect,
  around: Around,
  acquire: <C>(run: () => Promise<C>) => Promise<C> = (run) => run(),
): Dialect {
  const inner = new WeakMap<DatabaseConnection, DatabaseConnection>()
  const unwrap = (connection: DatabaseConnection) => inner.get(connection) ?? connection

  function wrapConnection(connection: DatabaseConnection): DatabaseConnection {
    const wrapped: DatabaseConnection = {
      executeQuery: (query, options) => around(query.sql, () => connection.executeQuery(query, options), query),
      streamQuery() {
        throw new Error('nothing streams yet: let its statements pass through here when something does')
      },
    }
    inner.set(wrapped, connection)
    return wrapped
  }

  function wrapDriver(driver: Driver): Driver {
    return {
      init: (options) => driver.init(options),
      acquireConnection: async (options) => wrapConnection(await acquire(() => driver.acquireConnection(options))),
      // The wrapped one: begin, commit and rollback are statements too.
      beginTransaction: (connection, settings) => driver.beginTransaction(connection, settings),
      commitTransaction: (connection) => driver.commitTransaction(connection),
      rollbackTransaction: (connection) => driver.rollbackTransaction(connection),
      releaseConnection: (connection, options) => driver.releaseConnection(unwrap(connection), options),
      destroy: (options) => driver.destroy(options),
    }
  }

  return {
    createAdapter: () => dialect.createAdapter(),
    createDriver: () => wrapDriver(dialect.createDriver()),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
  }
}

/** Holds statements back while it is closed. `wrap` is to be passed as `wrapDatabase`. */
export function pauseBefore(statement: RegExp) {
  let [reached, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  opened.resolve()
  return {
    wrap: (dialect: Dialect) =>
      wrapConnections(dialect, async (text, run) => {
        if (!statement.test(text)) return run()
        reached.resolve()
        await opened.promise
        return run()
      }),
    close() {
      ;[reached, opened] = [Promise.withResolvers(), Promise.withResolvers()]
    },
    open: () => opened.resolve(),
    /** Resolves when a statement waits for it, once it is closed. */
    get isReached() {
      return reached.promise
    },
  }
}
