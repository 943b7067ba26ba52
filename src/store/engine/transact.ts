import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { openChanges } from '#store/changes.ts'
import { dialectOf } from '#store/dialects/dialect.ts'
import type { Db } from '#store/schema.ts'
import { openIndex } from '#store/search.ts'
import { markTransaction, runStatement } from './prepare.ts'
import { storageOf } from './storage.ts'
import { asProblem } from './unavailable.ts'

/**
 * Group commit. Wishes that arrive together share one transaction and one fsync; each is answered after it.
 *
 *   wish ─┐                       ┌─ wish 1 ────────────────────────┐
 *   wish ─┼─▶ queue ─▶ BEGIN, now ┼─ wish 2 · ✗ has changed nothing ┼─▶ COMMIT ─▶ 1 and 3 answered, 2 refused
 *   wish ─┘                       └─ wish 3 ────────────────────────┘
 *
 * A synced commit costs 0.1 to 0.2 ms, a create without it 0.02: one commit a request allows 3,300 creates a second on the
 * machine where sharing allows five times as many. Wishes know nothing of each other: one that throws leaves no trace.
 *
 * When one throws that may have changed something, everything is rolled back and run again, each behind a savepoint. So a wish may run
 * twice, and must do nothing outside its transaction. Not behind savepoints at once: over a network they are two more round trips a
 * wish, and SQLite copies each page before it is changed, a tenth of the time of an edit.
 */
export type Transact = <T>(wish: (tx: Db, now: number) => Promise<T>) => Promise<T>

interface Queued {
  readonly wish: (tx: Db, now: number) => Promise<unknown>
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/** More would make the first of them wait for the last: 256 creates take about 10 ms. */
const maxBatch = 256
/** A deadlock or a lock held by another is over when the other is; a wish that met one is tried this often … */
const maxTries = 10
/** Up to this much longer after each try; in real time, which is the database's as well. */
const restMs = 10
/** … unless it has waited this long: then whoever holds the lock will not let go soon, and 5 s is all that a request has. */
const patienceMs = 1_500

/**
 * @param onBroken called when the storage failed in a way that only a restart can mend
 * @param onChanged called at each COMMIT that changes tasks, before anybody is answered
 * @param onListed called after each COMMIT by which lists of changes have grown, with their users
 * @param onCommitted called after each COMMIT: how many wishes shared it, and how long it took from its BEGIN
 */
export function createTransact(
  db: Db,
  clock: Clock,
  onBroken: (error: unknown) => void,
  onChanged: () => void,
  onListed: (userIds: readonly number[]) => void = () => {},
  onCommitted: (wishes: number, ms: number) => void = () => {},
): Transact {
  const dialect = dialectOf(db)
  const queue: Queued[] = []
  let running = 0

  /** One transaction for some wishes. Throws when none of them happened. */
  async function runTogether(wishes: readonly Queued[], withSavepoints: boolean): Promise<(() => void)[]> {
    return db.connection().execute(async (connection) => {
      markTransaction(connection)
      const run = (statement: string) => runStatement(connection, statement, [])
      const startedAt = performance.now()
      await run(dialect.begin)
      try {
        const now = clock.now()
        const answers: (() => void)[] = []
        const changes = openChanges(connection)
        const index = openIndex(connection)
        // Alone, or behind a savepoint, it need not be known what a wish has changed.
        const rowsChanged = wishes.length > 1 && !withSavepoints ? dialect.rowsChanged : undefined
        for (const { wish, resolve, reject } of wishes) {
          if (withSavepoints) await run('savepoint wish')
          const before = await rowsChanged?.(connection)
          const noted = changes.length()
          const indexed = index.length()
          try {
            const value = await wish(connection, now)
            if (withSavepoints) await run('release savepoint wish')
            answers.push(() => resolve(value as never))
          } catch (error) {
            if (isPassing(error)) throw error
            if (withSavepoints) {
              await run('rollback to savepoint wish')
              await run('release savepoint wish')
            } else {
              // Only what we refuse ourselves: after some of its own errors SQLite has rolled all back.
              const hasChanged = before === undefined || before !== (await rowsChanged?.(connection))
              if (hasChanged || !(error instanceof Problem)) throw error
            }
            changes.dropFrom(noted)
            index.dropFrom(indexed)
            answers.push(() => reject(refusal(error)))
          }
        }
        await index.write()
        const userIds = await changes.write(now) // last, since it locks: others wait for the rest of this transaction alone
        if (changes.haveTasks()) onChanged()
        await run('commit')
        onCommitted(wishes.length, performance.now() - startedAt)
        if (userIds.length > 0) {
          // One that wrote nothing goes well on a full disk too.
          storageOf(db)?.noteStored()
          onListed(userIds)
        }
        return answers
      } catch (error) {
        // A failed COMMIT may have ended the transaction or not; what counts is the first error. Where nobody answers any more,
        // to wait for that would take as long again: the connection is closed, and the database rolls back.
        if (dialect.classify(error) !== 'gone') await run('rollback').catch(() => {})
        throw error
      }
    })
  }

  const isPassing = (error: unknown) => {
    const what = dialect.classify(error)
    return what === 'busy' || what === 'gone'
  }

  /** A lone wish never needs a savepoint: it is the transaction. */
  async function run(wishes: readonly Queued[]): Promise<(() => void)[]> {
    let withSavepoints = false
    const startedAt = clock.now()
    for (let attempt = 1; ; attempt++) {
      try {
        return await runTogether(wishes, withSavepoints)
      } catch (error) {
        const what = dialect.classify(error)
        const isBusy = what === 'busy'
        if (isBusy && (attempt >= maxTries || clock.now() - startedAt > patienceMs)) throw error
        // What is wrong with one of them must not be told to all, however long they have waited: so that is found out first.
        if (!isBusy && (wishes.length === 1 || withSavepoints || what === 'gone')) throw error
        if (!isBusy) withSavepoints = true
        // Each a while of its own: two that met in a deadlock would meet again.
        else await sleep(Math.random() * restMs * attempt)
      }
    }
  }

  function refusal(error: unknown): unknown {
    if (dialect.classify(error) === 'broken') onBroken(error)
    return asProblem(db, error)
  }

  async function drain() {
    const wishes = queue.splice(0, maxBatch)
    if (wishes.length > 0) {
      try {
        for (const answer of await run(wishes)) answer()
      } catch (error) {
        const problem = refusal(error)
        // Who queued behind a database that does not answer has waited as long as those in front.
        if (dialect.classify(error) === 'gone') wishes.push(...queue.splice(0))
        for (const { reject } of wishes) reject(problem)
      }
    }
    if (queue.length > 0) setImmediate(drain)
    else running--
  }

  return (wish) =>
    new Promise((resolve, reject) => {
      queue.push({ wish, resolve, reject })
      if (running >= dialect.maxTransactions) return
      running++
      // Not a microtask: those run between two sockets' data. setImmediate comes after all that arrived in this turn.
      setImmediate(drain)
    })
}
