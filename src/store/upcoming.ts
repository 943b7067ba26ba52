import { sql } from 'kysely'
import { type Defaults, type Instant, upcomingReminders } from '#core/reminder.ts'
import type { Task } from '#core/task.ts'
import { prepare } from './engine/prepare.ts'
import type { Db } from './schema.ts'
import { toTask } from './tasks.ts'

/** A ring that lies ahead, or is overdue and about to come. */
export interface Upcoming extends Instant {
  readonly task: Task
}

/**
 * What will ring until an instant, the next first. Computed, not stored: a task's row tells its next alarm, and its later ones follow
 * from it. So two orders are merged:
 *
 *   tasks by alarm      A 9:00 ─── B 9:10 ─── C 9:30 │ D 9:50 …     read so far │ not yet
 *   their rings         A 9:00, A 9:45, B 9:10, B 9:20, C 9:30
 *   certain             A 9:00, B 9:10, B 9:20, C 9:30              up to C's alarm: whoever is not read yet rings after that
 *
 * Read on until enough is certain, which nearly always is the first page of as many tasks as rings are wanted.
 */
export async function selectUpcoming(
  db: Db,
  userId: number,
  { defaults, now, until, limit }: { defaults: Defaults; now: number; until: number; limit: number },
): Promise<{ rings: Upcoming[]; hasMore: boolean }> {
  const rings: Upcoming[] = []
  const wanted = limit + 1 // one more tells whether there is more
  let last = { notifyAt: Number.MIN_SAFE_INTEGER, id: 0 }
  for (;;) {
    const rows = await selectArmed(db, { userId, until, from: last.notifyAt, ...last, limit: wanted })
    const tasks = rows.rows.map(toTask)
    for (const task of tasks) for (const fire of firingsOf(task, defaults, now, until)) rings.push({ ...fire, task })
    const end = tasks.at(-1)
    const isAll = tasks.length < wanted
    const certainUntil = isAll ? until : Math.max(now, end?.notifyAt ?? until)
    // In the order of their alarms where they ring at one instant: the sort is stable.
    const certain = rings.filter(({ at }) => at <= certainUntil).sort((a, b) => a.at - b.at)
    if (isAll || certain.length >= wanted) return { rings: certain.slice(0, limit), hasMore: certain.length > limit }
    last = { notifyAt: end?.notifyAt ?? until, id: end?.id ?? 0 }
  }
}

/** A row that another hand has damaged will not ring, as the bell sees it. */
function firingsOf(task: Task, defaults: Defaults, now: number, until: number): Instant[] {
  try {
    return upcomingReminders(task, defaults, now, until)
  } catch {
    return []
  }
}

type Args = { userId: number; until: number; from: number; notifyAt: number; id: number; limit: number }

const selectArmed = prepare((db, args: Args) =>
  db
    .selectFrom('tasks')
    .selectAll()
    // The plus keeps SQLite from taking an index of user_id and sorting all that the user has.
    .where(sql`+user_id`, '=', args.userId)
    .where('notify_at', '>=', args.from)
    .where('notify_at', '<=', args.until)
    .where((eb) => eb.or([eb('notify_at', '>', args.notifyAt), eb('id', '>', args.id)]))
    .orderBy('notify_at')
    .orderBy('id')
    .limit(args.limit),
)
