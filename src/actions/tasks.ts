import { randomUUIDv7 } from 'node:crypto'
import { rememberFired } from '#core/alarm.ts'
import type { Actor } from '#core/caller.ts'
import type { ChangeKind } from '#core/change.ts'
import type { DateTimeInput } from '#core/date-time.ts'
import { type Fault, Problem } from '#core/problem.ts'
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
import { firedUntil } from '#store/notifications.ts'
import type { Db } from '#store/schema.ts'
import { indexTask } from '#store/search.ts'
import * as tasks from '#store/tasks.ts'
import { moveToTrash } from '#store/trash.ts'
import { defaultsInTransaction, userInTransaction } from '#store/users.ts'
import type { Context } from './context.ts'

/** Versions of a task: this one, any of these, or whichever it has. */
export type Versions = number | readonly number[] | '*'

/** What a caller asks of a task before it is changed. */
export interface Condition {
  /** It is there, in one of these versions. */
  readonly version?: Versions | undefined
  /** It is in none of these versions; `*`: it is not there. */
  readonly notVersion?: Versions | undefined
}

export interface Target extends Condition {
  readonly id: number
}

/** @throws Problem `invalid`, `conflict` (uid or key is taken) */
export async function createTask(ctx: Context, actor: Actor, draft: TaskDraft): Promise<Task> {
  return perform(ctx, (tx, now, wakeAt) => insert(tx, actor, draft, now, wakeAt))
}

async function insert(tx: Db, { userId }: Actor, draft: TaskDraft, now: number, wakeAt: WakeAt): Promise<Task> {
  const defaults = await defaultsInTransaction(tx, userId)
  const task = await tasks.insertTask(tx, newTask(draft, userId, randomUUIDv7(), defaults, now))
  recordChange(tx, { userId, taskId: task.id, kind: 'created' })
  wakeAt(task.notifyAt)
  return task
}

/** @throws Problem `not-found`, `stale` with the current task, `invalid`, `conflict` */
export async function updateTask(ctx: Context, actor: Actor, target: Target, patch: TaskPatch): Promise<Task> {
  return change(ctx, actor, target, (task, now, defaults) => applyPatch(task, patch, defaults, now))
}

/**
 * Creates the task that has the caller's own name for it, or changes it as `updateTask` does.
 * @throws Problem `stale`, `invalid` (without a title there is nothing to create), `conflict` (the uid is taken)
 */
export async function putTaskByKey(
  ctx: Context,
  actor: Actor,
  key: string,
  condition: Condition,
  draft: Partial<TaskDraft>,
): Promise<Task> {
  const { uid: _, ...patch } = draft
  const put = () =>
    perform(ctx, async (tx, now, wakeAt) => {
      const before = await tasks.lockTaskByKey(tx, actor.userId, key)
      requireCondition(condition, before)
      if (!before) return insert(tx, actor, { ...draft, title: draft.title ?? missingTitle(), key }, now, wakeAt)
      const settings = await userInTransaction(tx, actor.userId)
      const change = changeOf(before, settings, now, (task) => applyPatch(task, patch, settings.defaults, now))
      return rewriteOne(tx, settings.defaults, change, now, wakeAt)
    })
  checkKey(key)
  try {
    return await put()
  } catch (error) {
    // Somebody else created it after we had looked: now it is there. If it is the uid that is taken, it still is.
    if (!(error instanceof Problem && error.kind === 'conflict')) throw error
    return put()
  }
}

function missingTitle(): never {
  throw new Problem('invalid', 'There is no such task yet, and without a title none can be created.', {
    faults: [{ at: { pointer: '/title' }, detail: 'is missing' }],
  })
}

/** Completing what is completed changes nothing. @throws Problem `not-found`, `stale` */
export async function completeTask(ctx: Context, actor: Actor, target: Target): Promise<Task> {
  return change(ctx, actor, target, (task, now, defaults) => completed(task, defaults, now))
}

/** Reopening what is open changes nothing. @throws Problem `not-found`, `stale` */
export async function reopenTask(ctx: Context, actor: Actor, target: Target): Promise<Task> {
  return change(ctx, actor, target, (task, now, defaults) => reopened(task, defaults, now))
}

/**
 * @param until an instant, or a span from now in ms
 * @throws Problem `not-found`, `stale`, `conflict` (completed, or no expiry), `invalid` (not in the future)
 */
export async function snoozeTask(
  ctx: Context,
  actor: Actor,
  target: Target,
  until: DateTimeInput | { readonly forMs: number },
): Promise<Task> {
  return change(ctx, actor, target, (task, now, defaults) =>
    'forMs' in until
      ? snoozed(task, { at: now + until.forMs }, '/for', defaults, now)
      : snoozed(task, until, '/until', defaults, now),
  )
}

/** A change of one task among many. `version`: the one it must still have, where the caller cares. */
export interface OneOfMany {
  readonly id: number
  readonly version?: number | undefined
  readonly patch: TaskPatch
}

/**
 * All or nothing. Ids that do not exist are answered as `missing`, or refused where the caller is strict.
 * @throws Problem `conflict` naming each that has another version, or a key that is taken; `not-found`, `invalid`
 */
export async function updateTasks(
  ctx: Context,
  actor: Actor,
  patches: readonly OneOfMany[],
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
      return within(`/tasks/${i}`, () =>
        changeOf(task, settings, now, (fresh) => applyPatch(fresh, patch, defaults, now)),
      )
    })
    return { tasks: await rewrite(tx, defaults, changes, now, wakeAt), missing }
  })
}

function requireVersions(patches: readonly OneOfMany[], before: ReadonlyMap<number, Task>): void {
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

/** Moves it to the trash. @throws Problem `not-found`, `stale` */
export async function deleteTask({ transact }: Context, actor: Actor, target: Target): Promise<{ deletedAt: number }> {
  return transact(async (tx, now) => {
    await taskToChange(tx, actor, target)
    await moveToTrash(tx, [target.id], randomUUIDv7(), now)
    recordChange(tx, { userId: actor.userId, taskId: target.id, kind: 'deleted' })
    return { deletedAt: now }
  })
}

/** Reads a task, makes another of it, and writes that with its alarm. */
async function change(
  ctx: Context,
  actor: Actor,
  target: Target,
  make: (task: Task, now: number, defaults: Defaults) => Task,
): Promise<Task> {
  return perform(ctx, async (tx, now, wakeAt) => {
    const before = await taskToChange(tx, actor, target)
    const settings = await userInTransaction(tx, actor.userId)
    const { defaults } = settings
    const changed = changeOf(before, settings, now, (task) => make(task, now, defaults))
    return rewriteOne(tx, defaults, changed, now, wakeAt)
  })
}

/** A change decides by the alarm what is about to ring: one that is stale is computed before. What changes nothing is still no write. */
function changeOf(before: Task, settings: AlarmSettings, now: number, make: (task: Task) => Task): tasks.TaskUpdate {
  const fresh = freshen(before, settings, now)
  const after = make(fresh)
  return { before, after: after === fresh ? before : after }
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

async function rewriteOne(
  tx: Db,
  defaults: Defaults,
  change: tasks.TaskUpdate,
  now: number,
  wakeAt: WakeAt,
): Promise<Task> {
  const [written] = await rewrite(tx, defaults, [change], now, wakeAt)
  return written as Task
}

/** Writes what became of tasks that are locked. @returns them, in the order given */
async function rewrite(
  tx: Db,
  defaults: Defaults,
  changes: readonly tasks.TaskUpdate[],
  now: number,
  wakeAt: WakeAt,
): Promise<Task[]> {
  const hasMoved = ({ before, after }: tasks.TaskUpdate) => before.expiryAt !== after.expiryAt
  const isReopened = ({ before, after }: tasks.TaskUpdate) => before.completedAt !== null && after.completedAt === null
  // Back at an expiry that was told before: what was told stays told, and what was dropped underway is true again.
  const back = changes.flatMap((one) => {
    const { id, expiryAt } = one.after
    return expiryAt !== null && (hasMoved(one) || isReopened(one)) ? { id, expiryAt } : []
  })
  const told = await firedUntil(tx, back)
  if (told.size > 0) {
    const revived = await reviveCancelled(
      tx,
      back.filter(({ id }) => told.has(id)),
      now,
    )
    if (revived > 0) wakeAt(now)
  }
  const written = changes.map((one) => {
    const until = hasMoved(one) ? told.get(one.after.id) : undefined
    return until === undefined ? one : { ...one, after: rememberFired(one.after, until, defaults, now) }
  })
  const changed = written.filter(({ before, after }) => after !== before)
  await tasks.saveTasks(tx, changed)
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

async function taskToChange(tx: Db, { userId }: Actor, target: Target): Promise<Task> {
  const task = await tasks.lockTask(tx, userId, target.id)
  if (!task) throw new Problem('not-found', `There is no task ${target.id}.`)
  requireCondition(target, task)
  return task
}

/** Whether a thing in this version is one of those meant; one that is not there never is. */
function isOneOf(versions: Versions, version: number | undefined): boolean {
  return version !== undefined && (versions === '*' || [versions].flat().includes(version))
}

/** Whether a thing in this version is one that is meant. */
export function isMeant({ version: meant, notVersion }: Condition, version: number): boolean {
  const isOther = meant !== undefined && !isOneOf(meant, version)
  return !isOther && !(notVersion !== undefined && isOneOf(notVersion, version))
}

/** @throws Problem `stale` with the task, where there is one */
export function requireCondition({ version, notVersion }: Condition, task: Task | undefined): void {
  if (version !== undefined && !isOneOf(version, task?.version)) {
    if (!task) throw new Problem('stale', 'There is no such task, and one that exists was meant.')
    const wanted = typeof version === 'object' && version.length === 0 ? '' : `, not ${[version].flat().join(' or ')}`
    throw new Problem('stale', `Task ${task.id} is at version ${task.version}${wanted}.`, { current: task })
  }
  if (task && notVersion !== undefined && isOneOf(notVersion, task.version))
    throw new Problem('stale', `There is task ${task.id} at version ${task.version}.`, { current: task })
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
