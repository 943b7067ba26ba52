import { resolve } from 'node:path'
import { Kysely, type Dialect as KyselyDialect, sql } from 'kysely'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { type ChangeHooks, collectChanges } from '#store/changes.ts'
import { type Dialect, dialectOf, type ErrorClass } from '#store/dialects/dialect.ts'
import { type Limits, migrationMs, printableUrl, statementMs } from '#store/dialects/server.ts'
import type { SchemaDefinition } from '#store/migrations/migrations.ts'
import type { Db, Schema } from '#store/schema.ts'
import { collectIndexEntries } from '#store/search.ts'
import { readClockSkew } from './clock-skew.ts'
import { migrate } from './migrate.ts'
import { attachStorage, createStorage, type Storage } from './storage.ts'
import { createTransact, type Transact } from './transact.ts'

export interface Store extends AsyncDisposable {
  /** For reading. Writes go through `transact`. */
  readonly db: Db
  readonly dialect: Dialect
  readonly transact: Transact
  /**
   * The same for the results of deliveries. On a shared database it has a queue of its own. A replica that freezes inside a
   * transaction blocks all transactions with numbered changes, and the results of deliveries need no number. In one transaction
   * with numbered changes they would wait as well, and sent notifications would be sent again.
   */
  readonly transactDeliveries: Transact
  /** The same for numbered changes of notifications: fired and failed. Nothing else waits in its queue. */
  readonly transactFiring: Transact
  /**
   * For background work that may meet a damaged page: it shares no transaction with others, who would have to begin theirs again, and
   * wait for no more than one of its own.
   */
  readonly transactApart: Transact
  /**
   * A number that changes with each commit that changed tasks. While it is the same, a task that was read before is still current.
   * On a shared database it is NaN, which equals nothing, because other processes change tasks too.
   */
  commitSequence(): number
  readonly storage: Storage
  /** Writes a row of no meaning, so that a storage fault ends on a server that gets no writes. @throws as `transact` */
  probe(): Promise<void>
  /** An error of the database during startup as a Problem for the administrator; any other error as it is. */
  toStartupProblem(error: unknown): unknown
}

export interface StoreLog {
  info(text: string): void
  warn(text: string): void
  /** An administrator must act. */
  error(text: string): void
}

export interface StoreDeps {
  readonly clock: Clock
  /** Silent when absent. */
  readonly log?: StoreLog
  /** The zone of the local times in the original's table; UTC when absent. */
  readonly timeZone?: string
  /** Called when the storage failed in a way that only a restart can mend. */
  readonly onBroken: (error: unknown) => void
  /** Called after each COMMIT of this process that wrote changes, with the ids of their users. */
  readonly onChangesCommitted?: (userIds: readonly number[]) => void
  /** Called after each COMMIT of this process: how many units of work shared it, and the time since its BEGIN. */
  readonly onCommitted?: (works: number, ms: number) => void
  /** Ends the wait for a database that does not answer yet. */
  readonly stopping?: AbortSignal
  /** Wraps the driver, so that tests can watch or fail statements. */
  readonly wrap?: (dialect: KyselyDialect) => KyselyDialect
  /** The tables and their migrations; those of this version when absent, those of another in tests. */
  readonly schema?: SchemaDefinition
}

type OpenDeps = Required<Omit<StoreDeps, 'stopping' | 'wrap' | 'schema' | 'onChangesCommitted' | 'onCommitted'>> & {
  readonly stopping?: AbortSignal | undefined
}

/** How long to wait for a database server that is still starting. */
const patienceMs = 60_000
/** A larger difference between our clock and the database's is logged. It equals the lateness at which a notification is late. */
const skewMs = 1_000

/**
 * @param url `sqlite:<path>`, `sqlite::memory:`, `postgres://…` or `mysql://…`
 * @throws Problem `unavailable` or `invalid` with a sentence for the administrator
 */
export async function openStore(url: string, given: StoreDeps): Promise<Store> {
  const deps = { log: silent, timeZone: 'UTC', ...given }
  const limits = { statementMs }
  const kysely = await openDialect(url, limits, deps.wrap !== undefined)
  const db = new Kysely<Schema>({ dialect: deps.wrap?.(kysely) ?? kysely })
  const dialect = dialectOf(db)
  try {
    await waitForDatabase(db, dialect, url, deps)
    for (const warning of await dialect.inspect(db)) deps.log.warn(warning)
    await compareClocks(db, deps)
    limits.statementMs = migrationMs
    const isNew = await migrate(db, dialect, { where: describeDatabase(url), ...deps }, deps.schema)
    if (isNew) deps.log.info(creationMessage(url))
    limits.statementMs = statementMs
  } catch (error) {
    await db.destroy()
    throw toStartupProblem(error, dialect, url) ?? error
  }
  const storage = createStorage(dialect, deps.log, () => deps.clock.now())
  attachStorage(db, storage)
  let commitSequence = dialect.isShared ? Number.NaN : 0
  const hooks: ChangeHooks = {
    onTasksChanged: () => commitSequence++,
    onChangesCommitted(userIds) {
      // A COMMIT that wrote nothing succeeds on a full disk too.
      storage.noteStored()
      deps.onChangesCommitted?.(userIds)
    },
  }
  const collect = (tx: Db) => [collectIndexEntries(tx), collectChanges(tx, hooks)]
  const { clock, onBroken, onCommitted } = deps
  const open = () => createTransact({ db, clock, collect, onBroken, onCommitted })
  const transact = open()
  return {
    db,
    dialect,
    transact,
    transactDeliveries: dialect.isShared ? open() : transact,
    transactFiring: dialect.isShared ? open() : transact,
    transactApart: open(),
    commitSequence: () => commitSequence,
    storage,
    async probe() {
      await transact(writeProbe)
      storage.noteStored()
    },
    toStartupProblem: (error) =>
      toStartupProblem(error instanceof Problem ? error.cause : error, dialect, url) ?? error,
    [Symbol.asyncDispose]: () => db.destroy(),
  }
}

const silent: StoreLog = { info() {}, warn() {}, error() {} }

/** Inserts and deletes a row: its pages are written all the same. */
async function writeProbe(tx: Db): Promise<void> {
  const name = 'storage-probe'
  await tx.insertInto('secrets').values({ name, value: '' }).execute()
  await tx.deleteFrom('secrets').where('name', '=', name).execute()
}

/** Undefined for an error of another class. */
function toStartupProblem(error: unknown, dialect: Dialect, url: string): Problem | undefined {
  const { message } = (error ?? {}) as { message?: string }
  const what = dialect.classify(error)
  const where = describeDatabase(url)
  if (what === 'refused')
    return new Problem('unavailable', `${where} refused the connection: ${message}. ${dialect.remedy(error)}`, {
      cause: error,
    })
  if (what === 'gone' || what === 'busy')
    return new Problem(
      'unavailable',
      `${where} became unreachable during startup: ${message}. Start the server again.`,
      {
        cause: error,
      },
    )
  const fault = storageFaults[what]
  if (fault === undefined) return undefined
  return new Problem('unavailable', `${where} ${fault}: ${message}. ${dialect.remedy(error)}`, { cause: error })
}

const storageFaults: Partial<Record<ErrorClass, string>> = {
  full: 'cannot be written to: its disk is full',
  readonly: 'is read-only',
  failed: 'cannot be read or written to',
  broken: 'cannot be read or written to',
  damaged: 'is damaged',
}

const describeDatabase = (url: string) =>
  url.startsWith('sqlite:') ? `The database file ${resolve(url.slice('sqlite:'.length))}` : printableUrl(url)

/** Loads only the driver that is needed: the two others would cost 20 MB. */
async function openDialect(url: string, limits: Limits, isWatched: boolean): Promise<KyselyDialect> {
  const [, scheme = '', rest] = /^([a-z]+):(.+)$/.exec(url) ?? []
  if (scheme === 'sqlite' && rest) return (await import('#store/dialects/sqlite.ts')).openSqlite(rest, isWatched)
  if (scheme === 'postgres' || scheme === 'postgresql')
    return (await import('#store/dialects/postgres.ts')).openPostgres(url, limits)
  if (scheme === 'mysql' || scheme === 'mariadb')
    return (await import('#store/dialects/mysql.ts')).openMysql(url, limits)
  throw new Problem('invalid', 'The database URL must begin with sqlite:, postgres:// or mysql://.')
}

/** Waits for a database that does not answer yet. Any other error is thrown at once. */
async function waitForDatabase(
  db: Db,
  dialect: Dialect,
  url: string,
  { clock, log, stopping }: OpenDeps,
): Promise<void> {
  const giveUpAt = clock.now() + patienceMs
  for (let isFirst = true; ; isFirst = false) {
    try {
      await sql`select 1`.execute(db)
      if (!isFirst) log.info('The database answers.')
      return
    } catch (error) {
      if (dialect.classify(error) !== 'gone') throw error
      const reason = `${printableUrl(url)} does not answer: ${(error as Error).message || (error as { code?: string }).code}`
      if (clock.now() >= giveUpAt)
        throw new Problem('unavailable', `${reason}. Is the server running, and is --database-url right?`, {
          cause: error,
        })
      if (isFirst) log.warn(`${reason}; waiting up to ${patienceMs / 1_000} s for it to start`)
      await clock.sleep(500, stopping)
      stopping?.throwIfAborted()
    }
  }
}

/** Each replica fires reminders by its own clock: two whose clocks differ fire that much apart. */
async function compareClocks(db: Db, { clock, log }: OpenDeps): Promise<void> {
  const skew = (await readClockSkew(db, clock)) ?? 0
  if (Math.abs(skew) > skewMs)
    log.warn(
      `The clock of the database is ${Math.abs(skew / 1_000).toFixed(1)} s ${skew > 0 ? 'ahead of' : 'behind'} this machine's. Reminders fire by this machine's clock. Synchronise both with NTP.`,
    )
}

function creationMessage(url: string): string {
  if (url === 'sqlite::memory:') return 'Created an empty database in memory. It is lost when the server stops.'
  if (url.startsWith('sqlite:')) return `Created an empty database at ${resolve(url.slice('sqlite:'.length))}.`
  return `Created empty tables in ${printableUrl(url)}.`
}
