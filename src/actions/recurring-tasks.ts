import { randomUUIDv7 } from 'node:crypto'
import { type DateTimeInput, instantOf } from '#core/date-time.ts'
import { nextTask } from '#core/recurring-task.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Task } from '#core/task.ts'
import { insertTasks } from '#store/new-tasks.ts'
import type { Db } from '#store/schema.ts'
import { deleteForGood, insertTask, releaseKeys, type TaskUpdate } from '#store/task-writes.ts'
import { lockTask, lockTasksOf } from '#store/tasks.ts'
import { defaultsInTransaction } from '#store/users.ts'

/**
 * Completing a recurring task creates the task of the next occurrence, in the same transaction. The row of the completed task is locked, and
 * names the next one from then on: so there is one, whatever is repeated or raced.
 *
 *   complete   1 (open) ──▶ 1 (completed, next 2) + 2 (open, previous 1, the key)
 *   reopen     1 (open, the key), and 2 is gone; both stay if 2 was changed
 */

const isCompletedNow = ({ before, after }: TaskUpdate) => before.completedAt === null && after.completedAt !== null
const isReopenedNow = ({ before, after }: TaskUpdate) => before.completedAt !== null && after.completedAt === null

/**
 * Inserts the next tasks of recurring tasks that are being completed: a thousand in three or four statements.
 * @returns the changes as they must be written, and each new task under the id of its previous one
 */
export async function createNextTasks(
  tx: Db,
  defaults: Defaults,
  updates: readonly TaskUpdate[],
  now: number,
): Promise<{ updates: readonly TaskUpdate[]; created: ReadonlyMap<number, Task> }> {
  const made = updates.flatMap((one) => {
    if (!isCompletedNow(one) || one.after.recurrenceRule === null || one.after.nextId !== null) return []
    const next = nextTask(one.after, randomUUIDv7(), defaults, now)
    return next ? [next] : []
  })
  const [first] = made
  if (!first) return { updates, created: new Map() }
  // The key is free before the insert: no database checks uniqueness only at the end.
  const keys = new Set(made.flatMap(({ key }) => (key === null ? [] : [key])))
  const holders = updates.filter(({ before }) => before.key !== null && keys.has(before.key))
  const moving = holders.filter((one) => isCompletedNow(one) || one.after.key !== one.before.key)
  await releaseKeys(
    tx,
    moving.map(({ before }) => before),
  )
  const inserted = made.length === 1 ? [await insertTask(tx, first)] : await insertTasks(tx, first.userId, made)
  const created = new Map(inserted.map((task) => [task.previousId as number, task]))
  return {
    updates: updates.map((one) => {
      const next = created.get(one.after.id)
      return next ? { ...one, after: { ...one.after, key: null, nextId: next.id } } : one
    }),
    created,
  }
}

/** Locks the next tasks of completed ones, which reopening may take back. Before the row of the user: all writers keep this order. */
export async function lockNextTasks(
  tx: Db,
  userId: number,
  tasks: readonly Task[],
): Promise<ReadonlyMap<number, Task>> {
  const ids = tasks.flatMap(({ completedAt, nextId }) => (completedAt !== null && nextId !== null ? [nextId] : []))
  return ids.length === 0 ? new Map() : lockTasksOf(tx, userId, ids)
}

/**
 * Deletes the next tasks of tasks that are being reopened, unless they were changed. They are not in the trash: no user has deleted
 * them, and their key returns.
 * @param nextTasks as `lockNextTasks` returned them
 * @returns the changes as they must be written, and the ids of the deleted tasks
 */
export async function takeBackNextTasks(
  tx: Db,
  updates: readonly TaskUpdate[],
  nextTasks: ReadonlyMap<number, Task>,
): Promise<{ updates: readonly TaskUpdate[]; deleted: readonly number[] }> {
  const requested = new Set(updates.map(({ after }) => after.id))
  const untouched = (one: TaskUpdate) => {
    const next = isReopenedNow(one) ? nextTasks.get(one.after.nextId ?? 0) : undefined
    const isUntouched = next?.version === 1 && next.completedAt === null && !requested.has(next.id)
    return isUntouched && next.previousId === one.after.id ? next : undefined
  }
  const deleted = updates.flatMap((one) => untouched(one)?.id ?? [])
  if (deleted.length === 0) return { updates, deleted }
  await deleteForGood(tx, deleted)
  return {
    updates: updates.map((one) => {
      const next = untouched(one)
      return next ? { ...one, after: { ...one.after, key: one.after.key ?? next.key, nextId: null } } : one
    }),
    deleted,
  }
}

/**
 * The task that a PUT by key means, whose holder is locked. A repeated PUT that completes means the task that the first one has completed,
 * though the key is at the next one by now: PUT is idempotent (RFC 9110 section 9.2.2). It is known by its instant.
 *
 * The holder is locked first: between a look at it and the lock, another replica may complete the one before. Reopening locks in the opposite
 * order. If the two meet in a deadlock, the database ends one of them, and it runs again.
 */
export async function meantByKey(
  tx: Db,
  holder: Task | undefined,
  completed: DateTimeInput | null | undefined,
): Promise<Task | undefined> {
  if (!completed || !holder || holder.previousId === null || holder.completedAt !== null) return holder
  const previous = await lockTask(tx, holder.userId, holder.previousId)
  if (!previous || previous.completedAt === null || previous.nextId !== holder.id) return holder
  const { timeZone } = await defaultsInTransaction(tx, holder.userId)
  return instantOf(completed, previous.timeZone ?? timeZone) === previous.completedAt ? previous : holder
}
