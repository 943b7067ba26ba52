import { type Selectable, type SqlBool, sql } from 'kysely'
import type { Notice } from '#core/notification.ts'
import { Problem } from '#core/problem.ts'
import type { Reminder } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { idsInOrder, lastId } from './engine/id-windows.ts'
import { prepare } from './engine/prepare.ts'
import type { Db, NoticeTable } from './schema.ts'

/** A notice as the ledger knows it. */
export interface NoticeRecord extends Notice {
  /** When a person said to have seen it, in ms since 1970. */
  readonly acknowledgedAt: number | null
}

export function toNotice(row: Selectable<NoticeTable>): NoticeRecord {
  return {
    id: row.id,
    ownerId: row.owner_id,
    taskId: row.task_id,
    kind: row.kind,
    reminder: row.reminder === null ? null : (JSON.parse(row.reminder) as Reminder),
    expiryAt: row.expiry_at,
    dueAt: row.due_at,
    rungAt: row.rung_at,
    timing: row.timing,
    latenessMs: row.lateness_ms,
    acknowledgedAt: row.acknowledged_at,
  }
}

/** Writes notices, at most one a task. What was rung already for this instant is left out of the answer. */
export async function insertNotices(tx: Db, notices: readonly Omit<Notice, 'id'>[]): Promise<NoticeRecord[]> {
  const inserted = await dialectOf(tx).insertRows(
    tx,
    'notices',
    ['owner_id', 'task_id', 'kind', 'reminder', 'expiry_at', 'due_at', 'rung_at', 'timing', 'lateness_ms'],
    notices.map((notice) => [
      notice.ownerId,
      notice.taskId,
      notice.kind,
      notice.reminder === null ? null : JSON.stringify(notice.reminder),
      notice.expiryAt,
      notice.dueAt,
      notice.rungAt,
      notice.timing,
      notice.latenessMs,
    ]),
    ['id', 'task_id'],
  )
  const idOf = new Map(inserted.map(({ id, task_id }) => [task_id, id]))
  const written: NoticeRecord[] = []
  for (const notice of notices) {
    const id = idOf.get(notice.taskId)
    if (id !== undefined) written.push({ id, ...notice, acknowledgedAt: null })
  }
  return written
}

const selectRungUntil = prepare((db, args: { taskId: number; expiryAt: number }) =>
  db
    .selectFrom('notices')
    .select('due_at')
    .where('task_id', '=', args.taskId)
    .where('expiry_at', '=', args.expiryAt)
    .orderBy('due_at', 'desc')
    .limit(1),
)

/** The latest reminder instant, in ms, that has rung for the expiry of each of these tasks, by task; without those that have not. */
export async function rungUntil(
  db: Db,
  tasks: readonly { readonly id: number; readonly expiryAt: number }[],
): Promise<Map<number, number>> {
  const [first] = tasks
  if (first && tasks.length === 1) {
    const row = (await selectRungUntil(db, { taskId: first.id, expiryAt: first.expiryAt })).rows[0]
    return new Map(row && [[first.id, row.due_at]])
  }
  if (!first) return new Map()
  const { among } = dialectOf(db)
  const [ids, expiries] = [tasks.map(({ id }) => id), tasks.map(({ expiryAt }) => expiryAt)]
  const rows = await db
    .selectFrom('notices')
    .select(['task_id', 'expiry_at', (eb) => eb.fn.max('due_at').as('due_at')])
    .where((eb) => eb.and([among(eb.ref('task_id'), ids), among(eb.ref('expiry_at'), expiries)]))
    .groupBy(['task_id', 'expiry_at'])
    .execute()
  // Some may be of one task and the expiry of another.
  const expiryOf = new Map(tasks.map(({ id, expiryAt }) => [id, expiryAt]))
  const own = rows.filter((row) => expiryOf.get(row.task_id) === row.expiry_at)
  return new Map(own.map((row) => [row.task_id, row.due_at]))
}

/** The notices among these ids that exist, by id. */
export async function noticesByIds(db: Db, ids: readonly number[]): Promise<Map<number, NoticeRecord>> {
  const rows = await db
    .selectFrom('notices')
    .selectAll()
    .where((eb) => dialectOf(db).among(eb.ref('id'), ids))
    .execute()
  return new Map(rows.map((row) => [row.id, toNotice(row)]))
}

export async function findNotice(db: Db, ownerId: number, id: number): Promise<NoticeRecord | undefined> {
  const row = await db
    .selectFrom('notices')
    .selectAll()
    .where('owner_id', '=', ownerId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && toNotice(row)
}

/** @throws Problem `not-found` */
export async function getNotice(db: Db, ownerId: number, id: number): Promise<NoticeRecord> {
  const notice = await findNotice(db, ownerId, id)
  if (!notice) throw new Problem('not-found', `There is no notification ${id}.`)
  return notice
}

/** Those that nobody has acknowledged yet are, from here on. @returns how many */
export async function acknowledgeNotices(
  tx: Db,
  ownerId: number,
  ids: readonly number[],
  now: number,
): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('notices')
    .set({ acknowledged_at: now })
    .where('owner_id', '=', ownerId)
    .where((eb) => dialectOf(tx).among(eb.ref('id'), ids))
    .where('acknowledged_at', 'is', null)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/** The ids of notices that a channel has given up, as `idsInOrder` has them. @param sinceAt only what rang from this instant on */
export async function* givenUpOn(
  db: Db,
  ownerId: number,
  { channelId, sinceAt, most }: { channelId: number; sinceAt: number; most: number },
): AsyncGenerator<number[]> {
  const where = sql<SqlBool>`rung_at >= ${sinceAt} and exists (
    select 1 from deliveries as d where d.notice_id = notices.id and d.channel_id = ${channelId} and d.state = 'dead')`
  yield* idsInOrder(db, 'notices', ownerId, { where, last: await lastId(db, 'notices', ownerId), most })
}

/** The ids up to one of notices that nobody has acknowledged, in order and in lists of at most `most`. */
export async function* unacknowledged(db: Db, ownerId: number, upTo: number, most: number): AsyncGenerator<number[]> {
  const last = Math.min(upTo, await lastId(db, 'notices', ownerId))
  yield* idsInOrder(db, 'notices', ownerId, { where: sql<SqlBool>`acknowledged_at is null`, last, most })
}
