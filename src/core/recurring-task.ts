import { withAlarm } from './alarm.ts'
import { endOfDay, instantOf, isStorable, wallTimeOf } from './date-time.ts'
import { Problem } from './problem.ts'
import {
  checkHappens,
  compareLocal,
  isWholeDay,
  type Local,
  nextAfterCompletion,
  type Occurrence,
  occurrencesAfter,
} from './recurrence/expand.ts'
import { parseRule, type Rule, RuleError } from './recurrence/rule.ts'
import { type Defaults, isReachable, remindersOf } from './reminder.ts'
import type { NewTask, Recurrence, Reminder, Task } from './task.ts'

/**
 * A recurring task is one occurrence of its series: it has the rule, and what the next occurrence follows from. Completing it creates
 * the task of the next one (docs/decisions/0021).
 */
type ExpiryFields = Pick<Task, 'expiryAt' | 'expiryDate' | 'expiryWall'>
type SeriesFields = Pick<Task, 'recurrenceRule' | 'recurrenceFrom' | 'seriesStart' | 'seriesScheduled' | 'occurrence'>

const noSeries: SeriesFields = {
  recurrenceRule: null,
  recurrenceFrom: null,
  seriesStart: null,
  seriesScheduled: null,
  occurrence: null,
}

/**
 * The series of a task after a patch. A rule begins a new series at the expiry. The present rule with another expiry does so too, and alone it
 * changes nothing, because clients send back what they read. A new expiry alone moves only this occurrence.
 * @param after the expiry after the patch, and the zone in which it is read
 */
export function patchedSeries(
  task: SeriesFields & ExpiryFields,
  after: ExpiryFields & { readonly timeZone: string },
  recurrence: Recurrence | null | undefined,
  addFault: (member: string, detail: string) => void,
): SeriesFields {
  const { recurrenceRule, recurrenceFrom, seriesStart, seriesScheduled, occurrence } = task
  const present = { recurrenceRule, recurrenceFrom, seriesStart, seriesScheduled, occurrence }
  if (recurrence === null || (recurrence === undefined && recurrenceRule === null)) return noSeries
  if (after.expiryAt === null) {
    addFault(
      'recurrence',
      'needs an expiry from which it is counted. Give expiry_dt or expiry_date, or null for recurrence',
    )
    return present
  }
  if (!recurrence) return present
  const isPresent = recurrence.rule === recurrenceRule && recurrence.from === recurrenceFrom
  const hasMoved =
    after.expiryAt !== task.expiryAt || after.expiryDate !== task.expiryDate || after.expiryWall !== task.expiryWall
  if (isPresent && !hasMoved) return present
  const { timeZone } = after
  const start = localExpiry(after, timeZone)
  try {
    if (isStorable(after.expiryAt)) checkHappens({ rule: parseRule(recurrence.rule), start, timeZone })
  } catch (error) {
    if (!(error instanceof RuleError)) throw error
    addFault('recurrence/rule', error.message)
  }
  return {
    recurrenceRule: recurrence.rule,
    recurrenceFrom: recurrence.from,
    seriesStart: start.toString(),
    seriesScheduled: start.toString(),
    occurrence: 1,
  }
}

/** The expiry as its day or wall time. The zone of a wall time does not count: 09:00 stays 09:00 when the user moves to another zone. */
function localExpiry({ expiryAt, expiryDate, expiryWall }: ExpiryFields, timeZone: string): Local {
  if (expiryDate !== null) return Temporal.PlainDate.from(expiryDate)
  if (expiryWall !== null) return Temporal.PlainDateTime.from(expiryWall.slice(0, expiryWall.indexOf('[')))
  return Temporal.Instant.fromEpochMilliseconds(expiryAt ?? 0)
    .toZonedDateTimeISO(timeZone)
    .toPlainDateTime()
}

const parseLocal = (text: string): Local =>
  text.includes('T') ? Temporal.PlainDateTime.from(text) : Temporal.PlainDate.from(text)

function toExpiry(local: Local, timeZone: string): ExpiryFields & { readonly expiryAt: number } {
  if (isWholeDay(local)) {
    const expiryDate = local.toString()
    return { expiryAt: endOfDay(expiryDate, timeZone), expiryDate, expiryWall: null }
  }
  return { expiryAt: instantOf({ local }, timeZone), expiryDate: null, expiryWall: wallTimeOf({ local }, timeZone) }
}

/**
 * The occurrences after this one, as if each were completed at its expiry.
 * @param completedAt when this one is completed. Counted from the expiry, occurrences up to then are left out
 */
function* occurrencesFollowing(task: Task, timeZone: string, completedAt: number): Generator<Occurrence, undefined> {
  if (task.recurrenceRule === null || task.seriesStart === null || task.expiryAt === null) return
  const rule = parseRule(task.recurrenceRule)
  const current = localExpiry(task, timeZone)
  if (task.recurrenceFrom === 'expiry') {
    const scheduled = task.seriesScheduled === null ? current : parseLocal(task.seriesScheduled)
    const local = compareLocal(current, scheduled) > 0 ? current : scheduled
    const at = Math.max(completedAt, task.expiryAt)
    yield* occurrencesAfter({ rule, start: parseLocal(task.seriesStart), timeZone }, { at, local })
    return
  }
  const occurrence = task.occurrence ?? 1
  yield* occurrencesFromCompletion(rule, current, timeZone, { completedAt, occurrence })
}

function* occurrencesFromCompletion(
  rule: Rule,
  start: Local,
  timeZone: string,
  first: { readonly completedAt: number; readonly occurrence: number },
): Generator<Occurrence, undefined> {
  let current = start
  let { completedAt, occurrence } = first
  for (; ; occurrence++) {
    const next = nextAfterCompletion({ rule, start: current, timeZone }, { completedAt, occurrence })
    if (!next) return
    yield next
    current = next.local
    completedAt = toExpiry(current, timeZone).expiryAt
  }
}

/** The members of a task that move on to an occurrence, or null where its expiry or a reminder lies beyond the year 9999. */
function atOccurrence(task: Task, { local }: Occurrence, steps: number, defaults: Defaults, timeZone: string) {
  const expiry = toExpiry(local, timeZone)
  // An instant belongs to the occurrence for which it was given.
  const reminders = task.reminders?.filter((reminder: Reminder) => typeof reminder === 'string') ?? null
  const settings = { ...defaults, timeZone }
  const isPossible =
    isStorable(expiry.expiryAt) &&
    remindersOf({ reminders, expiryDate: expiry.expiryDate }, defaults).every((reminder) =>
      isReachable(reminder, { at: expiry.expiryAt, date: expiry.expiryDate }, settings),
    )
  if (!isPossible) return null
  return {
    ...expiry,
    reminders,
    seriesStart: task.recurrenceFrom === 'completion' ? local.toString() : task.seriesStart,
    seriesScheduled: local.toString(),
    occurrence: (task.occurrence ?? 1) + steps,
    snoozedUntilAt: null,
    firedUntilAt: null,
  }
}

const zoneOf = (task: Task, defaults: Defaults) => task.timeZone ?? defaults.timeZone

/**
 * The task that the completion of a recurring one creates, or null when its series has ended. The key moves on to it, because a script
 * means the open one by it.
 * @param completed the task as it is after its completion
 */
export function nextTask(completed: Task, uid: string, defaults: Defaults, now: number): NewTask | null {
  const timeZone = zoneOf(completed, defaults)
  const completedAt = completed.recurrenceFrom === 'completion' ? (completed.completedAt ?? now) : now
  const next = occurrencesFollowing(completed, timeZone, completedAt).next().value
  const members = next && atOccurrence(completed, next, 1, defaults, timeZone)
  if (!members) return null
  const { id: previousId, ...task } = completed
  const made = { ...task, ...members, uid, previousId, nextId: null, completedAt: null }
  return withAlarm({ ...made, createdAt: now, updatedAt: now, version: 1, notifyAt: null }, defaults, now)
}

/**
 * The task at its next occurrence, which is not created as another task. Its version and alarm are left to `nextVersion`.
 * @throws Problem `conflict` for a task that does not recur, is completed, or has no further occurrence
 */
export function skippedTask(task: Task, defaults: Defaults, now: number): Task {
  if (task.recurrenceRule === null || task.expiryAt === null) throw new Problem('conflict', 'This task does not recur.')
  if (task.completedAt !== null)
    throw new Problem('conflict', 'A completed task cannot be skipped. Skip the one that follows it.')
  const timeZone = zoneOf(task, defaults)
  const next = occurrencesFollowing(task, timeZone, Math.max(now, task.expiryAt)).next().value
  const members = next && atOccurrence(task, next, 1, defaults, timeZone)
  if (!members) throw new Problem('conflict', 'This is the last occurrence of the task, so none can be skipped to.')
  return { ...task, ...members }
}

/** An open task at its later occurrences, one after the other, as they will be if each is completed at its expiry. */
export function* tasksToCome(task: Task, defaults: Defaults, now: number): Generator<Task, undefined> {
  const timeZone = zoneOf(task, defaults)
  let steps = 0
  for (const next of occurrencesFollowing(task, timeZone, Math.max(now, task.expiryAt ?? now))) {
    steps += 1
    const members = atOccurrence(task, next, steps, defaults, timeZone)
    if (!members) return
    yield { ...task, ...members }
  }
}

/** The parts of a preview that have been read. */
export interface PreviewRequest extends Recurrence {
  readonly start: Local
  readonly timeZone: string
}

/**
 * The first dates of a series that no task has. Its start is among them where it is one.
 * @throws RuleError
 */
export function previewDates({ rule: text, from, start, timeZone }: PreviewRequest, limit: number): OccurrenceDate[] {
  const rule = parseRule(text)
  checkHappens({ rule, start, timeZone })
  if (from === 'expiry')
    return occurrencesAfter({ rule, start, timeZone }, {}).take(limit).map(toOccurrenceDate).toArray()
  const expiry = toExpiry(start, timeZone)
  const dates = occurrencesFromCompletion(rule, start, timeZone, { completedAt: expiry.expiryAt, occurrence: 1 })
  const first = isWholeDay(start) ? { date: start.toString() } : { at: expiry.expiryAt }
  return [first, ...dates.take(limit - 1).map(toOccurrenceDate)]
}

/** A date of a series: an instant in ms since 1970, or a day. */
export type OccurrenceDate = { readonly at: number } | { readonly date: string }

export const toOccurrenceDate = ({ local, at }: Occurrence): OccurrenceDate =>
  isWholeDay(local) ? { date: local.toString() } : { at }

/** The present expiry, and what follows. */
export function datesOf(task: Task, defaults: Defaults, now: number, limit: number): OccurrenceDate[] {
  if (task.expiryAt === null) return []
  const dates: OccurrenceDate[] = [task.expiryDate === null ? { at: task.expiryAt } : { date: task.expiryDate }]
  const following = occurrencesFollowing(task, zoneOf(task, defaults), Math.max(now, task.expiryAt))
  for (const one of following.take(Math.max(0, limit - 1))) dates.push(toOccurrenceDate(one))
  return dates
}
