import { type Expression, type Selectable, type SqlBool, sql } from 'kysely'
import { Problem } from '#core/problem.ts'
import type { Task } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { idsInOrder, lastId } from './engine/id-windows.ts'
import { lockFreeRows, lockRows } from './engine/lock-rows.ts'
import type { Db, TaskTable, TrashTable } from './schema.ts'
import { removeFromIndex } from './search.ts'
import { hasTag } from './task-list.ts'
import { taskColumns, toTask } from './task-rows.ts'

/**
 * Deleted tasks. Rows move between `tasks` and `trash` inside the database, a thousand in two statements. Only the columns that decide
 * an alarm are read. `moveToTrash` is the way out of `tasks`, `takeFromTrash` the only way back.
 *
 *            moveToTrash                 purge: requested, or after some days
 *   tasks ────────────────▶ trash ─────────────────────────────────────────▶ gone
 *     ▲                       │
 *     └──── takeFromTrash ────┘   the same ids; their notifications stayed
 */
export interface TrashedTask {
  readonly task: Task
  /** ms since 1970. */
  readonly deletedAt: number
  /** The same for all tasks that one request deleted. */
  readonly batch: string
}

/** Which tasks to delete. All conditions must hold. */
export interface DeletionFilter {
  readonly ids?: readonly number[]
  readonly status?: 'all' | 'open' | 'expired' | 'completed'
  readonly tags?: readonly string[]
  /** ms since 1970. */
  readonly expiresBefore?: number
}

function deletionCondition(
  db: Db,
  { ids, status, tags = [], expiresBefore }: DeletionFilter,
  now: number,
): Expression<SqlBool> {
  const all: Expression<SqlBool>[] = []
  if (ids) all.push(dialectOf(db).among(sql.ref('id'), ids))
  if (status === 'open' || status === 'expired') all.push(sql`completed_at is null`)
  if (status === 'expired') all.push(sql`expiry_at <= ${now}`)
  if (status === 'completed') all.push(sql`completed_at is not null`)
  if (expiresBefore !== undefined) all.push(sql`expiry_at < ${expiresBefore}`)
  for (const tag of tags) all.push(hasTag(tag)())
  return all.length === 0 ? sql`1 = 1` : sql`${sql.join(all, sql` and `)}`
}

/** The ids of tasks that match a filter, in order and in lists of at most `max`, without tasks created from now on. */
export async function* idsToDelete(
  db: Db,
  userId: number,
  filter: DeletionFilter,
  now: number,
  max: number,
): AsyncGenerator<number[]> {
  const where = deletionCondition(db, filter, now)
  // Given ids are looked up, not searched among all.
  if (!filter.ids) yield* idsInOrder(db, 'tasks', userId, { where, last: await lastId(db, 'tasks', userId), max })
  else {
    const found = await selectTaskIds(db, userId, where).execute()
    if (found.length > 0) yield found.map(({ id }) => id)
  }
}

/** Locks the tasks among these ids that still match the filter until the transaction ends. */
export async function lockToDelete(
  tx: Db,
  userId: number,
  ids: readonly number[],
  filter: DeletionFilter,
  now: number,
): Promise<number[]> {
  const where = sql<SqlBool>`${dialectOf(tx).among(sql.ref('id'), ids)} and ${deletionCondition(tx, filter, now)}`
  const rows = await lockRows(tx, selectTaskIds(tx, userId, where)).execute()
  return rows.map(({ id }) => id)
}

const selectTaskIds = (db: Db, userId: number, where: Expression<SqlBool>) =>
  db.selectFrom('tasks').select('id').where('user_id', '=', userId).where(where).orderBy('id')

const trashColumns = [
  'id',
  ...taskColumns.filter((column) => column !== 'notify_at'),
] as const satisfies (keyof TaskTable)[]

/** Moves tasks that this transaction has locked. */
export async function moveToTrash(tx: Db, ids: readonly number[], batch: string, deletedAt: number): Promise<void> {
  if (ids.length === 0) return
  await tx
    .insertInto('trash')
    .columns([...trashColumns, 'deleted_at', 'batch'])
    .expression(
      tx
        .selectFrom('tasks')
        .select(trashColumns)
        .select((eb) => [eb.val(deletedAt).as('deleted_at'), eb.val(batch).as('batch')])
        .where((eb) => dialectOf(tx).among(eb.ref('id'), ids)),
    )
    .execute()
  await tx
    .deleteFrom('tasks')
    .where((eb) => dialectOf(tx).among(eb.ref('id'), ids))
    .execute()
}

/** A part of the trash: some ids, one batch, or all of it. */
export type TrashSelection = { readonly ids: readonly number[] } | { readonly batch: string } | 'all'

/** The ids of a part of the trash, in lists of at most `max`, without tasks deleted from now on. */
export async function* idsInTrash(
  db: Db,
  userId: number,
  which: TrashSelection,
  max: number,
): AsyncGenerator<number[]> {
  const newest = which === 'all' ? ((await listTrash(db, userId, { limit: 1 }))[0]?.deletedAt ?? 0) : 0
  let [deletedAt, id] = [0, 0]
  for (;;) {
    let query = db.selectFrom('trash').select(['id', 'deleted_at']).where('user_id', '=', userId).limit(max)
    // In the order of an index, or each list would sort all.
    if (which === 'all')
      query = query
        .where('deleted_at', '>=', deletedAt)
        .where('deleted_at', '<=', newest)
        .where((eb) => eb.or([eb('deleted_at', '>', deletedAt), eb('id', '>', id)]))
        .orderBy('deleted_at')
    else if ('batch' in which) query = query.where('batch', '=', which.batch).where('id', '>', id)
    else query = query.where((eb) => dialectOf(db).among(eb.ref('id'), which.ids))
    const rows = await query.orderBy('id').execute()
    if (rows.length > 0) yield rows.map((row) => row.id)
    if (rows.length < max) return
    deletedAt = rows.at(-1)?.deleted_at ?? 0
    id = rows.at(-1)?.id ?? 0
  }
}

/** Locks the trashed tasks among these ids until the transaction ends. */
export async function lockTrashed(tx: Db, userId: number, ids: readonly number[]): Promise<TrashedTask[]> {
  const query = tx
    .selectFrom('trash')
    .selectAll()
    .where('user_id', '=', userId)
    .where((eb) => dialectOf(tx).among(eb.ref('id'), ids))
    .orderBy('id')
  const rows = await lockRows(tx, query).execute()
  return rows.map(toTrashed)
}

/**
 * Restores tasks that this transaction has locked, as `restoreTask` returned them.
 * @throws Problem `conflict` naming a uid or key that another task has by now
 */
export async function takeFromTrash(tx: Db, tasks: readonly Task[]): Promise<void> {
  if (tasks.length === 0) return
  const ids = tasks.map(({ id }) => id)
  for (const name of ['uid', 'key'] as const) await requireFree(tx, ids, name)
  try {
    // All in SQL: rows in one parameter would truncate a long description on MySQL.
    await tx
      .insertInto('tasks')
      .columns(trashColumns)
      .expression(
        tx
          .selectFrom('trash')
          .select(trashColumns)
          .where((eb) => dialectOf(tx).among(eb.ref('id'), ids)),
      )
      .execute()
  } catch (error) {
    if (dialectOf(tx).classify(error) !== 'duplicate') throw error
    throw new Problem('conflict', 'A uid or key of these tasks was taken just now.', { cause: error })
  }
  await dialectOf(tx).updateRows(
    tx,
    'tasks',
    ['id'],
    ['notify_at', 'fired_until_at', 'version', 'updated_at'],
    tasks.map((task) => [task.id, task.notifyAt, task.firedUntilAt, task.version, task.updatedAt]),
  )
  await deleteRows(tx, ids)
}

async function requireFree(tx: Db, ids: readonly number[], name: 'uid' | 'key'): Promise<void> {
  const other = await tx
    .selectFrom('trash')
    .innerJoin('tasks', (join) =>
      join.onRef('tasks.user_id', '=', 'trash.user_id').onRef(`tasks.${name}`, '=', `trash.${name}`),
    )
    .select(['trash.id', 'tasks.id as by', `trash.${name} as value`])
    .where((eb) => dialectOf(tx).among(eb.ref('trash.id'), ids))
    .orderBy('trash.id')
    .limit(1)
    .executeTakeFirst()
  if (other)
    throw new Problem(
      'conflict',
      `Task ${other.id} cannot be restored: task ${other.by} has the ${name} «${other.value}». Nothing was restored.`,
    )
}

/** Deletes tasks for good, with their entries in the search index. @returns how many */
export async function purgeTrashed(tx: Db, userId: number, ids: readonly number[]): Promise<number> {
  const theirs = (await lockTrashed(tx, userId, ids)).map(({ task }) => task.id)
  await purgeRows(tx, theirs)
  return theirs.length
}

/**
 * The same with what was deleted by an instant, of all users, the oldest first.
 * @param without ids that are left alone, since they cannot be read
 * @returns how many, at most `limit`
 */
export async function purgeOldTrash(
  tx: Db,
  deletedBy: number,
  limit: number,
  without: readonly number[] = [],
): Promise<number> {
  const query = selectOldTrash(tx, deletedBy, without).limit(limit)
  // Tasks that another transaction restores or purges are skipped.
  const rows = await lockFreeRows(tx, query).execute()
  const ids = rows.map(({ id }) => id)
  await purgeRows(tx, ids)
  return ids.length
}

/** The ids that `purgeOldTrash` would purge, from the index alone, so that no damaged row is read. */
export async function oldTrashIds(
  db: Db,
  deletedBy: number,
  limit: number,
  without: readonly number[],
): Promise<number[]> {
  return (await selectOldTrash(db, deletedBy, without).limit(limit).execute()).map(({ id }) => id)
}

function selectOldTrash(db: Db, deletedBy: number, without: readonly number[]) {
  const query = db.selectFrom('trash').select('id').where('deleted_at', '<=', deletedBy).orderBy('deleted_at')
  return without.length === 0 ? query : query.where((eb) => eb.not(dialectOf(db).among(eb.ref('id'), without)))
}

/** Ignores tasks that are gone already. */
export async function purgeRows(tx: Db, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return
  await removeFromIndex(tx, ids)
  await deleteRows(tx, ids)
}

async function deleteRows(tx: Db, ids: readonly number[]): Promise<void> {
  await tx
    .deleteFrom('trash')
    .where((eb) => dialectOf(tx).among(eb.ref('id'), ids))
    .execute()
}

/** Waits for transactions that restore or purge these tasks. */
export async function waitForTrashed(tx: Db, ids: readonly number[]): Promise<void> {
  const query = tx
    .selectFrom('trash')
    .select('id')
    .where((eb) => dialectOf(tx).among(eb.ref('id'), ids))
    .orderBy('id')
  await lockRows(tx, query).execute()
}

/** The newest deletion first. @param page.before the position of the last one on the page before */
export async function listTrash(
  db: Db,
  userId: number,
  page: { before?: { deletedAt: number; id: number } | undefined; limit: number },
): Promise<TrashedTask[]> {
  let query = db.selectFrom('trash').selectAll().where('user_id', '=', userId)
  query = query.orderBy('deleted_at', 'desc').orderBy('id', 'desc').limit(page.limit)
  const { before } = page
  if (before)
    query = query
      .where('deleted_at', '<=', before.deletedAt)
      .where((eb) => eb.or([eb('deleted_at', '<', before.deletedAt), eb('id', '<', before.id)]))
  return (await query.execute()).map(toTrashed)
}

function toTrashed({ deleted_at, batch, ...row }: Selectable<TrashTable>): TrashedTask {
  return { task: toTask({ ...row, notify_at: null }), deletedAt: deleted_at, batch }
}
