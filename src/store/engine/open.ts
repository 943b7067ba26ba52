import { resolve } from 'node:path'
import { Kysely, type Dialect as KyselyDialect, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { type Dialect, dialectOf, type ErrorClass } from '#store/dialects/dialect.ts'
import { describeUrl, type Limits, migrationMs, statementMs } from '#store/dialects/server.ts'
import { refuseForeignTables, tableNames } from '#store/foreign-tables.ts'
import { foundation } from '#store/migrations/0001-foundation.ts'
import { original } from '#store/migrations/0002-original.ts'
import { changes } from '#store/migrations/0003-changes.ts'
import { api } from '#store/migrations/0004-api.ts'
import { search } from '#store/migrations/0005-search.ts'
import { channels } from '#store/migrations/0006-channels.ts'
import { accounts } from '#store/migrations/0007-accounts.ts'
import { tokenParents } from '#store/migrations/0008-token-parents.ts'
import { retryByTime } from '#store/migrations/0009-retry-by-time.ts'
import type { Db, Schema } from '#store/schema.ts'
import { readClockSkew } from './clock-skew.ts'
import { attachStorage, createStorage, type Storage } from './storage.ts'
import { createTransact, type Transact } from './transact.ts'

export interface Store extends AsyncDisposable {
  /** For reading. What changes something goes through `transact`. */
  readonly db: Db
  readonly dialect: Dialect
  readonly transact: Transact
  /**
   * The same for what the bell writes of deliveries. Where others share the database it has a queue of its own: a replica that
   * freezes in the middle of a transaction keeps everybody waiting whose changes are numbered, and to write down what was sent
   * needs no number. In one transaction with what does it would wait as well, and what was sent would be sent again.
   */
  readonly transactDeliveries: Transact
  /** The same for what the bell does that is numbered: to ring, and to give up. It waits, and nobody waits with it. */
  readonly transactFiring: Transact
  /**
   * Another number after each commit that changed tasks, where this process is the only one that can; never the same as another
   * (NaN) where it is not. So what was read of a task in the same edition is still true, without a look.
   */
  commitSequence(): number
  readonly storage: Storage
  /** Writes something of no meaning, so that a fault ends when the storage works again and nobody writes. @throws as `transact` */
  probe(): Promise<void>
  /** An error of the database at a start, in words for the one who starts it; any other as it is. */
  toStartupProblem(error: unknown): unknown
}

/** What is said while a database is opened. */
export interface StoreLog {
  info(text: string): void
  warn(text: string): void
  /** Somebody must act. */
  error(text: string): void
}

export interface StoreDeps {
  readonly clock: Clock
  /** Told nobody when absent. */
  readonly log?: StoreLog
  /** Where wall times of the original's table are read; UTC when absent. */
  readonly timeZone?: string
  /** Called when the storage failed in a way that only a restart can mend. */
  readonly onBroken: (error: unknown) => void
  /** Called after each COMMIT of this process by which lists of changes have grown, with their users. */
  readonly onChangesCommitted?: (userIds: readonly number[]) => void
  /** Called after each COMMIT of this process: how many wishes shared it, and how long it took from its BEGIN. */
  readonly onCommitted?: (wishes: number, ms: number) => void
  /** Stands between the statements and the database; the identity when absent. */
  readonly wrap?: (dialect: KyselyDialect) => KyselyDialect
}

type Told = Required<Omit<StoreDeps, 'wrap' | 'onChangesCommitted' | 'onCommitted'>>

/** In the order in which they are applied; a name, once released, stays. */
const migrations = {
  '0001-foundation': foundation,
  '0002-original': original,
  '0003-changes': changes,
  '0004-api': api,
  '0005-search': search,
  '0006-channels': channels,
  '0007-accounts': accounts,
  '0008-token-parents': tokenParents,
  '0009-retry-by-time': retryByTime,
}

/** A server that is still starting is waited for this long. */
const patienceMs = 60_000
/** Our clock and the database's may differ by this much before it is said: it is the order of a late notification. */
const skewMs = 1_000

/**
 * @param url `sqlite:<path>`, `sqlite::memory:`, `postgres://…` or `mysql://…`
 * @throws Problem `unavailable` or `invalid` with a sentence for a person
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
    await migrate(db, dialect, { url, ...deps })
    limits.statementMs = statementMs
  } catch (error) {
    await db.destroy()
    throw toStartupProblem(error, dialect, url) ?? error
  }
  const storage = createStorage(dialect, deps.log, () => deps.clock.now())
  attachStorage(db, storage)
  let commitSequence = dialect.isShared ? Number.NaN : 0
  const open = () =>
    createTransact(db, deps.clock, deps.onBroken, () => commitSequence++, deps.onChangesCommitted, deps.onCommitted)
  const transact = open()
  return {
    db,
    dialect,
    transact,
    transactDeliveries: dialect.isShared ? open() : transact,
    transactFiring: dialect.isShared ? open() : transact,
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

/** A row that is gone by the COMMIT: its pages are written all the same. */
async function writeProbe(tx: Db): Promise<void> {
  const name = 'storage-probe'
  await tx.insertInto('secrets').values({ name, value: '' }).execute()
  await tx.deleteFrom('secrets').where('name', '=', name).execute()
}

/** Undefined for an error that is no fault of the database. */
function toStartupProblem(error: unknown, dialect: Dialect, url: string): Problem | undefined {
  const { message } = (error ?? {}) as { message?: string }
  const what = dialect.classify(error)
  const where = describeDatabase(url)
  if (what === 'refused')
    return new Problem('unavailable', `${where} refuses us: ${message}. ${dialect.remedy(error)}`, {
      cause: error,
    })
  if (what === 'gone' || what === 'busy')
    return new Problem('unavailable', `${where} went away while it was prepared: ${message}. Start again.`, {
      cause: error,
    })
  const fault = storageFaults[what]
  if (fault === undefined) return undefined
  return new Problem('unavailable', `${where} ${fault}: ${message}. ${dialect.remedy(error)}`, { cause: error })
}

const storageFaults: Partial<Record<ErrorClass, string>> = {
  full: 'cannot be written to, since its disk is full',
  readonly: 'is read-only',
  failed: 'cannot be read or written to',
  broken: 'cannot be read or written to',
  damaged: 'is damaged',
}

const describeDatabase = (url: string) =>
  url.startsWith('sqlite:') ? `The database file ${resolve(url.slice('sqlite:'.length))}` : describeUrl(url)

/** Each with its driver only where it is asked for: the two others would cost 20 MB. */
async function openDialect(url: string, limits: Limits, isWatched: boolean): Promise<KyselyDialect> {
  const [, scheme = '', rest] = /^([a-z]+):(.+)$/.exec(url) ?? []
  if (scheme === 'sqlite' && rest) return (await import('#store/dialects/sqlite.ts')).openSqlite(rest, isWatched)
  if (scheme === 'postgres' || scheme === 'postgresql')
    return (await import('#store/dialects/postgres.ts')).openPostgres(url, limits)
  if (scheme === 'mysql' || scheme === 'mariadb')
    return (await import('#store/dialects/mysql.ts')).openMysql(url, limits)
  throw new Problem('invalid', 'The database URL must begin with sqlite:, postgres:// or mysql://.')
}

/** Waits for a database that does not answer yet; gives up at once on one that says no. */
async function waitForDatabase(db: Db, dialect: Dialect, url: string, { clock, log }: Told): Promise<void> {
  const giveUpAt = clock.now() + patienceMs
  for (let isFirst = true; ; isFirst = false) {
    try {
      await sql`select 1`.execute(db)
      if (!isFirst) log.info('The database answers.')
      return
    } catch (error) {
      if (dialect.classify(error) !== 'gone') throw error
      const why = `${describeUrl(url)} does not answer: ${(error as Error).message || (error as { code?: string }).code}`
      if (clock.now() >= giveUpAt)
        throw new Problem('unavailable', `${why}. Is the server running, and is --database-url right?`, {
          cause: error,
        })
      if (isFirst) log.warn(`${why}; waiting up to ${patienceMs / 1_000} s for it to start`)
      await clock.sleep(500)
    }
  }
}

/** Instants are by the clock of whoever serves: two replicas whose clocks differ ring by that much apart. */
async function compareClocks(db: Db, { clock, log }: Told): Promise<void> {
  const skew = (await readClockSkew(db, clock)) ?? 0
  if (Math.abs(skew) > skewMs)
    log.warn(
      `The clock of the database is ${Math.abs(skew / 1_000).toFixed(1)} s ${skew > 0 ? 'ahead of' : 'behind'} this machine's: notifications ring by this machine's. Let both follow NTP.`,
    )
}

async function migrate(db: Db, dialect: Dialect, deps: Told & { url: string }): Promise<void> {
  const { url, log } = deps
  const all = Object.fromEntries(
    Object.entries(migrations).map(([name, migration]): [string, Migration] => [name, migration(dialect, deps)]),
  )
  const migrator = new Migrator({ db, provider: { getMigrations: async () => all } })
  const found = await tableNames(db)
  const unknown = (await appliedMigrations(db, found)).filter((name) => !(name in all))
  if (unknown.length > 0)
    throw new Problem(
      'unavailable',
      `The database was used by a newer Duebell: it has ${unknown.join(', ')}, which this one does not know. Nothing was changed. Start the newer version.`,
    )
  await refuseForeignTables(db, found, describeDatabase(url))
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error) throw error
  const done = results.filter(({ status }) => status === 'Success')
  // Where others start at the same time, the one that made the tables says so.
  if (done.some(({ migrationName }) => migrationName === '0001-foundation')) log.info(describeNew(url))
  if (done.length > 0) dialect.file?.checkpoint()
}

function describeNew(url: string): string {
  if (url === 'sqlite::memory:') return 'A new, empty database was made in memory. It is gone when the server stops.'
  if (url.startsWith('sqlite:')) return `A new, empty database was made at ${resolve(url.slice('sqlite:'.length))}.`
  return `${describeUrl(url)} had no tables of Duebell: new, empty ones were made.`
}

async function appliedMigrations(db: Db, tables: ReadonlySet<string>): Promise<string[]> {
  if (!tables.has('kysely_migration')) return []
  const rows = await (db as unknown as Kysely<{ kysely_migration: { name: string } }>)
    .selectFrom('kysely_migration')
    .select('name')
    .execute()
  return rows.map(({ name }) => name)
}
