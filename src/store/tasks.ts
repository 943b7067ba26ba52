import type { Insertable, Selectable } from 'kysely'
import { Problem } from '#core/problem.ts'
import type { NewTask, Reminder, Task } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockFreeRows, lockRows } from './engine/lock-rows.ts'
import { prepare } from './engine/prepare.ts'
import type { Db, TaskTable } from './schema.ts'
import { indexTask } from './search.ts'

type Row = Selectable<TaskTable>

const none: readonly never[] = Object.freeze([])

export function toTask(row: Row): Task {
  return {
    id: row.id,
    userId: row.user_id,
    uid: row.uid,
    key: row.key,
    title: row.title,
    description: row.description,
    expiryAt: row.expiry_at,
    timeZone: row.time_zone,
    reminders: row.reminders === null ? null : parseList<Reminder>(row.reminders),
    tags: row.tags === '[]' ? none : parseList<string>(row.tags),
    priority: row.priority,
    completedAt: row.completed_at,
    snoozedUntilAt: row.snoozed_until_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
    notifyAt: row.notify_at,
    firedUntilAt: row.fired_until_at,
  }
}

/**
 * Parses a stored list. Another program may have stored something else: that becomes its only item, so that users can see it, and it
 * fails the reminders of this task only, not of all that are due with it.
 */
export function parseList<T>(text: string): readonly T[] {
  try {
    const list: unknown = JSON.parse(text)
    if (Array.isArray(list)) return list
  } catch {
    // as below
  }
  return [text as T]
}

function toRow(task: NewTask): Insertable<TaskTable> {
  return {
    user_id: task.userId,
    uid: task.uid,
    key: task.key,
    title: task.title,
    description: task.description,
    expiry_at: task.expiryAt,
    time_zone: task.timeZone,
    reminders: task.reminders === null ? null : JSON.stringify(task.reminders),
    tags: task.tags.length === 0 ? '[]' : JSON.stringify(task.tags),
    priority: task.priority,
    completed_at: task.completedAt,
    snoozed_until_at: task.snoozedUntilAt,
    created_at: task.createdAt,
    updated_at: task.updatedAt,
    version: task.version,
    notify_at: task.notifyAt,
    fired_until_at: task.firedUntilAt,
  }
}

/** All columns except for the id. */
export const columns = [
  'user_id',
  'uid',
  'key',
  'title',
  'description',
  'expiry_at',
  'time_zone',
  'reminders',
  'tags',
  'priority',
  'completed_at',
  'snoozed_until_at',
  'created_at',
  'updated_at',
  'version',
  'notify_at',
  'fired_until_at',
] as const satisfies readonly (keyof TaskTable)[]

function eachColumn(row: Insertable<TaskTable>): Insertable<TaskTable> {
  return Object.fromEntries(columns.map((column) => [column, row[column]])) as unknown as Insertable<TaskTable>
}

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

const insertOne = prepare((db, row: Insertable<TaskTable>) => {
  const query = db.insertInto('tasks').values(eachColumn(row))
  return db.getExecutor().adapter.supportsReturning ? query.returning('id') : query
})

/** @throws Problem `conflict` when the user has a task with this uid or key */
export async function insertTask(tx: Db, task: NewTask): Promise<Task> {
  try {
    const { rows, insertId } = await insertOne(tx, toRow(task))
    const id = (rows as unknown as { id: number }[])[0]?.id ?? Number(insertId)
    indexTask(tx, { ...task, id }, { isNew: true })
    return { ...task, id }
  } catch (error) {
    throw toConflict(tx, error, task)
  }
}

type Column = (typeof columns)[number]
type Update = ReturnType<typeof prepareUpdate>

/**
 * One statement for each set of columns that change together. A statement that sets all columns was rejected: SQLite deletes and
 * inserts an index entry when a statement names one of its columns, whether or not its value changes. An edit of an expiry then wrote
 * the pages of two more indexes.
 */
const updates = new Map<string, Update>()
/** A handful of a few hundred possible sets occurs. */
const maxUpdates = 200

function prepareUpdate(changed: readonly Column[]) {
  return prepare((db, args: Insertable<TaskTable> & { id: number; seen: number }) =>
    db
      .updateTable('tasks')
      .set(Object.fromEntries(changed.map((column) => [column, args[column]])))
      .where('id', '=', args.id)
      .where('version', '=', args.seen),
  )
}

function updateOf(changed: readonly Column[]): Update {
  const name = changed.join()
  const known = updates.get(name)
  if (known) return known
  if (updates.size >= maxUpdates) updates.clear()
  const made = prepareUpdate(changed)
  updates.set(name, made)
  return made
}

/** The row of a changed task, and its changed columns. The version is always among them. */
function toChangedRow({ before, after }: TaskUpdate) {
  const [old, row] = [toRow(before), toRow(after)]
  return { before, row, changed: columns.filter((column) => column === 'version' || old[column] !== row[column]) }
}

async function saveTask(tx: Db, change: TaskUpdate): Promise<void> {
  const { before, after } = change
  const { row, changed } = toChangedRow(change)
  try {
    const { numAffectedRows } = await updateOf(changed)(tx, { ...row, id: after.id, seen: before.version })
    if (numAffectedRows !== 1n) throw new Problem('stale', `Task ${after.id} was changed meanwhile.`)
  } catch (error) {
    throw toConflict(tx, error, after)
  }
}

export interface TaskUpdate {
  readonly before: Task
  readonly after: Task
}

/**
 * Updates tasks, each only if it still has the version before. Takes a few statements: one for each set of changed columns. Setting all
 * columns was rejected: a title of a thousand tasks of 64 KiB would transfer them all, more than a server accepts in one statement.
 * @throws Problem `stale` when a task was changed meanwhile, `conflict` when a key is taken
 */
export async function saveTasks(tx: Db, changes: readonly TaskUpdate[]): Promise<void> {
  const [first] = changes
  if (first && changes.length === 1) return saveTask(tx, first)
  const withNewKey = changes.filter(({ before, after }) => after.key !== null && after.key !== before.key)
  try {
    // A key that moves from one task to another is released first: no database checks uniqueness only at the end.
    const wanted = new Set(withNewKey.map(({ after }) => after.key))
    const releases = changes.filter(({ before, after }) => wanted.has(before.key) && after.key !== before.key)
    await overwrite(
      tx,
      ['key'],
      releases.map(({ before }) => ({ before, row: { key: null } })),
    )
    const rows = changes.map(toChangedRow)
    for (const group of Map.groupBy(rows, ({ changed }) => changed.join()).values())
      await overwrite(tx, group[0]?.changed ?? [], group)
  } catch (error) {
    if (dialectOf(tx).classify(error) !== 'duplicate') throw error
    const keys = withNewKey.map(({ after }) => `«${after.key}»`)
    const more = keys.length > 5 ? ` and ${keys.length - 5} more` : ''
    throw new Problem('conflict', `One of the keys ${keys.slice(0, 5).join(', ')}${more} is taken by another task.`, {
      cause: error,
    })
  }
}

async function overwrite(
  tx: Db,
  sets: readonly Column[],
  rows: readonly { before: Task; row: Partial<Insertable<TaskTable>> }[],
): Promise<void> {
  const values = rows.map(({ before, row }) => [before.id, before.version, ...sets.map((column) => row[column])])
  const found = await dialectOf(tx).updateRows(tx, 'tasks', ['id', 'version'], sets, values)
  if (found !== rows.length) throw new Problem('stale', 'One of the tasks was changed meanwhile.')
}

function toConflict(tx: Db, error: unknown, { uid, key }: NewTask): unknown {
  if (dialectOf(tx).classify(error) !== 'duplicate') return error
  const what = key === null ? `the uid «${uid}»` : `the uid «${uid}» or the key «${key}»`
  return new Problem('conflict', `There is a task with ${what} already.`, { cause: error })
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

const selectNextAlarm = prepare((db, _: object) =>
  db.selectFrom('tasks').select('notify_at').where('notify_at', 'is not', null).orderBy('notify_at').limit(1),
)

/** The earliest alarm of all users, or null. */
export async function nextAlarmAt(db: Db): Promise<number | null> {
  return (await selectNextAlarm(db, {})).rows[0]?.notify_at ?? null
}

/** For how long the oldest alarm has been due, in ms; 0 when none is. */
export async function readOverdueMs(db: Db, now: number): Promise<number> {
  return Math.max(0, now - ((await nextAlarmAt(db)) ?? now))
}

const selectDue = prepare((db, args: { now: number; limit: number }) => {
  const query = db
    .selectFrom('tasks')
    .selectAll()
    .where('notify_at', '<=', args.now)
    .orderBy('notify_at')
    .limit(args.limit)
  return lockFreeRows(db, query)
})

/** Tasks whose alarm has come, of all users, the longest due first; those that another process has in hand are left out. */
export async function dueTasks(tx: Db, now: number, limit: number): Promise<Task[]> {
  return (await selectDue(tx, { now, limit })).rows.map(toTask)
}

/** Moves alarms, each only if it has not changed since it was read. */
export async function moveAlarms(
  tx: Db,
  alarms: readonly { id: number; seenAt: number | null; notifyAt: number | null; firedUntilAt: number | null }[],
): Promise<void> {
  await dialectOf(tx).updateRows(
    tx,
    'tasks',
    ['id', 'notify_at'],
    ['notify_at', 'fired_until_at'],
    alarms.map(({ id, seenAt, notifyAt, firedUntilAt }) => [id, seenAt, notifyAt, firedUntilAt]),
  )
}
