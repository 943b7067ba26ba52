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
 * What is kept for a while goes when that is over. Once an hour each chore is asked again and again, a small transaction at a time,
 * until none finds anything: the bell and every request come in between. Replicas may all do so at once.
 *
 * Knows nothing of what a chore throws away.
 */
export interface MaintenanceTask {
  readonly name: string
  /** One small transaction. Answers how much it threw away: 0 when nothing is left. */
  run(now: number): Promise<number>
}

const everyMs = 3_600_000
/** After the start, when what is overdue rings and requests come that have waited; soon enough for a server that never runs for an hour. */
const firstMs = 5 * 60_000
/** Rows of one transaction: 5 to 10 ms on the embedded database. */
const batchSize = 1_000

export function startMaintenance(parts: {
  clock: Clock
  maintenanceTasks: readonly MaintenanceTask[]
  log: Logger
  /** Whether an error will come again however soon a chore is tried again. */
  isLasting?: (error: unknown) => boolean
}): Loop {
  const { clock, maintenanceTasks, log, isLasting = () => false } = parts
  const failing = new Set<string>()
  let nextAt = clock.now() + firstMs
  return startLoop('housekeeping', {
    clock,
    log: parts.log,
    async nextAt() {
      nextAt = Math.min(nextAt, clock.now() + everyMs) // a clock that was set back must not put it off
      return nextAt
    },
    async work() {
      let count = 0
      let failure: unknown
      // One that fails keeps no other from its turn.
      for (const { name, run } of maintenanceTasks) {
        try {
          count += await run(clock.now())
          failing.delete(name)
        } catch (error) {
          if (isLasting(error)) {
            if (!failing.has(name))
              log.error({ err: error, maintenanceTask: name }, 'a chore failed; tried again in an hour')
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

/** For good: what has been in the trash for this many days. */
export function emptyTrash({ db, transact }: Pick<Store, 'db' | 'transact'>, days: number): MaintenanceTask {
  const aside = createSetAside()

  /** Where one lies on a damaged page. @returns how many were tried */
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

/** Answers that are kept for a repeated request. */
export function purgeIdempotencyRecords({ transact }: Pick<Store, 'transact'>): MaintenanceTask {
  return {
    name: 'answers',
    run: (now) => transact((tx) => deleteExpiredIdempotencyKeys(tx, now - keyLifetimeMs, batchSize)),
  }
}

/** Tokens, sessions and invitations that are good for nothing any more; for a day, whoever asks with one is told that it has expired. */
export function purgeTokens({ transact }: Pick<Store, 'transact'>): MaintenanceTask {
  return {
    name: 'tokens',
    run: (now) => transact((tx) => purgeExpiredTokens(tx, now - dayMs, batchSize)),
  }
}

const auditDays = 400

/** Who did what, once a year has been looked back at. */
export function trimAudit({ transact }: Pick<Store, 'transact'>): MaintenanceTask {
  return {
    name: 'audit',
    run: (now) => transact((tx) => trimAuditLog(tx, now - auditDays * dayMs, batchSize)),
  }
}

/** Whoever follows the changes and has been away for longer begins again. */
const changesKept = { days: 7, count: 100_000 }

export function trimChanges({ db, transact }: Pick<Store, 'db' | 'transact'>): MaintenanceTask {
  return {
    name: 'changes',
    async run(now) {
      const before = now - changesKept.days * dayMs
      let count = 0
      for (const userId of await usersWithChanges(db))
        count += await transact((tx) =>
          trimChangeLog(tx, userId, { before, keep: changesKept.count, limit: batchSize }),
        )
      return count
    },
  }
}
