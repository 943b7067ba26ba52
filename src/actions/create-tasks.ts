import { randomUUIDv7 } from 'node:crypto'
import type { Actor } from '#core/caller.ts'
import { type Fault, formatFaults, Problem, withPointerPrefix } from '#core/problem.ts'
import type { Task, TaskDraft } from '#core/task.ts'
import { newTask } from '#core/task-changes.ts'
import { recordChange } from '#store/changes.ts'
import { insertTasks, tasksWith } from '#store/new-tasks.ts'
import type { Db } from '#store/schema.ts'
import { defaultsInTransaction } from '#store/users.ts'
import type { Context } from './context.ts'
import { perform } from './perform.ts'

/**
 * Creates all tasks or none, in one transaction. Each has a change of its own, as those of `createTask`: followers see them one by one.
 * @returns the tasks in the order of the drafts
 * @throws Problem `invalid` and `conflict` (uid or key is taken), both with pointers below `/tasks`
 */
export async function createTasks(ctx: Context, actor: Actor, drafts: readonly TaskDraft[]): Promise<Task[]> {
  const { userId } = actor
  return perform(ctx, async (tx, now, wakeAt) => {
    const defaults = await defaultsInTransaction(tx, userId)
    const made = drafts.map((draft, i) =>
      withPointerPrefix(`/tasks/${i}`, () => newTask(draft, userId, randomUUIDv7(), defaults, now)),
    )
    await requireFree(tx, userId, drafts)
    const tasks = await insertTasks(tx, userId, made)
    for (const { id, notifyAt } of tasks) {
      recordChange(tx, { userId, taskId: id, kind: 'created' })
      wakeAt(notifyAt)
    }
    return tasks
  })
}

/**
 * Uids and keys that were given are looked up first: a database names one duplicate at best, and not its place in the list.
 * @throws Problem `conflict`
 */
async function requireFree(tx: Db, userId: number, drafts: readonly TaskDraft[]): Promise<void> {
  const faults: Fault[] = []
  for (const name of ['uid', 'key'] as const) {
    const places = new Map<string, number>()
    for (const [i, { [name]: value }] of drafts.entries()) {
      if (value === undefined || value === null) continue
      const first = places.get(value)
      if (first === undefined) places.set(value, i)
      else faults.push({ at: { pointer: `/tasks/${i}/${name}` }, detail: `is the same as that of tasks.${first}` })
    }
    for (const { id, value } of await tasksWith(tx, userId, name, [...places.keys()]))
      faults.push({ at: { pointer: `/tasks/${places.get(value)}/${name}` }, detail: `is taken by task ${id}` })
  }
  if (faults.length > 0) throw new Problem('conflict', `${formatFaults(faults)}. No task was created.`, { faults })
}
