import { Problem } from '#core/problem.ts'
import type { NewTask, Task } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Db } from './schema.ts'
import { indexTask } from './search.ts'
import { taskColumns, toTaskRow } from './task-rows.ts'

/** Many new tasks at once. */

/**
 * Inserts tasks of one user, a thousand in two or three statements: their rows, their ids, and what the collectors write at the end.
 * @returns the tasks in the same order
 * @throws Problem `conflict` when another request took one of the uids or keys just now
 */
export async function insertTasks(tx: Db, userId: number, tasks: readonly NewTask[]): Promise<Task[]> {
  const rows = tasks.map((task) => {
    const row = toTaskRow(task)
    return taskColumns.map((column) => row[column])
  })
  try {
    await dialectOf(tx).insertRows(tx, 'tasks', taskColumns, rows, [], 'fail')
  } catch (error) {
    if (dialectOf(tx).classify(error) !== 'duplicate') throw error
    throw new Problem('conflict', 'A uid or key of these tasks was taken just now. No task was created.', {
      cause: error,
    })
  }
  // By the uids, and not from the first new id on: ids of other transactions may lie between ours.
  const ids = new Map<string, number>()
  const uids = tasks.map(({ uid }) => uid)
  for (const { id, value } of await tasksWith(tx, userId, 'uid', uids)) ids.set(value, id)
  return tasks.map((task) => {
    const created = { ...task, id: ids.get(task.uid) as number }
    indexTask(tx, created, { isNew: true })
    return created
  })
}

/** The user's tasks that have one of these uids or keys. */
export async function tasksWith(
  tx: Db,
  userId: number,
  name: 'uid' | 'key',
  values: readonly string[],
): Promise<{ id: number; value: string }[]> {
  if (values.length === 0) return []
  const rows = await tx
    .selectFrom('tasks')
    .select(['id', name])
    .where('user_id', '=', userId)
    .where((eb) => dialectOf(tx).among(eb.ref(name), values))
    .execute()
  return rows.map((row) => ({ id: row.id, value: row[name] as string }))
}
