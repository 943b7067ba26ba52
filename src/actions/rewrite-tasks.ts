import { hasMovedExpiry, rememberFired } from '#core/alarm.ts'
import type { ChangeKind } from '#core/change.ts'
import type { Defaults } from '#core/reminder.ts'
import { type AlarmSettings, freshen } from '#core/stale-alarm.ts'
import type { Task } from '#core/task.ts'
import { recordChange } from '#store/changes.ts'
import { reviveCancelled } from '#store/deliveries.ts'
import { moveNotifications } from '#store/moved-expiries.ts'
import { firedUntil } from '#store/notifications.ts'
import type { Db } from '#store/schema.ts'
import { indexTask } from '#store/search.ts'
import { saveTasks, type TaskUpdate } from '#store/task-writes.ts'
import { userInTransaction } from '#store/users.ts'
import type { WakeAt } from './perform.ts'
import { createNextTasks, lockNextTasks, takeBackNextTasks } from './recurring-tasks.ts'

/** Writes changed tasks. Whichever way a task is changed, it passes here. */

export type Make = (task: Task, now: number, defaults: Defaults) => Task

/**
 * The alarm shows what is about to fire, so a stale alarm is computed before the change. A change that has no effect remains without a
 * write.
 */
export function updateOf(before: Task, settings: AlarmSettings, now: number, make: (task: Task) => Task): TaskUpdate {
  const fresh = freshen(before, settings, now)
  const after = make(fresh)
  return { before, after: after === fresh ? before : after }
}

/** Changes a task, whose row the caller has locked, and writes it. @returns the task as written */
export async function rewriteOne(tx: Db, before: Task, make: Make, now: number, wakeAt: WakeAt): Promise<Task> {
  const nextTasks = await lockNextTasks(tx, before.userId, [before])
  const settings = await userInTransaction(tx, before.userId)
  const { defaults } = settings
  const update = updateOf(before, settings, now, (task) => make(task, now, defaults))
  const [written] = await rewrite(tx, { defaults, nextTasks }, [update], now, wakeAt)
  return written as Task
}

/**
 * Writes changed tasks, whose rows the caller has locked, and continues the series of recurring ones.
 * @param deps.nextTasks as `lockNextTasks` returned them
 * @returns the tasks as written, in the same order
 */
export async function rewrite(
  tx: Db,
  { defaults, nextTasks }: { defaults: Defaults; nextTasks: ReadonlyMap<number, Task> },
  changes: readonly TaskUpdate[],
  now: number,
  wakeAt: WakeAt,
): Promise<Task[]> {
  const hasMoved = ({ before, after }: TaskUpdate) => hasMovedExpiry(before, after)
  const isReopened = ({ before, after }: TaskUpdate) => before.completedAt !== null && after.completedAt === null
  // The notifications of a day in another zone move first: reopening looks for them, and for their cancelled deliveries, at the new expiry.
  await moveNotifications(
    tx,
    changes.flatMap((one) => {
      const { id, expiryAt: to } = one.after
      const from = one.before.expiryAt
      return from !== null && to !== null && from !== to && !hasMoved(one) ? [{ id, from, to }] : []
    }),
  )
  // Tasks that return to an earlier expiry: reminders that fired stay fired, and cancelled deliveries are pending again.
  const returned = changes.flatMap((one) => {
    const { id, expiryAt } = one.after
    return expiryAt !== null && (hasMoved(one) || isReopened(one)) ? { id, expiryAt } : []
  })
  const firedUntilOf = await firedUntil(tx, returned)
  if (firedUntilOf.size > 0) {
    const revived = await reviveCancelled(
      tx,
      returned.filter(({ id }) => firedUntilOf.has(id)),
      now,
    )
    if (revived > 0) wakeAt(now)
  }
  const remembered = changes.map((one) => {
    const until = hasMoved(one) ? firedUntilOf.get(one.after.id) : undefined
    return until === undefined ? one : { ...one, after: rememberFired(one.after, until, defaults, now) }
  })
  const { updates, deleted } = await takeBackNextTasks(tx, remembered, nextTasks)
  const { updates: written, created } = await createNextTasks(tx, defaults, updates, now)
  const changed = written.filter(({ before, after }) => after !== before)
  await saveTasks(tx, changed)
  for (const { before, after } of changed) {
    if (after.title !== before.title || after.description !== before.description) indexTask(tx, after)
    recordChange(tx, { userId: after.userId, taskId: after.id, kind: changeKind(before, after) })
    wakeAt(after.notifyAt)
    const next = created.get(after.id)
    if (!next) continue
    recordChange(tx, { userId: next.userId, taskId: next.id, kind: 'created' })
    wakeAt(next.notifyAt)
  }
  const userId = changes[0]?.after.userId ?? 0
  for (const taskId of deleted) recordChange(tx, { userId, taskId, kind: 'deleted' })
  return written.map(({ after }) => after)
}

function changeKind(before: Task, after: Task): ChangeKind {
  if (before.completedAt === null && after.completedAt !== null) return 'completed'
  if (before.completedAt !== null && after.completedAt === null) return 'reopened'
  if (after.snoozedUntilAt !== null && before.snoozedUntilAt !== after.snoozedUntilAt) return 'snoozed'
  return 'updated'
}
