import { type Selectable, type SqlBool, sql } from 'kysely'
import type { Notification } from '#core/notification.ts'
import { Problem } from '#core/problem.ts'
import type { Reminder } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { idsInOrder, lastId } from './engine/id-windows.ts'
import { prepare } from './engine/prepare.ts'
import type { Db, NotificationTable } from './schema.ts'

/** A stored notification. */
export interface NotificationRecord extends Notification {
  /** When the user acknowledged it, in ms since 1970. */
  readonly acknowledgedAt: number | null
}

export function toNotification(row: Selectable<NotificationTable>): NotificationRecord {
  return {
    id: row.id,
    userId: row.user_id,
    taskId: row.task_id,
    kind: row.kind,
    reminder: row.reminder === null ? null : (JSON.parse(row.reminder) as Reminder),
    expiryAt: row.expiry_at,
    dueAt: row.due_at,
    firedAt: row.fired_at,
    timing: row.timing,
    latenessMs: row.lateness_ms,
    acknowledgedAt: row.acknowledged_at,
  }
}

/** Inserts notifications, at most one a task, and returns them without those that exist already. */
export async function insertNotifications(
  tx: Db,
  notifications: readonly Omit<Notification, 'id'>[],
): Promise<NotificationRecord[]> {
  const inserted = await dialectOf(tx).insertRows(
    tx,
    'notifications',
    ['user_id', 'task_id', 'kind', 'reminder', 'expiry_at', 'due_at', 'fired_at', 'timing', 'lateness_ms'],
    notifications.map((notification) => [
      notification.userId,
      notification.taskId,
      notification.kind,
      notification.reminder === null ? null : JSON.stringify(notification.reminder),
      notification.expiryAt,
      notification.dueAt,
      notification.firedAt,
      notification.timing,
      notification.latenessMs,
    ]),
    ['id', 'task_id'],
  )
  const idOf = new Map(inserted.map(({ id, task_id }) => [task_id, id]))
  const written: NotificationRecord[] = []
  for (const notification of notifications) {
    const id = idOf.get(notification.taskId)
    if (id !== undefined) written.push({ id, ...notification, acknowledgedAt: null })
  }
  return written
}

const selectFiredUntil = prepare((db, args: { taskId: number; expiryAt: number }) =>
  db
    .selectFrom('notifications')
    .select('due_at')
    .where('task_id', '=', args.taskId)
    .where('expiry_at', '=', args.expiryAt)
    .orderBy('due_at', 'desc')
    .limit(1),
)

/** The latest reminder instant, in ms, that has fired for the expiry of each task, by task. Tasks without one are left out. */
export async function firedUntil(
  db: Db,
  tasks: readonly { readonly id: number; readonly expiryAt: number }[],
): Promise<Map<number, number>> {
  const [first] = tasks
  if (first && tasks.length === 1) {
    const row = (await selectFiredUntil(db, { taskId: first.id, expiryAt: first.expiryAt })).rows[0]
    return new Map(row && [[first.id, row.due_at]])
  }
  if (!first) return new Map()
  const { among } = dialectOf(db)
  const [ids, expiries] = [tasks.map(({ id }) => id), tasks.map(({ expiryAt }) => expiryAt)]
  const rows = await db
    .selectFrom('notifications')
    .select(['task_id', 'expiry_at', (eb) => eb.fn.max('due_at').as('due_at')])
    .where((eb) => eb.and([among(eb.ref('task_id'), ids), among(eb.ref('expiry_at'), expiries)]))
    .groupBy(['task_id', 'expiry_at'])
    .execute()
  // The query also finds pairs of one task and the expiry of another.
  const expiryOf = new Map(tasks.map(({ id, expiryAt }) => [id, expiryAt]))
  const own = rows.filter((row) => expiryOf.get(row.task_id) === row.expiry_at)
  return new Map(own.map((row) => [row.task_id, row.due_at]))
}

/** The notifications among these ids that exist, by id. */
export async function notificationsByIds(db: Db, ids: readonly number[]): Promise<Map<number, NotificationRecord>> {
  const rows = await db
    .selectFrom('notifications')
    .selectAll()
    .where((eb) => dialectOf(db).among(eb.ref('id'), ids))
    .execute()
  return new Map(rows.map((row) => [row.id, toNotification(row)]))
}

export async function findNotification(db: Db, userId: number, id: number): Promise<NotificationRecord | undefined> {
  const row = await db
    .selectFrom('notifications')
    .selectAll()
    .where('user_id', '=', userId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && toNotification(row)
}

/** @throws Problem `not-found` */
export async function getNotification(db: Db, userId: number, id: number): Promise<NotificationRecord> {
  const notification = await findNotification(db, userId, id)
  if (!notification) throw new Problem('not-found', `There is no notification ${id}.`)
  return notification
}

/** Acknowledges notifications that are not acknowledged yet. @returns how many */
export async function acknowledgeNotifications(
  tx: Db,
  userId: number,
  ids: readonly number[],
  now: number,
): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('notifications')
    .set({ acknowledged_at: now })
    .where('user_id', '=', userId)
    .where((eb) => dialectOf(tx).among(eb.ref('id'), ids))
    .where('acknowledged_at', 'is', null)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/**
 * The ids of notifications that failed on a channel, in lists as `idsInOrder` returns them.
 * @param sinceAt only those that fired from this instant on
 */
export async function* failedNotificationIds(
  db: Db,
  userId: number,
  { channelId, sinceAt, max }: { channelId: number; sinceAt: number; max: number },
): AsyncGenerator<number[]> {
  const where = sql<SqlBool>`fired_at >= ${sinceAt} and exists (
    select 1 from deliveries as d where d.notification_id = notifications.id and d.channel_id = ${channelId} and d.state = 'failed')`
  yield* idsInOrder(db, 'notifications', userId, { where, last: await lastId(db, 'notifications', userId), max })
}

/** The ids of notifications that are not acknowledged, up to an id, in order and in lists of at most `max`. */
export async function* unacknowledgedIds(db: Db, userId: number, upTo: number, max: number): AsyncGenerator<number[]> {
  const last = Math.min(upTo, await lastId(db, 'notifications', userId))
  yield* idsInOrder(db, 'notifications', userId, { where: sql<SqlBool>`acknowledged_at is null`, last, max })
}
