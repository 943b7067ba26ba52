import { type Selectable, sql } from 'kysely'
import type { AlarmTask } from '#core/stale-alarm.ts'
import type { Reminder } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockRows } from './engine/lock-rows.ts'
import type { Db, RecomputeTable, TaskTable } from './schema.ts'
import { parseList } from './tables/rows.ts'
import { findUser } from './users.ts'

/**
 * Stale alarms, and the progress of the walk that recomputes them (actions/recompute.ts).
 *
 * Locks are taken in one order, which prevents deadlocks: the progress row, tasks, the user. Writers of tasks also lock tasks before the user;
 * a change of settings locks the user only.
 */

/** Returns the ids of users with stale alarms. */
export async function findStaleUsers(db: Db): Promise<number[]> {
  const stale = db.selectFrom('users').select('id').where('alarms_stale', '=', 1).where('removed_at', 'is', null)
  return (await stale.orderBy('id').execute()).map(({ id }) => id)
}

/** Marks the alarms of a user as fresh, unless the defaults have changed again. @returns whether they are fresh */
export async function markFresh(tx: Db, userId: number, staleSince: number): Promise<boolean> {
  await tx.deleteFrom('recomputes').where('user_id', '=', userId).where('stale_at', '=', staleSince).execute()
  await dialectOf(tx).userLockQueue?.alone(tx, userId)
  const { numUpdatedRows } = await tx
    .updateTable('users')
    .set({ alarms_stale: 0 })
    .where('id', '=', userId)
    .where('alarms_stale_at', '=', staleSince)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** A position in the order by expiry and id: after this task. */
export interface TaskPosition {
  readonly expiryAt: number
  readonly taskId: number
}

export interface Progress extends TaskPosition {
  /** Identifies the change of the defaults: `staleSince` of the user. */
  readonly staleSince: number
  /** In ms since 1970. The walk visits tasks that expire from then on, soonest first, and then the tasks that expired before. */
  readonly begunAt: number
  readonly isPast: boolean
  /** The number of tasks computed. */
  readonly tasks: number
}

/**
 * Locks the progress of a user's walk, for the last change of the defaults. A new walk starts at its beginning; undefined when no alarm is
 * stale. Because of the lock, two replicas take chunks in turn. The user is read after the lock: the replica that held it may have ended
 * the walk.
 */
export async function lockProgress(tx: Db, userId: number, now: number): Promise<Progress | undefined> {
  const query = lockRows(tx, tx.selectFrom('recomputes').selectAll().where('user_id', '=', userId))
  const begin = { begunAt: now, isPast: false, expiryAt: now, taskId: 0, tasks: 0 }
  let row = await query.executeTakeFirst()
  if (!row) {
    const first = toProgressRow(userId, { staleSince: 0, ...begin })
    const names = Object.keys(first) as (keyof RecomputeTable)[]
    await dialectOf(tx).insertRows(tx, 'recomputes', names, [names.map((name) => first[name])], [])
    row = await query.executeTakeFirst()
  }
  const user = await findUser(tx, userId)
  const staleSince = user === undefined || user.removedAt !== null ? null : user.staleSince
  if (staleSince !== null) return row?.stale_at === staleSince ? toProgress(row) : { staleSince, ...begin }
  await tx.deleteFrom('recomputes').where('user_id', '=', userId).execute()
  return undefined
}

export async function saveProgress(tx: Db, userId: number, progress: Progress): Promise<void> {
  const { user_id, ...values } = toProgressRow(userId, progress)
  await tx.updateTable('recomputes').set(values).where('user_id', '=', user_id).execute()
}

export async function findProgress(db: Db, userId: number, staleSince: number): Promise<Progress | undefined> {
  const query = db.selectFrom('recomputes').selectAll().where('user_id', '=', userId)
  const row = await query.where('stale_at', '=', staleSince).executeTakeFirst()
  return row && toProgress(row)
}

const toProgress = (row: RecomputeTable): Progress => ({
  staleSince: row.stale_at,
  begunAt: row.begun_at,
  isPast: row.is_past === 1,
  expiryAt: row.expiry_at,
  taskId: row.task_id,
  tasks: row.tasks,
})

const toProgressRow = (userId: number, { staleSince, begunAt, isPast, expiryAt, taskId, tasks }: Progress) => ({
  user_id: userId,
  stale_at: staleSince,
  begun_at: begunAt,
  is_past: isPast ? 1 : 0,
  expiry_at: expiryAt,
  task_id: taskId,
  tasks,
})

/** The columns from which an alarm is computed. Whole rows are too large: a thousand descriptions may be 64 MB. */
const columns = [
  'id',
  'user_id',
  'expiry_at',
  'expiry_date',
  'expiry_wall',
  'time_zone',
  'reminders',
  'completed_at',
  'snoozed_until_at',
  'updated_at',
  'version',
  'notify_at',
  'fired_until_at',
] as const satisfies readonly (keyof TaskTable)[]

const toAlarmTask = (row: Pick<Selectable<TaskTable>, (typeof columns)[number]>): AlarmTask => ({
  id: row.id,
  userId: row.user_id,
  expiryAt: row.expiry_at,
  expiryDate: row.expiry_date,
  expiryWall: row.expiry_wall,
  timeZone: row.time_zone,
  reminders: row.reminders === null ? null : parseList<Reminder>(row.reminders),
  completedAt: row.completed_at,
  snoozedUntilAt: row.snoozed_until_at,
  updatedAt: row.updated_at,
  version: row.version,
  notifyAt: row.notify_at,
  firedUntilAt: row.fired_until_at,
})

/** A range of tasks by expiry: after a position, and before an expiry. */
export interface ExpiryRange {
  readonly after: TaskPosition
  readonly before: number
}

/**
 * Locks the next tasks of a user by expiry. It returns completed tasks too, so that a chunk reads a bounded number of rows. Each of the two
 * statements reads a range of the index tasks_expiry. A comparison of pairs was rejected: the databases then read all tasks with the same
 * expiry from their first, a million of them a thousand times.
 */
export async function nextByExpiry(
  tx: Db,
  userId: number,
  { after, before }: ExpiryRange,
  limit: number,
): Promise<AlarmTask[]> {
  const tasks = tx.selectFrom('tasks').select(columns).where('user_id', '=', userId)
  const together = tasks.where('expiry_at', '=', after.expiryAt).where('id', '>', after.taskId).orderBy('id')
  const rows = after.expiryAt < before ? await lockRows(tx, together.limit(limit)).execute() : []
  if (rows.length < limit) {
    const later = tasks.where('expiry_at', '>', after.expiryAt).where('expiry_at', '<', before)
    const inOrder = later
      .orderBy('expiry_at')
      .orderBy('id')
      .limit(limit - rows.length)
    rows.push(...(await lockRows(tx, inOrder).execute()))
  }
  return rows.map(toAlarmTask)
}

/** Locks the next tasks with their own reminders and without their own time zone, by stored alarm. */
export async function nextByAlarm(
  tx: Db,
  userId: number,
  { after, until }: { after: { notifyAt: number; taskId: number }; until: number },
  limit: number,
): Promise<AlarmTask[]> {
  const query = tx
    .selectFrom('tasks')
    .select(columns)
    .where('notify_at', '>=', after.notifyAt)
    .where('notify_at', '<=', until)
    .where((eb) => eb.or([eb('notify_at', '>', after.notifyAt), eb('id', '>', after.taskId)]))
    // Because of the plus, SQLite does not use an index of user_id, with which it would sort all tasks of the user.
    .where(sql`+user_id`, '=', userId)
    .where('reminders', 'is not', null)
    .where('time_zone', 'is', null)
    .orderBy('notify_at')
    .orderBy('id')
    .limit(limit)
  return (await lockRows(tx, query).execute()).map(toAlarmTask)
}

/** Returns positions only. They come from the index, so damaged rows have one too. */
export async function nextPositions(
  db: Db,
  userId: number,
  { after, before }: ExpiryRange,
  limit: number,
): Promise<TaskPosition[]> {
  const rows = await db
    .selectFrom('tasks')
    .select(['id', 'expiry_at'])
    .where('user_id', '=', userId)
    .where('expiry_at', '>=', after.expiryAt)
    .where('expiry_at', '<', before)
    .where((eb) => eb.or([eb('expiry_at', '>', after.expiryAt), eb('id', '>', after.taskId)]))
    .orderBy('expiry_at')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(({ id, expiry_at }) => ({ taskId: id, expiryAt: expiry_at as number }))
}

const selectAt = (db: Db, { taskId }: TaskPosition) => db.selectFrom('tasks').select(columns).where('id', '=', taskId)

/** Reads the task at a position, or none. @throws when the row is damaged */
export async function taskAt(db: Db, position: TaskPosition): Promise<AlarmTask[]> {
  return (await selectAt(db, position).execute()).map(toAlarmTask)
}

export async function lockTaskAt(tx: Db, position: TaskPosition): Promise<AlarmTask[]> {
  return (await lockRows(tx, selectAt(tx, position)).execute()).map(toAlarmTask)
}

/** Overwrites alarms with recomputed ones. */
export async function setAlarms(
  tx: Db,
  tasks: readonly Pick<AlarmTask, 'id' | 'notifyAt' | 'firedUntilAt'>[],
): Promise<void> {
  await dialectOf(tx).updateRows(
    tx,
    'tasks',
    ['id'],
    ['notify_at', 'fired_until_at'],
    tasks.map(({ id, notifyAt, firedUntilAt }) => [id, notifyAt, firedUntilAt]),
  )
}
