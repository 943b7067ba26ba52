import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { trimAuditLog } from '#store/audit.ts'
import { trimChangeLog, usersWithChanges } from '#store/changes.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { deleteExpiredIdempotencyKeys, keyLifetimeMs } from '#store/idempotency-keys.ts'
import { purgeExpiredTokens } from '#store/tokens.ts'
import { oldTrashIds, purgeOldTrash, purgeRows } from '#store/trash.ts'
import { type Loop, startLoop } from './loop.ts'
import { createSetAside } from './set-aside.ts'

/**
 * Deletes data whose retention is over. Once an hour each maintenance task runs again and again, a small transaction at a time, until
 * none finds anything. Reminders and requests run in between, and replicas may all do so at once.
 *
 * The loop knows nothing of the data that a task deletes.
 */
export interface MaintenanceTask {
  readonly name: string
  /** Runs one small transaction. @returns how much it deleted; 0 when nothing is left */
  run(now: number): Promise<number>
}

const everyMs = 3_600_000
/** After overdue reminders and waiting requests of a startup, and in time for a server that never runs for an hour. */
const firstMs = 5 * 60_000
/** Rows in one transaction: 5 to 10 ms on the embedded database. */
const batchSize = 1_000

export function startMaintenance({
  clock,
  maintenanceTasks,
  log,
  isPermanent = () => false,
}: {
  clock: Clock
  maintenanceTasks: readonly MaintenanceTask[]
  log: Logger
  /** Whether retrying soon cannot help. */
  isPermanent?: (error: unknown) => boolean
}): Loop {
  const failing = new Set<string>()
  let nextAt = clock.now() + firstMs
  return startLoop('maintenance', {
    clock,
    log,
    async nextAt() {
      nextAt = Math.min(nextAt, clock.now() + everyMs) // a clock that was set back must not delay maintenance
      return nextAt
    },
    async work() {
      let count = 0
      let failure: unknown
      // A task that fails does not stop the others.
      for (const { name, run } of maintenanceTasks) {
        try {
          count += await run(clock.now())
          failing.delete(name)
        } catch (error) {
          if (isPermanent(error)) {
            if (!failing.has(name))
              log.error({ err: error, maintenanceTask: name }, 'maintenance task failed; retrying in an hour')
            failing.add(name)
          } else failure ??= new Error(`${name}: ${(error as Error).message}`, { cause: error })
        }
      }
      if (failure !== undefined) throw failure
      if (count === 0) nextAt = clock.now() + everyMs
      return Math.max(count, 1)
    },
  })
}

const dayMs = 86_400_000

/** Purges tasks that have been in the trash for this many days. */
export function emptyTrash({ db, transact }: Pick<Store, 'db' | 'transact'>, days: number): MaintenanceTask {
  const aside = createSetAside()

  /** For a batch that meets a damaged page. @returns how many were tried */
  async function purgeOneByOne(now: number): Promise<number> {
    const ids = await oldTrashIds(db, now - days * dayMs, batchSize, aside.ids(now))
    for (const id of ids)
      try {
        await transact((tx) => purgeRows(tx, [id]))
      } catch (error) {
        if (!isDamage(db, error)) throw error
        aside.add(id, now)
      }
    return ids.length
  }

  return {
    name: 'trash',
    run: (now) =>
      transact((tx) => purgeOldTrash(tx, now - days * dayMs, batchSize, aside.ids(now))).catch((error) => {
        if (!isDamage(db, error)) throw error
        return purgeOneByOne(now)
      }),
  }
}

/** Purges idempotency records. */
export function purgeIdempotencyRecords({ transact }: Pick<Store, 'transact'>): MaintenanceTask {
  return {
    name: 'idempotency-keys',
    run: (now) => transact((tx) => deleteExpiredIdempotencyKeys(tx, now - keyLifetimeMs, batchSize)),
  }
}

/** Purges expired tokens, sessions and invitations after a day. Until then requests with one learn that it has expired. */
export function purgeTokens({ transact }: Pick<Store, 'transact'>): MaintenanceTask {
  return {
    name: 'tokens',
    run: (now) => transact((tx) => purgeExpiredTokens(tx, now - dayMs, batchSize)),
  }
}

const auditDays = 400

/** Trims the audit log after more than a year, so that a year can be reviewed. */
export function trimAudit({ transact }: Pick<Store, 'transact'>): MaintenanceTask {
  return {
    name: 'audit',
    run: (now) => transact((tx) => trimAuditLog(tx, now - auditDays * dayMs, batchSize)),
  }
}

/** A follower of the changes that was away for longer starts anew. */
const retainedChanges = { days: 7, count: 100_000 }

export function trimChanges({ db, transact }: Pick<Store, 'db' | 'transact'>): MaintenanceTask {
  return {
    name: 'changes',
    async run(now) {
      const before = now - retainedChanges.days * dayMs
      let count = 0
      for (const userId of await usersWithChanges(db))
        count += await transact((tx) =>
          trimChangeLog(tx, userId, { before, keep: retainedChanges.count, limit: batchSize }),
        )
      return count
    },
  }
}
