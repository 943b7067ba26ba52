import { isStorable } from './date-time.ts'
import { readLead } from './duration.ts'
import type { Reminder, Task } from './task.ts'

/**
 * When a task must remind next. A reminder is a lead before the expiry or an instant. What has fired is one number a task:
 * `firedUntilAt`, the latest reminder instant of this expiry that has fired. So a task needs no list of alarms, and everything here is a
 * function of the task.
 *
 *                 reminders' instants
 *   fired |──x───x─┤firedUntilAt      now│        x          x   expiry
 *                   └── due: fires once ┘        └ next: notifyAt
 */

/** What applies where a task says nothing of its own: its user's settings. */
export interface Defaults {
  readonly reminders: readonly Reminder[]
  readonly timeZone: string
}

/** The instant at which a reminder rings for an expiry, in ms. Days and longer are calendar days in the zone. */
export function reminderAt(reminder: Reminder, expiryAt: number, timeZone: string): number {
  if (typeof reminder === 'number') return reminder
  const lead = readLead(reminder)
  if ('fixedMs' in lead) return expiryAt - lead.fixedMs
  const expiry = Temporal.Instant.fromEpochMilliseconds(expiryAt).toZonedDateTimeISO(timeZone)
  return expiry.subtract(lead.calendar).epochMilliseconds
}

type AlarmFields = Pick<
  Task,
  'expiryAt' | 'timeZone' | 'reminders' | 'completedAt' | 'snoozedUntilAt' | 'firedUntilAt' | 'notifyAt'
>

/** When a task rings, and what for. */
export interface Instant {
  /** ms since 1970. */
  readonly at: number
  readonly reminder: Reminder | 'snooze'
}

/** Every instant at which this task rings or has fired for its present expiry, in no order. No expiry, no bell. */
function instants(task: AlarmFields, defaults: Defaults): Instant[] {
  if (task.completedAt !== null || task.expiryAt === null) return []
  const found: Instant[] = []
  for (const reminder of task.reminders ?? defaults.reminders)
    found.push({ at: reminderAt(reminder, task.expiryAt, task.timeZone ?? defaults.timeZone), reminder })
  if (task.snoozedUntilAt !== null) found.push({ at: task.snoozedUntilAt, reminder: 'snooze' })
  return found
}

/** The first instant not told yet, in ms; in the past means «at once»; null means never. */
export function nextReminder(task: AlarmFields, defaults: Defaults): number | null {
  const told = task.firedUntilAt ?? Number.NEGATIVE_INFINITY
  let next = Number.POSITIVE_INFINITY
  for (const { at } of instants(task, defaults)) if (at > told && at < next) next = at
  return next === Number.POSITIVE_INFINITY ? null : next
}

export interface Firing {
  /** Null when nothing is due after all (a zone's rules changed under a calendar lead). */
  readonly notification: {
    readonly reminder: Reminder | 'snooze'
    /** The latest of the instants that were due: what was missed before it collapses into this one. */
    readonly dueAt: number
    /** `immediate` when it was due already as it was accepted, `late` when the bell was more than a second behind. */
    readonly timing: 'on_time' | 'immediate' | 'late'
    /** ms from `dueAt`, or from the write that accepted it where that was later, to `now`. */
    readonly latenessMs: number
  } | null
  /** The task's alarm from here on. */
  readonly firedUntilAt: number | null
  readonly notifyAt: number | null
}

/** Behind by more than this, a notification says so: «on time» means on the second. */
const lateAfterMs = 1_000

/**
 * A task whose `notifyAt` has come: however many reminders are due, one notification, and the alarm set to the next of them.
 * @param now ms since 1970, at or after the task's `notifyAt`
 */
export function fire(task: AlarmFields, defaults: Defaults, now: number): Firing {
  const told = task.firedUntilAt ?? Number.NEGATIVE_INFINITY
  let due: Instant | undefined
  for (const instant of instants(task, defaults))
    if (instant.at > told && instant.at <= now && (!due || instant.at > due.at)) due = instant
  if (!due) return { notification: null, firedUntilAt: task.firedUntilAt, notifyAt: nextReminder(task, defaults) }
  const after = { ...task, firedUntilAt: due.at }
  // A write sets notifyAt to its own time where that is later than the reminder: it was due as it was accepted.
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
 * What will ring from an instant until another, in order: once an instant, however many reminders share it. What is due by `from`
 * and not told rings as one, at `from`.
 */
export function upcomingReminders(task: AlarmFields, defaults: Defaults, from: number, until: number): Instant[] {
  if (until < from) return []
  const told = task.firedUntilAt ?? Number.NEGATIVE_INFINITY
  const rings: Instant[] = []
  let latest = told
  for (const { at, reminder } of instants(task, defaults).sort((a, b) => a.at - b.at)) {
    if (at <= latest || at > until) continue
    latest = at
    if (at <= from) rings[0] = { at: from, reminder }
    else rings.push({ at, reminder })
  }
  return rings
}

/** A reminder that can be computed and stored for this expiry: far leads before year 1 cannot. */
export function isReachable(reminder: Reminder, expiryAt: number, timeZone: string): boolean {
  try {
    return isStorable(reminderAt(reminder, expiryAt, timeZone))
  } catch {
    return false
  }
}
