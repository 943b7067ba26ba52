import { setImmediate as turn } from 'node:timers/promises'
import { sql } from 'kysely'
import { type Defaults, expiriesOf, type Instant, maxZoneShiftMs, upcomingReminders } from '#core/reminder.ts'
import { type AlarmSettings, freshen } from '#core/stale-alarm.ts'
import type { Task } from '#core/task.ts'
import type { Position } from '#core/task-query.ts'
import { prepare } from './engine/prepare.ts'
import { findProgress } from './recompute.ts'
import type { Db } from './schema.ts'
import { listPage } from './task-list.ts'
import { toTask } from './task-rows.ts'
import { findUser } from './users.ts'

/** A reminder that lies ahead, or is overdue and about to fire. */
export interface Upcoming extends Instant {
  readonly task: Task
  /** Whether the occurrence does not exist yet. Then `task` is the present one, as it will be at that occurrence. */
  readonly isProjected?: boolean
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
 *
 * During a recompute, a task may fire before its stored alarm. Such tasks are found by their expiry as well, from the progress of the
 * recompute on: a reminder comes before the expiry by its lead at most.
 */
export async function selectUpcoming(
  db: Db,
  userId: number,
  { defaults, now, until, limit }: { defaults: Defaults; now: number; until: number; limit: number },
): Promise<{ reminders: Upcoming[]; hasMore: boolean }> {
  const wanted = limit + 1 // one more shows whether there are more
  const staleSince = (await findUser(db, userId))?.staleSince ?? null
  const query = { db, userId, settings: { defaults, staleSince }, now, until, wanted }
  const sources = staleSince === null ? [byAlarm(query, 0)] : [byAlarm(query, maxZoneShiftMs), await byExpiry(query)]
  const found: Upcoming[] = []
  const seen = new Set<number>()
  for (;;) {
    const source = sources.reduce((a, b) => (b.certainUntil < a.certainUntil ? b : a))
    for (const task of await source.read()) {
      if (seen.has(task.id)) continue
      seen.add(task.id)
      for (const fire of firingsOf(task, query.settings, now, until)) found.push({ ...fire, task })
    }
    const certainUntil = Math.min(...sources.map((one) => one.certainUntil))
    const isAll = certainUntil >= until
    // Reminders at the same instant stay in the order of their alarms: the sort is stable.
    const certain = found.filter(({ at }) => at <= certainUntil).sort((a, b) => a.at - b.at)
    if (isAll || certain.length >= wanted)
      return { reminders: certain.slice(0, limit), hasMore: certain.length > limit }
  }
}

interface Query {
  readonly db: Db
  readonly userId: number
  readonly settings: AlarmSettings
  readonly now: number
  readonly until: number
  readonly wanted: number
}

/** Reads tasks in an order. Those not read yet fire after `certainUntil`. */
interface Source {
  certainUntil: number
  read(): Promise<Task[]>
}

/** @param earlierMs how long before its stored alarm a task may fire */
function byAlarm({ db, userId, now, until, wanted }: Query, earlierMs: number): Source {
  let last = { notifyAt: Number.MIN_SAFE_INTEGER, id: 0 }
  const bound = until + earlierMs
  const source: Source = {
    certainUntil: Number.NEGATIVE_INFINITY,
    async read() {
      const args = { userId, until: bound, from: last.notifyAt, ...last, limit: wanted }
      const tasks = (await selectArmed(db, args)).rows.map(toTask)
      const end = tasks.at(-1)
      last = { notifyAt: end?.notifyAt ?? bound, id: end?.id ?? 0 }
      source.certainUntil = tasks.length < wanted ? until : Math.max(now, last.notifyAt) - earlierMs
      return tasks
    },
  }
  return source
}

/** Tasks that the recompute has not reached. It visits expired tasks last, and they are missing here. */
async function byExpiry({ db, userId, settings, now, until, wanted }: Query): Promise<Source> {
  const { defaults, staleSince } = settings
  const progress = await findProgress(db, userId, staleSince ?? 0)
  const leads = [
    ...defaults.reminders.map((reminder) => expiriesOf(reminder, 0, 0)),
    ...defaults.dayReminders.map((reminder) => expiriesOf(reminder, 0, 0, { isDay: true })),
  ]
  const leadMs = Math.max(0, ...leads.map(({ until }) => until))
  // Reminders after the expiry: tasks that have expired may remind as well.
  const from = now + Math.min(0, ...leads.map(({ after }) => after))
  const limit = Math.min(Math.max(wanted, 100), 1_000)
  const filter = { status: 'open', expiresAfter: from, expiresBefore: until + leadMs + 1 } as const
  const isBehindUs = progress !== undefined && !progress.isPast && progress.expiryAt >= now && from === now
  let after: Position = isBehindUs ? [progress.expiryAt, progress.taskId] : [from, 0]
  const source: Source = {
    certainUntil: (progress?.isPast && from === now) || leads.length === 0 ? until : Number.NEGATIVE_INFINITY,
    async read() {
      await turn()
      const tasks = await listPage(db, userId, { filter, sort: expiryThenId, after, limit, offset: 0, now })
      const end = tasks.at(-1)
      after = [end?.expiryAt ?? from, end?.id ?? 0]
      source.certainUntil = tasks.length < limit ? until : (end?.expiryAt ?? until) - leadMs
      return tasks.filter(({ reminders }) => reminders === null)
    },
  }
  return source
}

const expiryThenId = [
  { by: 'expiry', isDescending: false },
  { by: 'id', isDescending: false },
] as const

/** An invalid row, changed by another program, will not fire. */
function firingsOf(task: Task, settings: AlarmSettings, now: number, until: number): Instant[] {
  try {
    return upcomingReminders(freshen(task, settings, now), settings.defaults, now, until)
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
