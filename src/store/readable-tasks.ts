import type { ExpressionBuilder } from 'kysely'
import type { Task } from '#core/task.ts'
import { dueTasks, nextAlarmAt } from './alarms.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockFreeRows } from './engine/lock-rows.ts'
import type { Db, Schema } from './schema.ts'
import { toTask } from './task-rows.ts'

/**
 * Reads due tasks beside damaged rows. A statement that meets a damaged page fails as a whole, but the index on alarms has the ids, and
 * rows that are excluded by id are not read.
 */

/** As `nextAlarmAt`, without these tasks. */
export async function nextReadableAlarmAt(db: Db, without: readonly number[]): Promise<number | null> {
  if (without.length === 0) return nextAlarmAt(db)
  const row = await db
    .selectFrom('tasks')
    .select('notify_at')
    .where('notify_at', 'is not', null)
    .where(notAmong(db, without))
    .orderBy('notify_at')
    .limit(1)
    .executeTakeFirst()
  return row?.notify_at ?? null
}

/** As `dueTasks`, without these tasks. */
export async function readableDueTasks(
  tx: Db,
  now: number,
  limit: number,
  without: readonly number[],
): Promise<Task[]> {
  if (without.length === 0) return dueTasks(tx, now, limit)
  const query = dueQuery(tx, now).selectAll().where(notAmong(tx, without)).orderBy('notify_at').limit(limit)
  return (await lockFreeRows(tx, query).execute()).map(toTask)
}

/** One task, if it is still due. */
export async function dueTask(tx: Db, now: number, id: number): Promise<Task[]> {
  const query = dueQuery(tx, now).selectAll().where('id', '=', id)
  return (await lockFreeRows(tx, query).execute()).map(toTask)
}

/** The ids of due tasks, the longest due first, from the index alone. */
export async function dueIds(db: Db, now: number, limit: number, without: readonly number[]): Promise<number[]> {
  const query = dueQuery(db, now).select('id').orderBy('notify_at').limit(limit)
  const rows = await (without.length === 0 ? query : query.where(notAmong(db, without))).execute()
  return rows.map(({ id }) => id)
}

const dueQuery = (db: Db, now: number) => db.selectFrom('tasks').where('notify_at', '<=', now)

const notAmong = (db: Db, ids: readonly number[]) => (eb: ExpressionBuilder<Schema, 'tasks'>) =>
  eb.not(dialectOf(db).among(eb.ref('id'), ids))
