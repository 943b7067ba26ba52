import { nextVersion, rearm } from './alarm.ts'
import { type DateTimeInput, endOfDay, instantOf, isStorable, parseTimeZone, wallTimeOf } from './date-time.ts'
import { leadHint, parseLead } from './duration.ts'
import { type Fault, formatFaults, invalidMember, Problem } from './problem.ts'
import { patchedSeries, skippedTask } from './recurring-task.ts'
import { type Defaults, isReachable, remindersOf } from './reminder.ts'
import { limits, type NewTask, type Reminder, type Task, type TaskDraft, type TaskPatch } from './task.ts'

/** The rules by which a task is created and changed. */

/**
 * Creates a task from a draft.
 * @param uid the uid of a draft without one
 * @throws Problem `invalid`, naming every invalid member of the draft
 */
export function newTask(draft: TaskDraft, userId: number, uid: string, defaults: Defaults, now: number): NewTask {
  const empty: NewTask = {
    userId,
    uid: draft.uid ?? uid,
    key: null,
    title: '',
    description: null,
    expiryAt: null,
    expiryDate: null,
    expiryWall: null,
    timeZone: null,
    reminders: null,
    tags: [],
    priority: 'none',
    completedAt: null,
    snoozedUntilAt: null,
    createdAt: now,
    updatedAt: now,
    version: 1,
    notifyAt: null,
    firedUntilAt: null,
    recurrenceRule: null,
    recurrenceFrom: null,
    seriesStart: null,
    seriesScheduled: null,
    occurrence: null,
    previousId: null,
    nextId: null,
  }
  return rearm(empty, withPatch(empty, draft, defaults), defaults, now)
}

/**
 * The task after a patch, with its alarm and version. The same object when the patch changes nothing, so that a repeated write is no
 * write.
 * @throws Problem `invalid`, naming every invalid member
 */
export function applyPatch(task: Task, patch: TaskPatch, defaults: Defaults, now: number): Task {
  return nextVersion(task, withPatch(task, patch, defaults), defaults, now)
}

export function completeTask(task: Task, defaults: Defaults, now: number): Task {
  return task.completedAt === null ? applyPatch(task, { completed: { at: now } }, defaults, now) : task
}

export function reopenTask(task: Task, defaults: Defaults, now: number): Task {
  return applyPatch(task, { completed: null }, defaults, now)
}

/**
 * Moves a recurring task to its next occurrence.
 * @throws Problem `conflict` for a task that does not recur, is completed, or has no further occurrence
 */
export function skipTask(task: Task, defaults: Defaults, now: number): Task {
  return nextVersion(task, skippedTask(task, defaults, now), defaults, now)
}

/**
 * Fires once more at `until`, besides the task's own reminders.
 * @throws Problem `conflict` for a task that is completed or has no expiry, `invalid` for an instant that is not ahead
 */
export function snoozeTask(task: Task, until: DateTimeInput, pointer: string, defaults: Defaults, now: number): Task {
  if (task.completedAt !== null) throw new Problem('conflict', 'A completed task cannot be snoozed. Reopen it first.')
  if (task.expiryAt === null)
    throw new Problem('conflict', 'A task without an expiry has no reminders, so it cannot be snoozed.')
  const snoozedUntilAt = instantOf(until, task.timeZone ?? defaults.timeZone)
  if (snoozedUntilAt <= now) throw invalidMember(pointer, 'must be in the future')
  if (!isStorable(snoozedUntilAt)) throw invalidMember(pointer, 'must be before the year 9999 ends')
  // It has not fired yet, even if a later reminder fired before the clock was set back.
  const firedUntilAt = task.firedUntilAt === null ? null : Math.min(task.firedUntilAt, snoozedUntilAt - 1)
  return nextVersion(task, { ...task, snoozedUntilAt, firedUntilAt }, defaults, now)
}

type LengthUnit = 'characters' | 'bytes'

function checkText(value: string, max: number, unit: LengthUnit, addFault: (detail: string) => void): void {
  const length = unit === 'bytes' ? Buffer.byteLength(value) : value.length <= max ? value.length : [...value].length
  if (length > max) addFault(`must have at most ${max} ${unit}, has ${length}`)
  if (!value.isWellFormed()) addFault('must be well-formed Unicode: it holds half of a surrogate pair')
  if (value.includes('\0')) addFault('must not contain NUL')
}

/** Checks a key by which a task is looked up. @throws Problem `invalid` */
export function checkKey(key: string): void {
  const addFault = (detail: string) => {
    throw invalidMember('/key', detail)
  }
  if (key === '') addFault('must not be empty')
  checkText(key, limits.keyCharacters, 'characters', addFault)
}

type AddFault = (member: string, detail: string) => void
type ToInstant = (member: string, input: DateTimeInput) => number

function withPatch<T extends NewTask>(task: T, patch: TaskPatch, defaults: Defaults): T {
  const faults: Fault[] = []
  const addFault: AddFault = (member, detail) => faults.push({ at: { pointer: `/${member}` }, detail })
  checkTexts(task, patch, addFault)
  const timeZone = patchedTimeZone(task, patch, addFault)
  const zone = timeZone ?? defaults.timeZone
  const toInstant: ToInstant = (member, input) => {
    const at = instantOf(input, zone)
    if (!isStorable(at)) addFault(member, 'must lie between the years 1 and 9999')
    return at
  }
  const patchedInstant = (member: string, input: DateTimeInput | null | undefined, current: number | null) =>
    input ? toInstant(member, input) : input === null ? null : current
  const faultsBefore = faults.length
  const expiry = patchedExpiry(task, patch, zone, toInstant, addFault)
  const series =
    faults.length === faultsBefore
      ? patchedSeries(task, { ...expiry, timeZone: zone }, patch.recurrence, addFault)
      : undefined
  const completedAt = patchedInstant('completed_dt', patch.completed, task.completedAt)
  const reminders = patch.reminders
    ? readReminders(patch.reminders, toInstant, addFault)
    : patch.reminders === null
      ? null
      : task.reminders
  const { expiryAt, expiryDate } = expiry
  if (faults.length === 0 && expiryAt !== null)
    for (const reminder of remindersOf({ reminders, expiryDate }, defaults))
      if (!isReachable(reminder, { at: expiryAt, date: expiryDate }, { ...defaults, timeZone: zone }))
        addFault('reminders', 'must fire between the years 1 and 9999')

  if (faults.length > 0) throw new Problem('invalid', formatFaults(faults), { faults })
  return {
    ...task,
    key: patch.key === undefined ? task.key : patch.key,
    title: patch.title ?? task.title,
    description: patch.description === undefined ? task.description : patch.description,
    ...expiry,
    timeZone,
    reminders,
    tags: patch.tags ?? task.tags,
    priority: patch.priority ?? task.priority,
    completedAt,
    ...series,
  }
}

function checkTexts({ uid }: NewTask, { title, description, key, tags }: TaskPatch, addFault: AddFault): void {
  const check = (member: string, value: string | null | undefined, max: number, unit: LengthUnit = 'characters') => {
    if (value !== undefined && value !== null) checkText(value, max, unit, (detail) => addFault(member, detail))
  }
  check('title', title, limits.titleCharacters)
  if (title === '') addFault('title', 'must not be empty')
  check('description', description, limits.descriptionBytes, 'bytes')
  check('key', key, limits.keyCharacters)
  if (key === '') addFault('key', 'must not be empty')
  check('uid', uid, limits.uidCharacters)
  if (uid === '') addFault('uid', 'must not be empty')
  if (!tags) return
  if (tags.length > limits.tags) addFault('tags', `must have at most ${limits.tags} items`)
  if (new Set(tags).size < tags.length) addFault('tags', 'must not name a tag twice')
  for (const [i, tag] of tags.slice(0, limits.tags).entries()) {
    check(`tags/${i}`, tag, limits.tagCharacters)
    if (tag === '') addFault(`tags/${i}`, 'must not be empty')
  }
}

function patchedTimeZone(task: NewTask, { timeZone, expiry }: TaskPatch, addFault: AddFault): string | null {
  let patched = timeZone === undefined ? task.timeZone : timeZone
  if (timeZone !== undefined && timeZone !== null) {
    patched = parseTimeZone(timeZone) ?? null
    if (patched === null) addFault('time_zone', `is not a time zone of the IANA database: «${timeZone}»`)
  }
  if (expiry?.timeZone === undefined) return patched
  if (timeZone && patched !== expiry.timeZone)
    addFault('expiry_dt', `names the zone ${expiry.timeZone}, but time_zone is ${timeZone}`)
  return expiry.timeZone
}

/** `2027-03-01`: a calendar date, without the spellings that Temporal also accepts. */
const dateForm = /^\d{4}-\d\d-\d\d$/

type ExpiryFields = Pick<Task, 'expiryAt' | 'expiryDate' | 'expiryWall'>

/**
 * A task expires at a time or on a day, whichever was written last. `expiry_dt` of a day is read-only, so its present value may be sent back with
 * the day.
 */
function patchedExpiry(
  task: NewTask,
  { expiry, expiryDate }: TaskPatch,
  zone: string,
  toInstant: ToInstant,
  addFault: AddFault,
): ExpiryFields {
  const none = { expiryAt: null, expiryDate: null, expiryWall: null }
  const at = expiry ? toInstant('expiry_dt', expiry) : expiry
  const isEcho = at === task.expiryAt
  const present = { expiryAt: task.expiryAt, expiryDate: task.expiryDate, expiryWall: task.expiryWall }
  const date = expiryDate === undefined && (at === undefined || isEcho) ? task.expiryDate : expiryDate
  if (date) {
    const dayEnd = toDayEnd(date, zone, addFault)
    if (at != null && !isEcho && at !== dayEnd)
      addFault('expiry_dt', 'is the end of expiry_date. Send one of the two, or null for expiry_date')
    return { expiryAt: dayEnd, expiryDate: date, expiryWall: null }
  }
  if (at === null || (at === undefined && expiryDate === null && task.expiryDate !== null)) return none
  if (at === undefined || (isEcho && task.expiryDate === null)) return present
  return { expiryAt: at, expiryDate: null, expiryWall: expiry ? wallTimeOf(expiry, zone) : null }
}

function toDayEnd(date: string, zone: string, addFault: AddFault): number {
  try {
    const at = dateForm.test(date) ? endOfDay(date, zone) : Number.NaN
    if (isStorable(at)) return at
  } catch {
    // not a day of the calendar
  }
  addFault('expiry_date', 'must be a day of the calendar, like "2027-03-01"')
  return 0
}

function readReminders(
  inputs: TaskPatch['reminders'] & {},
  toInstant: ToInstant,
  addFault: AddFault,
): readonly Reminder[] {
  if (inputs.length > limits.reminders) addFault('reminders', `must have at most ${limits.reminders} items`)
  const reminders = inputs.slice(0, limits.reminders).map((reminder, i) => {
    if (typeof reminder !== 'string') return toInstant(`reminders/${i}`, reminder)
    if (parseLead(reminder)) return reminder
    addFault(`reminders/${i}`, `${leadHint}, or a time`)
    return 0
  })
  if (new Set(reminders).size < reminders.length) addFault('reminders', 'must not name a reminder twice')
  return reminders
}
