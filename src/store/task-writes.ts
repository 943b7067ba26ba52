import type { Insertable } from 'kysely'
import { Problem } from '#core/problem.ts'
import type { NewTask, Task } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { prepare } from './engine/prepare.ts'
import type { Db, TaskTable } from './schema.ts'
import { indexTask, removeFromIndex } from './search.ts'
import { type TaskColumn, taskColumns, toTaskRow } from './task-rows.ts'

/** Inserts and updates tasks. Deleted tasks move to the trash (trash.ts); only the next task of a series is deleted here. */

function eachColumn(row: Insertable<TaskTable>): Insertable<TaskTable> {
  return Object.fromEntries(taskColumns.map((column) => [column, row[column]])) as unknown as Insertable<TaskTable>
}

const insertOne = prepare((db, row: Insertable<TaskTable>) => {
  const query = db.insertInto('tasks').values(eachColumn(row))
  return db.getExecutor().adapter.supportsReturning ? query.returning('id') : query
})

/** @throws Problem `conflict` when the user has a task with this uid or key */
export async function insertTask(tx: Db, task: NewTask): Promise<Task> {
  try {
    const { rows, insertId } = await insertOne(tx, toTaskRow(task))
    const id = (rows as unknown as { id: number }[])[0]?.id ?? Number(insertId)
    indexTask(tx, { ...task, id }, { isNew: true })
    return { ...task, id }
  } catch (error) {
    throw toConflict(tx, error, task)
  }
}

type Update = ReturnType<typeof prepareUpdate>

/**
 * One statement for each set of columns that change together. A statement that sets all columns was rejected: SQLite deletes and
 * inserts an index entry when a statement names one of its columns, whether or not its value changes. An edit of an expiry then wrote
 * the pages of two more indexes.
 */
const updates = new Map<string, Update>()
/** A handful of a few hundred possible sets occurs. */
const maxUpdates = 200

function prepareUpdate(changed: readonly TaskColumn[]) {
  return prepare((db, args: Insertable<TaskTable> & { id: number; seen: number }) =>
    db
      .updateTable('tasks')
      .set(Object.fromEntries(changed.map((column) => [column, args[column]])))
      .where('id', '=', args.id)
      .where('version', '=', args.seen),
  )
}

function updateOf(changed: readonly TaskColumn[]): Update {
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
  const [old, row] = [toTaskRow(before), toTaskRow(after)]
  return { before, row, changed: taskColumns.filter((column) => column === 'version' || old[column] !== row[column]) }
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
    await releaseKeys(
      tx,
      releases.map(({ before }) => before),
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

/** Frees the keys of locked tasks, before others take them. */
export async function releaseKeys(tx: Db, tasks: readonly Task[]): Promise<void> {
  await overwrite(
    tx,
    ['key'],
    tasks.map((before) => ({ before, row: { key: null } })),
  )
}

/** Deletes locked tasks without the trash. Their notifications stay, as those of a purged task: pending deliveries are cancelled. */
export async function deleteForGood(tx: Db, ids: readonly number[]): Promise<void> {
  await removeFromIndex(tx, ids)
  await tx
    .deleteFrom('tasks')
    .where((eb) => dialectOf(tx).among(eb.ref('id'), ids))
    .execute()
}

async function overwrite(
  tx: Db,
  sets: readonly TaskColumn[],
  rows: readonly { before: Task; row: Partial<Insertable<TaskTable>> }[],
): Promise<void> {
  if (rows.length === 0) return
  const values = rows.map(({ before, row }) => [before.id, before.version, ...sets.map((column) => row[column])])
  const found = await dialectOf(tx).updateRows(tx, 'tasks', ['id', 'version'], sets, values)
  if (found !== rows.length) throw new Problem('stale', 'One of the tasks was changed meanwhile.')
}

function toConflict(tx: Db, error: unknown, { uid, key }: NewTask): unknown {
  if (dialectOf(tx).classify(error) !== 'duplicate') return error
  const what = key === null ? `the uid «${uid}»` : `the uid «${uid}» or the key «${key}»`
  return new Problem('conflict', `There is a task with ${what} already.`, { cause: error })
}
