import { Problem } from '#core/problem.ts'
import type { Task } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockRows } from './engine/lock-rows.ts'
import { prepare } from './engine/prepare.ts'
import type { Db } from './schema.ts'
import { toTask } from './task-rows.ts'

/** Reads tasks, and locks them for a change. Lists with filters are in task-list.ts. */

const selectOne = prepare((db, args: { userId: number; id: number }) =>
  db.selectFrom('tasks').selectAll().where('id', '=', args.id).where('user_id', '=', args.userId),
)

export async function findTask(db: Db, userId: number, id: number): Promise<Task | undefined> {
  const row = (await selectOne(db, { userId, id })).rows[0]
  return row && toTask(row)
}

/** @throws Problem `not-found` */
export async function getTask(db: Db, userId: number, id: number): Promise<Task> {
  const task = await findTask(db, userId, id)
  if (!task) throw new Problem('not-found', `There is no task ${id}.`)
  return task
}

const selectByKey = prepare((db, args: { userId: number; key: string }) =>
  db.selectFrom('tasks').selectAll().where('user_id', '=', args.userId).where('key', '=', args.key),
)

/** The task with the client's own key. @throws Problem `not-found` */
export async function getTaskByKey(db: Db, userId: number, key: string): Promise<Task> {
  const row = (await selectByKey(db, { userId, key })).rows[0]
  if (!row) throw new Problem('not-found', `There is no task with the key «${key}».`)
  return toTask(row)
}

const selectOneLocked = prepare((db, args: { userId: number; id: number }) => {
  const query = db.selectFrom('tasks').selectAll().where('id', '=', args.id).where('user_id', '=', args.userId)
  return lockRows(db, query)
})

/** Locks a task, to change it in this transaction. */
export async function lockTask(tx: Db, userId: number, id: number): Promise<Task | undefined> {
  const row = (await selectOneLocked(tx, { userId, id })).rows[0]
  return row && toTask(row)
}

const selectByKeyLocked = prepare((db, args: { userId: number; key: string }) => {
  const query = db.selectFrom('tasks').selectAll().where('user_id', '=', args.userId).where('key', '=', args.key)
  return lockRows(db, query)
})

export async function lockTaskByKey(tx: Db, userId: number, key: string): Promise<Task | undefined> {
  const row = (await selectByKeyLocked(tx, { userId, key })).rows[0]
  return row && toTask(row)
}

const selectPage = prepare((db, args: { userId: number; after: number; limit: number; offset: number }) =>
  db
    .selectFrom('tasks')
    .selectAll()
    .where('user_id', '=', args.userId)
    .where('id', '>', args.after)
    .orderBy('id')
    .limit(args.limit)
    .offset(args.offset),
)

/** Tasks in the order of their ids. @param after an id; 0 to begin */
export async function listTasks(
  db: Db,
  userId: number,
  page: { after: number; limit: number; offset: number },
): Promise<Task[]> {
  return (await selectPage(db, { userId, ...page })).rows.map(toTask)
}

/** The tasks among these ids that exist, by id. */
export async function tasksByIds(db: Db, ids: readonly number[]): Promise<Map<number, Task>> {
  const rows = await byIds(db, ids).execute()
  return new Map(rows.map((row) => [row.id, toTask(row)]))
}

/** The same, locked until the transaction ends. */
export async function lockTasks(tx: Db, ids: readonly number[]): Promise<Map<number, Task>> {
  const query = byIds(tx, ids).orderBy('id')
  const rows = await lockRows(tx, query).execute()
  return new Map(rows.map((row) => [row.id, toTask(row)]))
}

/**
 * The same for the tasks of one user. Locked in the order of their ids, so that two transactions that lock the same tasks cannot
 * deadlock.
 */
export async function lockTasksOf(tx: Db, userId: number, ids: readonly number[]): Promise<Map<number, Task>> {
  // MariaDB turns a list of 1,000 into a table, and locks in the order of that, whatever the sort.
  const inOrder = ids.toSorted((a, b) => a - b)
  const query = byIds(tx, inOrder).where('user_id', '=', userId).orderBy('id')
  const rows = await lockRows(tx, query).execute()
  return new Map(rows.map((row) => [row.id, toTask(row)]))
}

function byIds(db: Db, ids: readonly number[]) {
  return db
    .selectFrom('tasks')
    .selectAll()
    .where((eb) => dialectOf(db).among(eb.ref('id'), ids))
}
