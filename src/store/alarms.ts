import type { Task } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockFreeRows } from './engine/lock-rows.ts'
import { prepare } from './engine/prepare.ts'
import type { Db } from './schema.ts'
import { toTask } from './task-rows.ts'

/** The queue of reminders: the column `notify_at` of tasks and its index. Stale alarms are in recompute.ts. */

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
