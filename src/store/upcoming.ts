import { sql } from 'kysely'
import { type Defaults, type Instant, upcomingReminders } from '#core/reminder.ts'
import type { Task } from '#core/task.ts'
import { prepare } from './engine/prepare.ts'
import type { Db } from './schema.ts'
import { toTask } from './tasks.ts'

/** A reminder that lies ahead, or is overdue and about to fire. */
export interface Upcoming extends Instant {
  readonly task: Task
}

/**
 * The reminders that will fire until an instant, the next first. They are computed, not stored: a row has the next alarm of its task, and
 * later ones follow from the row. So two orders are merged:
 *
 *   tasks by alarm      A 9:00 ─── B 9:10 ─── C 9:30 │ D 9:50 …     read so far │ not yet
 *   their reminders     A 9:00, A 9:45, B 9:10, B 9:20, C 9:30
 *   certain             A 9:00, B 9:10, B 9:20, C 9:30              up to C's alarm: tasks not read yet fire after that
 *
 * It reads on until enough reminders are certain. Nearly always that is one page of as many tasks as reminders are requested.
 */
export async function selectUpcoming(
  db: Db,
  userId: number,
  { defaults, now, until, limit }: { defaults: Defaults; now: number; until: number; limit: number },
): Promise<{ reminders: Upcoming[]; hasMore: boolean }> {
  const found: Upcoming[] = []
  const wanted = limit + 1 // one more shows whether there are more
  let last = { notifyAt: Number.MIN_SAFE_INTEGER, id: 0 }
  for (;;) {
    const rows = await selectArmed(db, { userId, until, from: last.notifyAt, ...last, limit: wanted })
    const tasks = rows.rows.map(toTask)
    for (const task of tasks) for (const fire of firingsOf(task, defaults, now, until)) found.push({ ...fire, task })
    const end = tasks.at(-1)
    const isAll = tasks.length < wanted
    const certainUntil = isAll ? until : Math.max(now, end?.notifyAt ?? until)
    // Reminders at the same instant stay in the order of their alarms: the sort is stable.
    const certain = found.filter(({ at }) => at <= certainUntil).sort((a, b) => a.at - b.at)
    if (isAll || certain.length >= wanted)
      return { reminders: certain.slice(0, limit), hasMore: certain.length > limit }
    last = { notifyAt: end?.notifyAt ?? until, id: end?.id ?? 0 }
  }
}

/** An invalid row, changed by another program, will not fire. */
function firingsOf(task: Task, defaults: Defaults, now: number, until: number): Instant[] {
  try {
    return upcomingReminders(task, defaults, now, until)
  } catch {
    return []
  }
}

type ArmedTasksQuery = { userId: number; until: number; from: number; notifyAt: number; id: number; limit: number }

const selectArmed = prepare((db, args: ArmedTasksQuery) =>
  db
    .selectFrom('tasks')
    .selectAll()
    // The plus keeps SQLite from using an index of user_id and sorting all tasks of the user.
    .where(sql`+user_id`, '=', args.userId)
    .where('notify_at', '>=', args.from)
    .where('notify_at', '<=', args.until)
    .where((eb) => eb.or([eb('notify_at', '>', args.notifyAt), eb('id', '>', args.id)]))
    .orderBy('notify_at')
    .orderBy('id')
    .limit(args.limit),
)
