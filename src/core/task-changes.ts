import { nextVersion, rearm } from './alarm.ts'
import { type DateTimeInput, instantOf, isStorable, parseTimeZone } from './date-time.ts'
import { parseLead } from './duration.ts'
import { type Fault, formatFaults, invalidMember, Problem } from './problem.ts'
import { type Defaults, isReachable } from './reminder.ts'
import { limits, type NewTask, type Task, type TaskDraft, type TaskPatch } from './task.ts'

/** The rules by which a task is made and changed. */

/**
 * @param uid used when the draft brings none
 * @throws Problem `invalid`, naming every member at fault
 */
export function newTask(draft: TaskDraft, userId: number, uid: string, defaults: Defaults, now: number): NewTask {
  const empty: NewTask = {
    userId,
    uid: draft.uid ?? uid,
    key: null,
    title: '',
    description: null,
    expiryAt: null,
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
  }
  return rearm(empty, withPatch(empty, draft, defaults), defaults, now)
}

/**
 * The task after a patch: its alarm follows, its version counts. The very same object when the patch changes nothing, so
 * that a repeated write is no write.
 * @throws Problem `invalid`, naming every member at fault
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
 * One more ring at `until`, besides the task's own reminders.
 * @throws Problem `conflict` for a task that is done or has no expiry, `invalid` for an instant that is not ahead
 */
export function snoozeTask(task: Task, until: DateTimeInput, pointer: string, defaults: Defaults, now: number): Task {
  if (task.completedAt !== null) throw new Problem('conflict', 'A completed task cannot be snoozed. Reopen it first.')
  if (task.expiryAt === null)
    throw new Problem('conflict', 'A task without an expiry does not ring, so it cannot snooze.')
  const snoozedUntilAt = instantOf(until, task.timeZone ?? defaults.timeZone)
  if (snoozedUntilAt <= now) throw invalidMember(pointer, 'must be in the future')
  if (!isStorable(snoozedUntilAt)) throw invalidMember(pointer, 'must be before the year 9999 ends')
  // It has not been told, even if a clock that was put back since has seen something later.
  const firedUntilAt = task.firedUntilAt === null ? null : Math.min(task.firedUntilAt, snoozedUntilAt - 1)
  return nextVersion(task, { ...task, snoozedUntilAt, firedUntilAt }, defaults, now)
}

type Amount = 'characters' | 'bytes'

/** Tells what is wrong with a text, whatever it is for. */
function checkText(value: string, max: number, what: Amount, fault: (detail: string) => void): void {
  const length = what === 'bytes' ? Buffer.byteLength(value) : value.length <= max ? value.length : [...value].length
  if (length > max) fault(`must have at most ${max} ${what}, has ${length}`)
  if (!value.isWellFormed()) fault('must be well-formed Unicode: it holds half of a surrogate pair')
  if (value.includes('\0')) fault('must not contain NUL')
}

/** Whether a task may have this key, for who looks for one by it. @throws Problem `invalid` */
export function checkKey(key: string): void {
  const fault = (detail: string) => {
    throw invalidMember('/key', detail)
  }
  if (key === '') fault('must not be empty')
  checkText(key, limits.keyCharacters, 'characters', fault)
}

function withPatch<T extends NewTask>(task: T, patch: TaskPatch, defaults: Defaults): T {
  const faults: Fault[] = []
  const fault = (member: string, detail: string) => faults.push({ at: { pointer: `/${member}` }, detail })
  const text = (member: string, value: string | null | undefined, max: number, what: Amount = 'characters') => {
    if (value === undefined || value === null) return
    checkText(value, max, what, (detail) => fault(member, detail))
  }

  text('title', patch.title, limits.titleCharacters)
  if (patch.title === '') fault('title', 'must not be empty')
  text('description', patch.description, limits.descriptionBytes, 'bytes')
  text('key', patch.key, limits.keyCharacters)
  if (patch.key === '') fault('key', 'must not be empty')
  text('uid', task.uid, limits.uidCharacters)
  if (task.uid === '') fault('uid', 'must not be empty')
  if (patch.tags) {
    if (patch.tags.length > limits.tags) fault('tags', `must have at most ${limits.tags} items`)
    if (new Set(patch.tags).size < patch.tags.length) fault('tags', 'must not name a tag twice')
    for (const [i, tag] of patch.tags.slice(0, limits.tags).entries()) {
      text(`tags/${i}`, tag, limits.tagCharacters)
      if (tag === '') fault(`tags/${i}`, 'must not be empty')
    }
  }

  let timeZone = patch.timeZone === undefined ? task.timeZone : patch.timeZone
  if (patch.timeZone !== undefined && patch.timeZone !== null) {
    timeZone = parseTimeZone(patch.timeZone) ?? null
    if (timeZone === null) fault('time_zone', `is not a time zone of the IANA database: «${patch.timeZone}»`)
  }
  if (patch.expiry?.timeZone !== undefined) {
    if (patch.timeZone && timeZone !== patch.expiry.timeZone)
      fault('expiry_dt', `names the zone ${patch.expiry.timeZone}, but time_zone is ${patch.timeZone}`)
    timeZone = patch.expiry.timeZone
  }
  const zone = timeZone ?? defaults.timeZone
  const instant = (member: string, moment: DateTimeInput): number => {
    const at = instantOf(moment, zone)
    if (!isStorable(at)) fault(member, 'must lie between the years 1 and 9999')
    return at
  }

  const expiryAt = patch.expiry ? instant('expiry_dt', patch.expiry) : patch.expiry === null ? null : task.expiryAt
  const completedAt = patch.completed
    ? instant('completed_dt', patch.completed)
    : patch.completed === null
      ? null
      : task.completedAt

  let reminders = task.reminders
  if (patch.reminders !== undefined) {
    if (patch.reminders && patch.reminders.length > limits.reminders)
      fault('reminders', `must have at most ${limits.reminders} items`)
    reminders =
      patch.reminders?.slice(0, limits.reminders).map((reminder, i) => {
        if (typeof reminder !== 'string') return instant(`reminders/${i}`, reminder)
        if (parseLead(reminder)) return reminder
        fault(`reminders/${i}`, 'must be an ISO 8601 duration of at most ten years, like "PT15M" or "P1D", or a time')
        return 0
      }) ?? null
    if (reminders && new Set(reminders).size < reminders.length) fault('reminders', 'must not name a reminder twice')
  }
  if (faults.length === 0 && expiryAt !== null)
    for (const reminder of reminders ?? defaults.reminders)
      if (!isReachable(reminder, expiryAt, zone)) fault('reminders', 'would ring before the year 1')

  if (faults.length > 0) throw new Problem('invalid', formatFaults(faults), { faults })
  return {
    ...task,
    key: patch.key === undefined ? task.key : patch.key,
    title: patch.title ?? task.title,
    description: patch.description === undefined ? task.description : patch.description,
    expiryAt,
    timeZone,
    reminders,
    tags: patch.tags ?? task.tags,
    priority: patch.priority ?? task.priority,
    completedAt,
  }
}
