import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { type Dialect, dialectOf, type ErrorClass } from '#store/dialects/dialect.ts'
import type { Db } from '#store/schema.ts'
import { markTransaction, runStatement } from './prepare.ts'
import { asProblem } from './unavailable.ts'

/**
 * Group commit. Units of work that arrive together share one transaction and one fsync. Each caller is answered after the COMMIT.
 *
 *   work ─┐                       ┌─ work 1 ────────────────────────┐
 *   work ─┼─▶ queue ─▶ BEGIN, now ┼─ work 2 · ✗ has changed nothing ┼─▶ COMMIT ─▶ 1 and 3 resolve, 2 rejects
 *   work ─┘                       └─ work 3 ────────────────────────┘
 *
 * A synced commit costs 0.1 to 0.2 ms, a create without it 0.02. One commit a request allows 3,300 creates a second on the
 * machine where sharing allows five times as many. Units of work are isolated: one that throws leaves no trace.
 *
 * When one throws that may have changed something, the transaction is rolled back and runs again, each unit behind a savepoint. So a
 * unit may run twice, and must have no effect outside its transaction. Savepoints are not used at once: over a network they are two
 * more round trips a unit, and SQLite copies each page before it is changed, a tenth of the time of an edit.
 *
 * A unit that meets a damaged page fails alone, and the others of its batch run again in a transaction each. Savepoints are no help
 * there: after such an error SQLite refuses every write until the transaction ends (SQLITE_CorruptRdOnly).
 */
export type Transact = <T>(work: (tx: Db, now: number) => Promise<T>) => Promise<T>

/**
 * Gathers what units of work add to a transaction besides their own statements, such as numbered changes, and writes it at the end.
 * Records hand their collectors over (open.ts), so that the engine imports no record.
 */
export interface Collector {
  /** How many entries it has so far. */
  length(): number
  /** Discards the entries from an index on, because the unit of work that added them has failed. */
  truncate(length: number): void
  write(now: number): Promise<void>
  /** Called directly before the COMMIT. */
  onCommit?(): void
  /** Called after the COMMIT, before any caller is answered. */
  onCommitted?(): void
}

export interface TransactDeps {
  readonly db: Db
  readonly clock: Clock
  /** The collectors of a new transaction, in the order in which they write. One that takes locks comes last. */
  readonly collect: (tx: Db) => readonly Collector[]
  /** Called when the storage failed in a way that only a restart can mend. */
  readonly onBroken: (error: unknown) => void
  /** Called after each COMMIT: how many units of work shared it, and the time since its BEGIN. */
  readonly onCommitted?: ((works: number, ms: number) => void) | undefined
}

interface Queued {
  readonly work: (tx: Db, now: number) => Promise<unknown>
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
  /** Set once it has shared a batch that met a damaged page. */
  readonly isAlone?: true
}

/** Calls back one caller with the result of its unit of work. */
type Answer = () => void

/** A larger batch would make its first unit wait for the last: 256 creates take about 10 ms. */
const maxBatch = 256
/** A batch that meets a deadlock or a lock is tried this often … */
const maxTries = 10
/** … with up to this much longer a pause after each try, in real time, which is the database's as well … */
const pauseMs = 10
/** … unless it has waited this long. Then the lock will not be released soon, and a request has only 5 s. */
const patienceMs = 1_500

export function createTransact(deps: TransactDeps): Transact {
  const dialect = dialectOf(deps.db)
  const queue: Queued[] = []
  let running = 0

  async function drain() {
    const batch = queue.splice(0, queue[0]?.isAlone ? 1 : maxBatch)
    if (batch.length > 0) {
      try {
        for (const answer of await runBatch(deps, batch)) answer()
      } catch (error) {
        const what = dialect.classify(error)
        if (what === 'damaged' && batch.length > 1) queue.unshift(...batch.map(runAlone))
        else {
          const problem = toRejection(deps, error)
          // The units queued behind a database that does not answer have waited as long as those in front.
          if (what === 'gone') batch.push(...queue.splice(0))
          for (const { reject } of batch) reject(problem)
        }
      }
    }
    if (queue.length > 0) setImmediate(drain)
    else running--
  }

  return (work) =>
    new Promise((resolve, reject) => {
      queue.push({ work, resolve, reject })
      if (running >= dialect.maxTransactions) return
      running++
      // A microtask would run between the data of two sockets. setImmediate runs after everything that arrived in this turn.
      setImmediate(drain)
    })
}

const runAlone = (queued: Queued): Queued => ({ ...queued, isAlone: true })

/** Runs a batch until it commits. A batch of one never needs a savepoint: it is the transaction. */
async function runBatch(deps: TransactDeps, batch: readonly Queued[]): Promise<Answer[]> {
  const { db, clock } = deps
  let withSavepoints = false
  const startedAt = clock.now()
  for (let attempt = 1; ; attempt++) {
    try {
      return await runTransaction(deps, batch, withSavepoints)
    } catch (error) {
      const what = dialectOf(db).classify(error)
      const isBusy = what === 'busy'
      if (isBusy && (attempt >= maxTries || clock.now() - startedAt > patienceMs)) throw error
      // The error of one unit must not reject all, however long they have waited. Savepoints find out whose it is.
      if (!isBusy && (batch.length === 1 || withSavepoints || endsTransaction(what))) throw error
      if (!isBusy) withSavepoints = true
      // Pauses are random: two transactions that met in a deadlock would meet again.
      else await sleep(Math.random() * pauseMs * attempt)
    }
  }
}

/** Whether no unit of a transaction can write after such an error, not even behind a savepoint. */
const endsTransaction = (what: ErrorClass) => what === 'gone' || what === 'damaged'

interface Transaction {
  readonly tx: Db
  readonly dialect: Dialect
  readonly now: number
  readonly collectors: readonly Collector[]
  readonly withSavepoints: boolean
  /** Absent where a failed unit of work needs no check of what it changed: it is alone, or behind a savepoint. */
  readonly rowsChanged: Dialect['rowsChanged']
}

/** One transaction for a batch. Throws when none of it happened. */
function runTransaction(deps: TransactDeps, batch: readonly Queued[], withSavepoints: boolean): Promise<Answer[]> {
  const { db, clock } = deps
  const dialect = dialectOf(db)
  return db.connection().execute(async (tx) => {
    markTransaction(tx)
    const startedAt = performance.now()
    await runStatement(tx, dialect.begin, [])
    try {
      const now = clock.now()
      const collectors = deps.collect(tx)
      const rowsChanged = batch.length > 1 && !withSavepoints ? dialect.rowsChanged : undefined
      const transaction = { tx, dialect, now, collectors, withSavepoints, rowsChanged }
      const answers: Answer[] = []
      for (const queued of batch) answers.push(await runWork(deps, transaction, queued))
      for (const collector of collectors) await collector.write(now)
      for (const collector of collectors) collector.onCommit?.()
      await runStatement(tx, 'commit', [])
      deps.onCommitted?.(batch.length, performance.now() - startedAt)
      for (const collector of collectors) collector.onCommitted?.()
      return answers
    } catch (error) {
      // A failed COMMIT may have ended the transaction or not; the first error counts. Where the database does not answer, a
      // ROLLBACK would wait as long again: the connection is closed, and the database rolls back.
      if (dialect.classify(error) !== 'gone') await runStatement(tx, 'rollback', []).catch(() => {})
      throw error
    }
  })
}

/** @throws where the whole transaction has to be rolled back */
async function runWork(deps: TransactDeps, transaction: Transaction, queued: Queued): Promise<Answer> {
  const { tx, dialect, now, collectors, withSavepoints, rowsChanged } = transaction
  const { work, resolve, reject } = queued
  if (withSavepoints) await runStatement(tx, 'savepoint unit_of_work', [])
  const before = await rowsChanged?.(tx)
  const lengths = collectors.map((collector) => collector.length())
  try {
    const value = await work(tx, now)
    if (withSavepoints) await runStatement(tx, 'release savepoint unit_of_work', [])
    return () => resolve(value as never)
  } catch (error) {
    const what = dialect.classify(error)
    if (what === 'busy' || endsTransaction(what)) throw error
    if (withSavepoints) {
      await runStatement(tx, 'rollback to savepoint unit_of_work', [])
      await runStatement(tx, 'release savepoint unit_of_work', [])
    } else {
      // Only a Problem leaves the transaction intact: after some of its own errors SQLite has rolled everything back.
      const hasChanged = before === undefined || before !== (await rowsChanged?.(tx))
      if (hasChanged || !(error instanceof Problem)) throw error
    }
    for (const [i, collector] of collectors.entries()) collector.truncate(lengths[i] as number)
    return () => reject(toRejection(deps, error))
  }
}

function toRejection({ db, onBroken }: TransactDeps, error: unknown): unknown {
  if (dialectOf(db).classify(error) === 'broken') onBroken(error)
  return asProblem(db, error)
}
