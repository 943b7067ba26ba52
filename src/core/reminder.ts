import { isStorable } from './date-time.ts'
import { readLead } from './duration.ts'
import type { Reminder, Task } from './task.ts'

const dayMs = 86_400_000

/**
 * When a task must remind next. A reminder is a lead before the expiry, or an instant. A task needs no list of alarms, because one
 * number says what has fired: `firedUntilAt`, the latest reminder instant of this expiry that has fired. Everything here is a function
 * of the task.
 *
 *                 reminders' instants
 *   fired |──x───x─┤firedUntilAt      now│        x          x   expiry
 *                   └── due: fires once ┘        └ next: notifyAt
 */

/** The user's settings, for tasks without their own. */
export interface Defaults {
  readonly reminders: readonly Reminder[]
  /** The reminders of tasks that expire on a day. */
  readonly dayReminders: readonly Reminder[]
  /** `HH:MM`: from when the reminders of a day are counted. */
  readonly dayTime: string
  readonly timeZone: string
}

/** When a task expires: an instant, and the day if it expires on a whole day. */
export interface Expiry {
  readonly at: number
  readonly date: string | null
}

/**
 * The instant at which a reminder fires, in ms. Days and longer units are calendar days in the zone. The leads of a whole day count from its
 * `dayTime`, because a lead before its last second would fire at night.
 */
export function reminderAt(
  reminder: Reminder,
  { at, date }: Expiry,
  { timeZone, dayTime }: Pick<Defaults, 'timeZone' | 'dayTime'>,
): number {
  if (typeof reminder === 'number') return reminder
  const lead = readLead(reminder)
  if ('fixedMs' in lead && date === null) return at - lead.fixedMs
  const from =
    date === null
      ? Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone)
      : Temporal.PlainDate.from(date).toZonedDateTime({ timeZone, plainTime: dayTime })
  if ('fixedMs' in lead) return from.epochMilliseconds - lead.fixedMs
  if (!lead.timeOfDay) return from.subtract(lead.calendar).epochMilliseconds
  const day = from.toPlainDate().subtract(lead.calendar)
  return day.toZonedDateTime({ timeZone, plainTime: lead.timeOfDay }).epochMilliseconds
}

/** A calendar day is one or two hours shorter or longer when clocks change, or 24 when a zone crosses the date line. */
const zoneSlackMs = 26 * 3_600_000
/** The most that another zone or time of day moves a reminder: the slack above, a day, and the days by which a month is shorter than another. */
export const maxZoneShiftMs = 6 * dayMs

/**
 * The range of the expiries whose reminder may fire after one instant and up to another, in any zone. It misses none. For a lead in
 * calendar units, one with a time of day and the lead of a whole day it is wider than needed.
 */
export function expiriesOf(
  reminder: Reminder,
  after: number,
  until: number,
  { isDay = false } = {},
): { after: number; until: number } {
  if (typeof reminder === 'number') return { after: Number.MIN_SAFE_INTEGER, until: Number.MAX_SAFE_INTEGER }
  const lead = readLead(reminder)
  // A day ends up to a day after its time, and a time of day may be a day from the time of the expiry.
  const dayLateMs = isDay ? dayMs + zoneSlackMs : 0
  if ('fixedMs' in lead) return { after: after + lead.fixedMs, until: until + lead.fixedMs + dayLateMs }
  const { years, months, weeks, days, hours, minutes, seconds, milliseconds } = lead.calendar
  const restMs = ((hours * 60 + minutes) * 60 + seconds) * 1_000 + milliseconds + (weeks * 7 + days) * dayMs
  const [shortest, longest] = [(years * 365 + months * 28) * dayMs, (years * 366 + months * 31) * dayMs]
  const slackMs = zoneSlackMs + (lead.timeOfDay ? dayMs : 0)
  return {
    after: after + restMs + Math.min(shortest, longest) - slackMs,
    until: until + restMs + Math.max(shortest, longest) + slackMs + dayLateMs,
  }
}

type AlarmFields = Pick<
  Task,
  'expiryAt' | 'expiryDate' | 'timeZone' | 'reminders' | 'completedAt' | 'snoozedUntilAt' | 'firedUntilAt' | 'notifyAt'
>

/** An instant at which a task fires, and its reminder. */
export interface Instant {
  /** ms since 1970. */
  readonly at: number
  readonly reminder: Reminder | 'snooze'
}

/** Every instant at which this task fires or has fired for its current expiry, unsorted. None without an expiry. */
function instants(task: AlarmFields, defaults: Defaults): Instant[] {
  if (task.completedAt !== null || task.expiryAt === null) return []
  const found: Instant[] = []
  const expiry = { at: task.expiryAt, date: task.expiryDate }
  const settings = task.timeZone === null ? defaults : { ...defaults, timeZone: task.timeZone }
  for (const reminder of remindersOf(task, defaults))
    found.push({ at: reminderAt(reminder, expiry, settings), reminder })
  if (task.snoozedUntilAt !== null) found.push({ at: task.snoozedUntilAt, reminder: 'snooze' })
  return found
}

/** The task's own reminders, or the defaults for its kind of expiry. */
export function remindersOf(
  { reminders, expiryDate }: Pick<Task, 'reminders' | 'expiryDate'>,
  defaults: Pick<Defaults, 'reminders' | 'dayReminders'>,
): readonly Reminder[] {
  return reminders ?? (expiryDate === null ? defaults.reminders : defaults.dayReminders)
}

/** The first instant that has not fired, in ms. One in the past means «at once», null means never. */
export function nextReminder(task: AlarmFields, defaults: Defaults): number | null {
  const firedUntil = task.firedUntilAt ?? Number.NEGATIVE_INFINITY
  let next = Number.POSITIVE_INFINITY
  for (const { at } of instants(task, defaults)) if (at > firedUntil && at < next) next = at
  return next === Number.POSITIVE_INFINITY ? null : next
}

export interface Firing {
  /** Null when nothing is due after all (the rules of a zone have changed under a calendar lead). */
  readonly notification: {
    readonly reminder: Reminder | 'snooze'
    /** The latest of the due instants: earlier missed ones collapse into it. */
    readonly dueAt: number
    /** `immediate` when it was due as it was accepted, `late` when it fired more than a second late. */
    readonly timing: 'on_time' | 'immediate' | 'late'
    /** ms from `dueAt` to `now`, or from the write that accepted it when that was later. */
    readonly latenessMs: number
  } | null
  /** The next alarm of the task. */
  readonly firedUntilAt: number | null
  readonly notifyAt: number | null
}

/** A notification that is later than this is `late`: «on time» means on the second. */
const lateAfterMs = 1_000

/**
 * Fires a task whose `notifyAt` has come: one notification, however many reminders are due, and the next alarm.
 * @param now ms since 1970, at or after the task's `notifyAt`
 */
export function fire(task: AlarmFields, defaults: Defaults, now: number): Firing {
  const firedUntil = task.firedUntilAt ?? Number.NEGATIVE_INFINITY
  let due: Instant | undefined
  for (const instant of instants(task, defaults))
    if (instant.at > firedUntil && instant.at <= now && (!due || instant.at > due.at)) due = instant
  if (!due) return { notification: null, firedUntilAt: task.firedUntilAt, notifyAt: nextReminder(task, defaults) }
  const after = { ...task, firedUntilAt: due.at }
  // A write sets notifyAt to its own time when that is later than the reminder: it was due as it was accepted.
  const couldFireAt = Math.max(task.notifyAt ?? due.at, due.at)
  const latenessMs = Math.max(0, now - couldFireAt)
  const timing = latenessMs > lateAfterMs ? 'late' : couldFireAt > due.at ? 'immediate' : 'on_time'
  return {
    notification: { reminder: due.reminder, dueAt: due.at, timing, latenessMs },
    firedUntilAt: due.at,
    notifyAt: nextReminder(after, defaults),
  }
}

/**
 * The reminders that will fire between two instants, in order. Reminders that share an instant count once. Those due by `from` fire as
 * one, at `from`.
 */
export function upcomingReminders(task: AlarmFields, defaults: Defaults, from: number, until: number): Instant[] {
  if (until < from) return []
  const firedUntil = task.firedUntilAt ?? Number.NEGATIVE_INFINITY
  const upcoming: Instant[] = []
  let latest = firedUntil
  for (const { at, reminder } of instants(task, defaults).sort((a, b) => a.at - b.at)) {
    if (at <= latest || at > until) continue
    latest = at
    if (at <= from) upcoming[0] = { at: from, reminder }
    else upcoming.push({ at, reminder })
  }
  return upcoming
}

/** Whether a reminder can be computed and stored for this expiry: far leads before year 1 or after 9999 cannot. */
export function isReachable(
  reminder: Reminder,
  expiry: Expiry,
  settings: Pick<Defaults, 'timeZone' | 'dayTime'>,
): boolean {
  try {
    return isStorable(reminderAt(reminder, expiry, settings))
  } catch {
    return false
  }
}
