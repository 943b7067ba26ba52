import type { Selectable } from 'kysely'
import type { Notice } from '#core/notice.ts'
import type { Reminder } from '#core/reminder.ts'
import { dialectOf } from './dialects/dialect.ts'
import { prepare } from './prepare.ts'
import type { Db, NoticeTable } from './schema.ts'

function toNotice(row: Selectable<NoticeTable>): Notice {
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
  }
}

/** Writes notices, at most one a task. What was rung already for this instant is left out of the answer. */
export async function insertNotices(tx: Db, notices: readonly Omit<Notice, 'id'>[]): Promise<Notice[]> {
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
  const written: Notice[] = []
  for (const notice of notices) {
    const id = idOf.get(notice.taskId)
    if (id !== undefined) written.push({ id, ...notice })
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
export async function noticesByIds(db: Db, ids: readonly number[]): Promise<Map<number, Notice>> {
  const rows = await db
    .selectFrom('notices')
    .selectAll()
    .where((eb) => dialectOf(db).among(eb.ref('id'), ids))
    .execute()
  return new Map(rows.map((row) => [row.id, toNotice(row)]))
}

export async function findNotice(db: Db, ownerId: number, id: number): Promise<Notice | undefined> {
  const row = await db
    .selectFrom('notices')
    .selectAll()
    .where('owner_id', '=', ownerId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && toNotice(row)
}

/** The newest first. @param page.before an id not to reach; page.taskId only of this task */
export async function listNotices(
  db: Db,
  ownerId: number,
  page: { before: number; limit: number; taskId?: number },
): Promise<Notice[]> {
  let query = db
    .selectFrom('notices')
    .selectAll()
    .where('owner_id', '=', ownerId)
    .where('id', '<', page.before)
    .orderBy('id', 'desc')
    .limit(page.limit)
  if (page.taskId !== undefined) query = query.where('task_id', '=', page.taskId)
  return (await query.execute()).map(toNotice)
}
