import { sql } from 'kysely'
import { tasksToCome } from '#core/recurring-task.ts'
import { type Defaults, upcomingReminders } from '#core/reminder.ts'
import { type AlarmSettings, freshen } from '#core/stale-alarm.ts'
import type { Task } from '#core/task.ts'
import { prepare } from './engine/prepare.ts'
import type { Db } from './schema.ts'
import { toTask } from './task-rows.ts'
import type { Upcoming } from './upcoming.ts'
import { findUser } from './users.ts'

/**
 * The reminders of occurrences that do not exist yet: their task is created when the one before is completed. They are computed as if each
 * were completed at its expiry, or now where that has passed.
 *
 * The work is bounded. At most a thousand recurring tasks are read, those that expire soonest, and at most 10,000 occurrences computed: 0.3 s for
 * rules with a time of day. The response says `more` when that was not enough.
 */
const maxTasks = 1_000
const maxOccurrences = 10_000

/** A recurring task, and its first occurrence that has not been taken. */
interface Line {
  readonly tasks: Iterator<Task, undefined>
  next: readonly Upcoming[]
  /** The earliest reminder of `next`. It never lies before that of an earlier occurrence, because leads stay the same. */
  earliestAt: number
}

export async function selectProjected(
  db: Db,
  userId: number,
  { defaults, now, until, limit }: { defaults: Defaults; now: number; until: number; limit: number },
): Promise<{ reminders: Upcoming[]; hasMore: boolean }> {
  const staleSince = (await findUser(db, userId))?.staleSince ?? null
  const settings = { defaults, staleSince }
  const rows = (await selectRecurring(db, { userId, limit: maxTasks + 1 })).rows
  let budget = maxOccurrences
  /** Moves a line to its next occurrence that reminds after now. @returns whether there is one until the end */
  const advance = (line: Line): boolean => {
    while (budget > 0) {
      budget -= 1
      const task = line.tasks.next().value
      if (!task) return false
      const all = upcomingReminders(task, defaults, now, Number.MAX_SAFE_INTEGER)
      if (all.length === 0) return false
      // A reminder of the past fires when its task is created: that instant is not known.
      const reminders = all.filter(({ at }) => at > now)
      const [first] = reminders
      if (!first) continue
      line.next = reminders.filter(({ at }) => at <= until).map((one) => ({ ...one, task, isProjected: true }))
      line.earliestAt = first.at
      return first.at <= until
    }
    return false
  }
  let lines = rows
    .slice(0, maxTasks)
    .map((row) => openLine(toTask(row), settings, now))
    .filter(advance)
  const found: Upcoming[] = []
  let certain: Upcoming[] = []
  while (lines.length > 0 && certain.length <= limit) {
    const line = lines.reduce((a, b) => (b.earliestAt < a.earliestAt ? b : a))
    found.push(...line.next)
    if (!advance(line)) lines = lines.filter((one) => one !== line)
    if (found.length <= limit) continue
    const certainUntil = Math.min(...lines.map(({ earliestAt }) => earliestAt))
    certain = found.filter(({ at }) => at <= certainUntil)
  }
  const all = (certain.length > limit ? certain : found).sort((a, b) => a.at - b.at)
  return { reminders: all.slice(0, limit), hasMore: all.length > limit || budget === 0 || rows.length > maxTasks }
}

function openLine(stored: Task, settings: AlarmSettings, now: number): Line {
  const tasks = readable(() => tasksToCome(freshen(stored, settings, now), settings.defaults, now))
  return { tasks, next: [], earliestAt: 0 }
}

/** An invalid row, changed by another program, has no occurrences. */
function* readable(open: () => Iterable<Task>): Generator<Task, undefined> {
  try {
    yield* open()
  } catch {
    // as if the series had ended
  }
}

/** Both lists in one order, cut to the limit. */
export function mergeUpcoming(
  a: { reminders: readonly Upcoming[]; hasMore: boolean },
  b: { reminders: readonly Upcoming[]; hasMore: boolean },
  limit: number,
): { reminders: Upcoming[]; hasMore: boolean } {
  const all = [...a.reminders, ...b.reminders].sort((one, other) => one.at - other.at)
  return { reminders: all.slice(0, limit), hasMore: a.hasMore || b.hasMore || all.length > limit }
}

/** The condition is that of the partial index tasks_recurring. Without partial indexes, as on MySQL, it reads the tasks of the user. */
const selectRecurring = prepare((db, args: { userId: number; limit: number }) =>
  db
    .selectFrom('tasks')
    .selectAll()
    .where('user_id', '=', args.userId)
    .where(sql<boolean>`recurrence_rule is not null and completed_at is null`)
    .orderBy('expiry_at')
    .orderBy('id')
    .limit(args.limit),
)
