import { randomUUIDv7 } from 'node:crypto'
import { hasMovedExpiry, rememberFired } from '#core/alarm.ts'
import type { Actor } from '#core/caller.ts'
import type { ChangeKind } from '#core/change.ts'
import type { DateTimeInput } from '#core/date-time.ts'
import { type Fault, Problem, withPointerPrefix } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import { type AlarmSettings, freshen } from '#core/stale-alarm.ts'
import type { Task, TaskDraft, TaskPatch } from '#core/task.ts'
import {
  applyPatch,
  checkKey,
  completeTask as completed,
  newTask,
  reopenTask as reopened,
  snoozeTask as snoozed,
} from '#core/task-changes.ts'
import { recordChange } from '#store/changes.ts'
import { reviveCancelled } from '#store/deliveries.ts'
import { moveNotifications } from '#store/moved-expiries.ts'
import { firedUntil } from '#store/notifications.ts'
import type { Db } from '#store/schema.ts'
import { indexTask } from '#store/search.ts'
import { insertTask, saveTasks, type TaskUpdate } from '#store/task-writes.ts'
import * as tasks from '#store/tasks.ts'
import { moveToTrash } from '#store/trash.ts'
import { defaultsInTransaction, userInTransaction } from '#store/users.ts'
import { type Precondition, requirePrecondition } from './conditions.ts'
import type { Context } from './context.ts'
import { perform, type WakeAt } from './perform.ts'

export interface TaskTarget extends Precondition {
  readonly id: number
}

/** @throws Problem `invalid`, `conflict` (uid or key is taken) */
export async function createTask(ctx: Context, actor: Actor, draft: TaskDraft): Promise<Task> {
  return perform(ctx, (tx, now, wakeAt) => insert(tx, actor, draft, now, wakeAt))
}

async function insert(tx: Db, { userId }: Actor, draft: TaskDraft, now: number, wakeAt: WakeAt): Promise<Task> {
  const defaults = await defaultsInTransaction(tx, userId)
  const task = await insertTask(tx, newTask(draft, userId, randomUUIDv7(), defaults, now))
  recordChange(tx, { userId, taskId: task.id, kind: 'created' })
  wakeAt(task.notifyAt)
  return task
}

/** @throws Problem `not-found`, `stale` with the current task, `invalid`, `conflict` */
export async function updateTask(ctx: Context, actor: Actor, target: TaskTarget, patch: TaskPatch): Promise<Task> {
  return change(ctx, actor, target, (task, now, defaults) => applyPatch(task, patch, defaults, now))
}

/**
 * Creates the task with the caller's own key, or changes it as `updateTask` does.
 * @throws Problem `stale`, `invalid` (without a title there is nothing to create), `conflict` (the uid is taken)
 */
export async function putTaskByKey(
  ctx: Context,
  actor: Actor,
  key: string,
  condition: Precondition,
  draft: Partial<TaskDraft>,
): Promise<Task> {
  const { uid: _, ...patch } = draft
  const put = () =>
    perform(ctx, async (tx, now, wakeAt) => {
      const before = await tasks.lockTaskByKey(tx, actor.userId, key)
      requirePrecondition(condition, before)
      if (!before) return insert(tx, actor, { ...draft, title: draft.title ?? missingTitle(), key }, now, wakeAt)
      return rewriteOne(tx, before, (task, now, defaults) => applyPatch(task, patch, defaults, now), now, wakeAt)
    })
  checkKey(key)
  try {
    return await put()
  } catch (error) {
    // Another request created the task after our check: now it exists. A uid that is taken still fails.
    if (!(error instanceof Problem && error.kind === 'conflict')) throw error
    return put()
  }
}

function missingTitle(): never {
  throw new Problem('invalid', 'There is no such task yet. Give a title to create it.', {
    faults: [{ at: { pointer: '/title' }, detail: 'is missing' }],
  })
}

/** Completing a completed task changes nothing. @throws Problem `not-found`, `stale` */
export async function completeTask(ctx: Context, actor: Actor, target: TaskTarget): Promise<Task> {
  return change(ctx, actor, target, (task, now, defaults) => completed(task, defaults, now))
}

/** Reopening an open task changes nothing. @throws Problem `not-found`, `stale` */
export async function reopenTask(ctx: Context, actor: Actor, target: TaskTarget): Promise<Task> {
  return change(ctx, actor, target, (task, now, defaults) => reopened(task, defaults, now))
}

/**
 * @param until an instant, or a duration from now in ms
 * @throws Problem `not-found`, `stale`, `conflict` (completed, or no expiry), `invalid` (not in the future)
 */
export async function snoozeTask(
  ctx: Context,
  actor: Actor,
  target: TaskTarget,
  until: DateTimeInput | { readonly forMs: number },
): Promise<Task> {
  return change(ctx, actor, target, (task, now, defaults) =>
    'forMs' in until
      ? snoozed(task, { at: now + until.forMs }, '/for', defaults, now)
      : snoozed(task, until, '/until', defaults, now),
  )
}

/** The change of one task among several. `version`: the version it must still have, if the caller requires one. */
export interface BulkTaskPatch {
  readonly id: number
  readonly version?: number | undefined
  readonly patch: TaskPatch
}

/**
 * Updates all tasks or none. Ids that do not exist are returned as `missing`, or refused if the caller is strict.
 * @throws Problem `conflict` naming each task at another version, or a key that is taken; `not-found`, `invalid`
 */
export async function updateTasks(
  ctx: Context,
  actor: Actor,
  patches: readonly BulkTaskPatch[],
  { isStrict = false } = {},
): Promise<{ tasks: Task[]; missing: number[] }> {
  return perform(ctx, async (tx, now, wakeAt) => {
    const ids = patches.map(({ id }) => id)
    const before = await tasks.lockTasksOf(tx, actor.userId, ids)
    const missing = ids.filter((id) => !before.has(id))
    if (isStrict && missing.length > 0)
      throw new Problem('not-found', `${missing.length} of the tasks do not exist. Nothing was changed.`, { missing })
    requireVersions(patches, before)
    const settings = await userInTransaction(tx, actor.userId)
    const { defaults } = settings
    const changes = patches.flatMap(({ id, patch }, i) => {
      const task = before.get(id)
      if (!task) return []
      return withPointerPrefix(`/tasks/${i}`, () =>
        updateOf(task, settings, now, (fresh) => applyPatch(fresh, patch, defaults, now)),
      )
    })
    return { tasks: await rewrite(tx, defaults, changes, now, wakeAt), missing }
  })
}

function requireVersions(patches: readonly BulkTaskPatch[], before: ReadonlyMap<number, Task>): void {
  const faults: Fault[] = []
  for (const [i, { id, version }] of patches.entries()) {
    const task = before.get(id)
    if (task && version !== undefined && version !== task.version)
      faults.push({
        at: { pointer: `/tasks/${i}/version` },
        detail: `is ${version}, but task ${id} is at ${task.version}`,
      })
  }
  if (faults.length > 0)
    throw new Problem('conflict', `${faults.length} of the tasks were changed since. Nothing was changed now.`, {
      faults,
    })
}

/** Moves a task to the trash. @throws Problem `not-found`, `stale` */
export async function deleteTask(
  { transact }: Context,
  actor: Actor,
  target: TaskTarget,
): Promise<{ deletedAt: number }> {
  return transact(async (tx, now) => {
    await taskToChange(tx, actor, target)
    await moveToTrash(tx, [target.id], randomUUIDv7(), now)
    recordChange(tx, { userId: actor.userId, taskId: target.id, kind: 'deleted' })
    return { deletedAt: now }
  })
}

type Make = (task: Task, now: number, defaults: Defaults) => Task

/** Reads a task, changes it, and writes it with its alarm. */
async function change(ctx: Context, actor: Actor, target: TaskTarget, make: Make): Promise<Task> {
  return perform(ctx, async (tx, now, wakeAt) =>
    rewriteOne(tx, await taskToChange(tx, actor, target), make, now, wakeAt),
  )
}

/**
 * The alarm shows what is about to fire, so a stale alarm is computed before the change. A change that has no effect remains without a
 * write.
 */
function updateOf(before: Task, settings: AlarmSettings, now: number, make: (task: Task) => Task): TaskUpdate {
  const fresh = freshen(before, settings, now)
  const after = make(fresh)
  return { before, after: after === fresh ? before : after }
}

/** Changes a task, whose row the caller has locked, and writes it. @returns the task as written */
async function rewriteOne(tx: Db, before: Task, make: Make, now: number, wakeAt: WakeAt): Promise<Task> {
  const settings = await userInTransaction(tx, before.userId)
  const { defaults } = settings
  const update = updateOf(before, settings, now, (task) => make(task, now, defaults))
  const [written] = await rewrite(tx, defaults, [update], now, wakeAt)
  return written as Task
}

/** Writes changed tasks, whose rows the caller has locked. @returns the tasks as written, in the same order */
async function rewrite(
  tx: Db,
  defaults: Defaults,
  changes: readonly TaskUpdate[],
  now: number,
  wakeAt: WakeAt,
): Promise<Task[]> {
  const hasMoved = ({ before, after }: TaskUpdate) => hasMovedExpiry(before, after)
  const isReopened = ({ before, after }: TaskUpdate) => before.completedAt !== null && after.completedAt === null
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
  const written = changes.map((one) => {
    const until = hasMoved(one) ? firedUntilOf.get(one.after.id) : undefined
    return until === undefined ? one : { ...one, after: rememberFired(one.after, until, defaults, now) }
  })
  const changed = written.filter(({ before, after }) => after !== before)
  await saveTasks(tx, changed)
  await moveNotifications(
    tx,
    changed.flatMap((one) => {
      const { before, after } = one
      const isMoved = before.expiryAt !== null && after.expiryAt !== null && before.expiryAt !== after.expiryAt
      return isMoved && !hasMoved(one) ? [{ id: after.id, from: before.expiryAt, to: after.expiryAt }] : []
    }),
  )
  for (const { before, after } of changed) {
    if (after.title !== before.title || after.description !== before.description) indexTask(tx, after)
    recordChange(tx, { userId: after.userId, taskId: after.id, kind: changeKind(before, after) })
    wakeAt(after.notifyAt)
  }
  return written.map(({ after }) => after)
}

function changeKind(before: Task, after: Task): ChangeKind {
  if (before.completedAt === null && after.completedAt !== null) return 'completed'
  if (before.completedAt !== null && after.completedAt === null) return 'reopened'
  if (after.snoozedUntilAt !== null && before.snoozedUntilAt !== after.snoozedUntilAt) return 'snoozed'
  return 'updated'
}

async function taskToChange(tx: Db, { userId }: Actor, target: TaskTarget): Promise<Task> {
  const task = await tasks.lockTask(tx, userId, target.id)
  if (!task) throw new Problem('not-found', `There is no task ${target.id}.`)
  requirePrecondition(target, task)
  return task
}
