import { type Selectable, sql } from 'kysely'
import type { AlarmTask } from '#core/stale-alarm.ts'
import type { Reminder } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockRows } from './engine/lock-rows.ts'
import type { Db, RecomputeTable, TaskTable } from './schema.ts'
import { parseList } from './tasks.ts'
import { findUser } from './users.ts'

/**
 * Alarms that do not follow from their user's defaults yet, and how far the walk through a user's tasks has come that computes them anew.
 *
 * Locks are taken in this order, so that nobody waits in a circle: the row of the walk, tasks, the user. Who writes tasks holds tasks before
 * the user as well; who changes the settings holds the user alone.
 */

/** Whose alarms do not follow from their defaults yet. */
export async function findStaleUsers(db: Db): Promise<number[]> {
  const stale = db.selectFrom('users').select('id').where('alarms_stale', '=', 1).where('removed_at', 'is', null)
  return (await stale.orderBy('id').execute()).map(({ id }) => id)
}

/** All alarms of a user follow, unless his defaults have changed again since. @returns whether they do */
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

/** A place in the order by expiry and id: behind the task that it names. */
export interface Place {
  readonly expiryAt: number
  readonly taskId: number
}

export interface Progress extends Place {
  /** The change that it is for: `staleSince` of the user. */
  readonly staleSince: number
  /** In ms since 1970: the walk goes through what expires from then on, soonest first, and at last through what expires before. */
  readonly begunAt: number
  readonly isPast: boolean
  /** How many tasks have been computed. */
  readonly tasks: number
}

/**
 * How far the walk has come for the last change of a user's defaults; its beginning where there is none for this change, and undefined where
 * no alarm is stale. Locked: of two replicas each takes the chunk behind that of the other. The user is read after that, since whoever was
 * waited for may have ended the walk.
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

/** What an alarm follows from. Not the whole rows: a thousand descriptions may be 64 MB. */
const columns = [
  'id',
  'user_id',
  'expiry_at',
  'time_zone',
  'reminders',
  'completed_at',
  'snoozed_until_at',
  'updated_at',
  'notify_at',
  'fired_until_at',
] as const satisfies readonly (keyof TaskTable)[]

const toAlarmTask = (row: Pick<Selectable<TaskTable>, (typeof columns)[number]>): AlarmTask => ({
  id: row.id,
  userId: row.user_id,
  expiryAt: row.expiry_at,
  timeZone: row.time_zone,
  reminders: row.reminders === null ? null : parseList<Reminder>(row.reminders),
  completedAt: row.completed_at,
  snoozedUntilAt: row.snoozed_until_at,
  updatedAt: row.updated_at,
  notifyAt: row.notify_at,
  firedUntilAt: row.fired_until_at,
})

/** Where a stretch of tasks begins, and the expiry before which it ends. */
export interface Stretch {
  readonly after: Place
  readonly before: number
}

/**
 * The next tasks of a user by expiry, to be changed in this transaction. All of them, also those whose alarm follows from nothing: so a
 * chunk reads as many rows as it is allowed, however many tasks are completed. Two statements, each of which reads a stretch of the index
 * tasks_expiry: with a comparison of pairs the databases read all that expire together from their first, a million of them a thousand times.
 */
export async function nextByExpiry(
  tx: Db,
  userId: number,
  { after, before }: Stretch,
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

/** Tasks of a user with reminders of their own and without a zone of their own, by their stored alarm. */
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
    // The plus keeps SQLite from taking an index of user_id and sorting all that the user has.
    .where(sql`+user_id`, '=', userId)
    .where('reminders', 'is not', null)
    .where('time_zone', 'is', null)
    .orderBy('notify_at')
    .orderBy('id')
    .limit(limit)
  return (await lockRows(tx, query).execute()).map(toAlarmTask)
}

/** Only their places, which are all in the index: also of rows that cannot be read. */
export async function nextPlaces(db: Db, userId: number, { after, before }: Stretch, limit: number): Promise<Place[]> {
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

const selectAt = (db: Db, { taskId }: Place) => db.selectFrom('tasks').select(columns).where('id', '=', taskId)

/** The task there, or none. @throws where it cannot be read */
export async function taskAt(db: Db, place: Place): Promise<AlarmTask[]> {
  return (await selectAt(db, place).execute()).map(toAlarmTask)
}

export async function lockTaskAt(tx: Db, place: Place): Promise<AlarmTask[]> {
  return (await lockRows(tx, selectAt(tx, place)).execute()).map(toAlarmTask)
}

/** Sets alarms that were computed anew, whatever they were. */
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
