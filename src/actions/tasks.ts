import { randomUUIDv7 } from 'node:crypto'
import type { Actor } from '#core/caller.ts'
import type { DateTimeInput } from '#core/date-time.ts'
import { type Fault, Problem, withPointerPrefix } from '#core/problem.ts'
import type { Task, TaskDraft, TaskPatch } from '#core/task.ts'
import {
  applyPatch,
  checkKey,
  completeTask as completed,
  newTask,
  reopenTask as reopened,
  skipTask as skipped,
  snoozeTask as snoozed,
} from '#core/task-changes.ts'
import { recordChange } from '#store/changes.ts'
import type { Db } from '#store/schema.ts'
import { insertTask } from '#store/task-writes.ts'
import * as tasks from '#store/tasks.ts'
import { moveToTrash } from '#store/trash.ts'
import { defaultsInTransaction, userInTransaction } from '#store/users.ts'
import { type Precondition, requirePrecondition } from './conditions.ts'
import type { Context } from './context.ts'
import { perform, type WakeAt } from './perform.ts'
import { lockNextTasks, meantByKey } from './recurring-tasks.ts'
import { type Make, rewrite, rewriteOne, updateOf } from './rewrite-tasks.ts'

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
  const { uid: _, key: __, ...patch } = draft
  let isThere = false
  const put = () =>
    perform(ctx, async (tx, now, wakeAt) => {
      const before = await meantByKey(tx, await tasks.lockTaskByKey(tx, actor.userId, key), draft.completed)
      isThere = before !== undefined
      requirePrecondition(condition, before)
      if (!before) return insert(tx, actor, { ...draft, title: draft.title ?? missingTitle(), key }, now, wakeAt)
      return rewriteOne(tx, before, (task, now, defaults) => applyPatch(task, patch, defaults, now), now, wakeAt)
    })
  checkKey(key)
  try {
    return await put()
  } catch (error) {
    // Another request created the task after our check: now it exists. A uid that is taken still fails. Or the key moved on to the next task of a
    // series while we waited for the row of the one before: PostgreSQL then finds neither.
    if (!(error instanceof Problem) || (isThere && error.kind !== 'conflict')) throw error
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

/** Moves a recurring task to its next occurrence, without completing it. @throws Problem `not-found`, `stale`, `conflict` */
export async function skipTask(ctx: Context, actor: Actor, target: TaskTarget): Promise<Task> {
  return change(ctx, actor, target, (task, now, defaults) => skipped(task, defaults, now))
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
    const nextTasks = await lockNextTasks(tx, actor.userId, [...before.values()])
    const settings = await userInTransaction(tx, actor.userId)
    const { defaults } = settings
    const changes = patches.flatMap(({ id, patch }, i) => {
      const task = before.get(id)
      if (!task) return []
      return withPointerPrefix(`/tasks/${i}`, () =>
        updateOf(task, settings, now, (fresh) => applyPatch(fresh, patch, defaults, now)),
      )
    })
    return { tasks: await rewrite(tx, { defaults, nextTasks }, changes, now, wakeAt), missing }
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

/** Reads a task, changes it, and writes it with its alarm. */
async function change(ctx: Context, actor: Actor, target: TaskTarget, make: Make): Promise<Task> {
  return perform(ctx, async (tx, now, wakeAt) =>
    rewriteOne(tx, await taskToChange(tx, actor, target), make, now, wakeAt),
  )
}

async function taskToChange(tx: Db, { userId }: Actor, target: TaskTarget): Promise<Task> {
  const task = await tasks.lockTask(tx, userId, target.id)
  if (!task) throw new Problem('not-found', `There is no task ${target.id}.`)
  requirePrecondition(target, task)
  return task
}
