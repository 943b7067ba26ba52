import { randomUUIDv7 } from 'node:crypto'
import type { Moment } from '#core/moment.ts'
import { Problem } from '#core/problem.ts'
import {
  applyPatch,
  completeTask as completed,
  newTask,
  rememberRung,
  reopenTask as reopened,
  snoozeTask as snoozed,
  type Task,
  type TaskDraft,
  type TaskPatch,
} from '#core/task.ts'
import { type ChangeKind, recordChange } from '#store/changes.ts'
import { reviveDropped } from '#store/deliveries.ts'
import { rungUntil } from '#store/notices.ts'
import type { Db } from '#store/schema.ts'
import * as tasks from '#store/tasks.ts'
import { moveToTrash } from '#store/trash.ts'
import type { Actor, Context } from './context.ts'

/** Which task, and the version it must still have, where the caller cares. */
export interface Target {
  readonly id: number
  readonly version?: number | undefined
}

/** @throws Problem `invalid`, `conflict` (uid or key is taken) */
export async function createTask(ctx: Context, actor: Actor, draft: TaskDraft): Promise<Task> {
  return perform(ctx, async (tx, now, wakeAt) => {
    const task = await tasks.insertTask(tx, newTask(draft, actor.ownerId, randomUUIDv7(), ctx.defaults, now))
    recordChange(tx, { ownerId: actor.ownerId, taskId: task.id, kind: 'created' })
    wakeAt(task.notifyAt)
    return task
  })
}

/** @throws Problem `not-found`, `stale` with the current task, `invalid`, `conflict` */
export async function updateTask(ctx: Context, actor: Actor, target: Target, patch: TaskPatch): Promise<Task> {
  return change(ctx, actor, target, (task, now) => applyPatch(task, patch, ctx.defaults, now))
}

/** Completing what is completed changes nothing. @throws Problem `not-found`, `stale` */
export async function completeTask(ctx: Context, actor: Actor, target: Target): Promise<Task> {
  return change(ctx, actor, target, (task, now) => completed(task, ctx.defaults, now))
}

/** Reopening what is open changes nothing. @throws Problem `not-found`, `stale` */
export async function reopenTask(ctx: Context, actor: Actor, target: Target): Promise<Task> {
  return change(ctx, actor, target, (task, now) => reopened(task, ctx.defaults, now))
}

/**
 * @param until an instant, or a span from now in ms
 * @throws Problem `not-found`, `stale`, `conflict` (completed, or no expiry), `invalid` (not in the future)
 */
export async function snoozeTask(
  ctx: Context,
  actor: Actor,
  target: Target,
  until: Moment | { readonly forMs: number },
): Promise<Task> {
  return change(ctx, actor, target, (task, now) =>
    'forMs' in until
      ? snoozed(task, { at: now + until.forMs }, '/for', ctx.defaults, now)
      : snoozed(task, until, '/until', ctx.defaults, now),
  )
}

/** All or nothing; ids that do not exist are answered as `missing`. @throws Problem `invalid`, `conflict` */
export async function updateTasks(
  ctx: Context,
  actor: Actor,
  patches: readonly { readonly id: number; readonly patch: TaskPatch }[],
): Promise<{ tasks: Task[]; missing: number[] }> {
  return perform(ctx, async (tx, now, wakeAt) => {
    const after = new Map<number, Task>()
    const missing: number[] = []
    // In the order of their ids: two such writes that lock the same tasks then wait for each other, and not both.
    for (const [i, { id, patch }] of [...patches.entries()].sort(([, a], [, b]) => a.id - b.id)) {
      const task = await tasks.lockTask(tx, actor.ownerId, id)
      const make = (before: Task) => within(`/tasks/${i}`, () => applyPatch(before, patch, ctx.defaults, now))
      if (task) after.set(id, await rewrite(tx, ctx, task, make, now, wakeAt))
      else missing.push(id)
    }
    const found = patches.flatMap(({ id }) => after.get(id) ?? [])
    return { tasks: found, missing }
  })
}

/** Moves it to the trash. @throws Problem `not-found`, `stale` */
export async function deleteTask({ transact }: Context, actor: Actor, target: Target): Promise<{ deletedAt: number }> {
  return transact(async (tx, now) => {
    await taskToChange(tx, actor, target)
    await moveToTrash(tx, [target.id], randomUUIDv7(), now)
    recordChange(tx, { ownerId: actor.ownerId, taskId: target.id, kind: 'deleted' })
    return { deletedAt: now }
  })
}

/** Reads a task, makes another of it, and writes that with its alarm. */
async function change(
  ctx: Context,
  actor: Actor,
  target: Target,
  make: (task: Task, now: number) => Task,
): Promise<Task> {
  return perform(ctx, async (tx, now, wakeAt) => {
    const task = await taskToChange(tx, actor, target)
    return rewrite(tx, ctx, task, (before) => make(before, now), now, wakeAt)
  })
}

type WakeAt = (at: number | null) => void

/** A transaction that knows when the bell will next have something to do, and wakes it once that is committed. */
export async function perform<T>(
  { transact, wake }: Context,
  wish: (tx: Db, now: number, wakeAt: WakeAt) => Promise<T>,
): Promise<T> {
  let earliest = Number.POSITIVE_INFINITY
  const result = await transact((tx, now) =>
    wish(tx, now, (at) => {
      if (at !== null && at < earliest) earliest = at
    }),
  )
  if (earliest < Number.POSITIVE_INFINITY) wake(earliest)
  return result
}

async function rewrite(
  tx: Db,
  { defaults }: Context,
  task: Task,
  make: (task: Task) => Task,
  now: number,
  wakeAt: WakeAt,
): Promise<Task> {
  let after = make(task)
  if (after === task) return task
  const hasMoved = after.expiryAt !== task.expiryAt
  const isReopened = task.completedAt !== null && after.completedAt === null
  const { expiryAt } = after
  if (expiryAt !== null && (hasMoved || isReopened)) {
    // Back at an expiry that was told before: what was told stays told, and what was dropped underway is true again.
    const told = await rungUntil(tx, task.id, expiryAt)
    if (told !== null) {
      if (hasMoved) after = rememberRung(after, told, defaults, now)
      if ((await reviveDropped(tx, [after], now)) > 0) wakeAt(now)
    }
  }
  await tasks.saveTask(tx, after, task.version)
  recordChange(tx, { ownerId: after.ownerId, taskId: after.id, kind: changeKind(task, after) })
  wakeAt(after.notifyAt)
  return after
}

function changeKind(before: Task, after: Task): ChangeKind {
  if (before.completedAt === null && after.completedAt !== null) return 'completed'
  if (before.completedAt !== null && after.completedAt === null) return 'reopened'
  if (after.snoozedUntilAt !== null && before.snoozedUntilAt !== after.snoozedUntilAt) return 'snoozed'
  return 'updated'
}

async function taskToChange(tx: Db, { ownerId }: Actor, { id, version }: Target): Promise<Task> {
  const task = await tasks.lockTask(tx, ownerId, id)
  if (!task) throw new Problem('not-found', `There is no task ${id}.`)
  if (version !== undefined && version !== task.version)
    throw new Problem('stale', `Task ${task.id} is at version ${task.version}, not ${version}.`, { current: task })
  return task
}

/** Says of a fault in one item of many where it is. */
function within<T>(pointer: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof Problem) || !error.extras.faults) throw error
    const faults = error.extras.faults.map(({ at, detail }) => ({
      at: 'pointer' in at ? { pointer: pointer + at.pointer } : at,
      detail,
    }))
    throw new Problem(error.kind, error.message, { ...error.extras, faults })
  }
}
