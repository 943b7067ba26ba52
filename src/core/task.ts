import { instantOf, isStorable, type Moment, parseTimeZone } from './moment.ts'
import { type Fault, invalidMember, memberName, Problem } from './problem.ts'
import { type Defaults, isReachable, nextReminder, parseLead, type Reminder } from './reminder.ts'

export const priorities = ['none', 'low', 'medium', 'high'] as const
export type Priority = (typeof priorities)[number]

/** Instants are ms since 1970-01-01T00:00:00Z. Stored facts only: nothing in here changes because time passes. */
export interface Task {
  readonly id: number
  readonly ownerId: number
  readonly uid: string
  /** The caller's own name for it, unique for its owner. */
  readonly key: string | null
  readonly title: string
  readonly description: string | null
  readonly expiryAt: number | null
  /** Where wall times and calendar days are read; null: the owner's zone. */
  readonly timeZone: string | null
  /** Null: the owner's default; empty: never. */
  readonly reminders: readonly Reminder[] | null
  readonly tags: readonly string[]
  readonly priority: Priority
  readonly completedAt: number | null
  readonly snoozedUntilAt: number | null
  readonly createdAt: number
  readonly updatedAt: number
  /** Counts its changes, from 1. */
  readonly version: number
  /** The alarm: when it must ring next, or null. Written in the same statement as what it follows from. */
  readonly notifyAt: number | null
  /** The latest reminder instant of this expiry that has rung. */
  readonly rungUntilAt: number | null
}

/** What a caller may set. A member that is absent stays as it is; null clears it. */
export interface TaskPatch {
  readonly key?: string | null
  readonly title?: string
  readonly description?: string | null
  readonly expiry?: Moment | null
  readonly timeZone?: string | null
  readonly reminders?: readonly (string | Moment)[] | null
  readonly tags?: readonly string[]
  readonly priority?: Priority
  readonly completed?: Moment | null
}

export interface TaskDraft extends TaskPatch {
  readonly title: string
  readonly uid?: string
}

/** Characters are Unicode code points, as in JSON Schema; description counts bytes of UTF-8, as storage does. */
export const limits = {
  titleCharacters: 500,
  descriptionBytes: 64 * 1024,
  tags: 20,
  tagCharacters: 50,
  reminders: 10,
  keyCharacters: 200,
  uidCharacters: 255,
} as const

/** A task with everything but its number, which the store gives. */
export type NewTask = Omit<Task, 'id'>

/**
 * @param uid used when the draft brings none
 * @throws Problem `invalid`, naming every member at fault
 */
export function newTask(draft: TaskDraft, ownerId: number, uid: string, defaults: Defaults, now: number): NewTask {
  const empty: NewTask = {
    ownerId,
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
    rungUntilAt: null,
  }
  return rearm(empty, withPatch(empty, draft, defaults), defaults, now)
}

/**
 * The task after a patch: its alarm follows, its version counts. The very same object when the patch changes nothing, so
 * that a repeated write is no write.
 * @throws Problem `invalid`, naming every member at fault
 */
export function applyPatch(task: Task, patch: TaskPatch, defaults: Defaults, now: number): Task {
  return changed(task, withPatch(task, patch, defaults), defaults, now)
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
export function snoozeTask(task: Task, until: Moment, pointer: string, defaults: Defaults, now: number): Task {
  if (task.completedAt !== null) throw new Problem('conflict', 'A completed task cannot be snoozed. Reopen it first.')
  if (task.expiryAt === null)
    throw new Problem('conflict', 'A task without an expiry does not ring, so it cannot snooze.')
  const snoozedUntilAt = instantOf(until, task.timeZone ?? defaults.timeZone)
  if (snoozedUntilAt <= now) throw invalidMember(pointer, 'must be in the future')
  if (!isStorable(snoozedUntilAt)) throw invalidMember(pointer, 'must be before the year 9999 ends')
  // It has not been told, even if a clock that was put back since has seen something later.
  const rungUntilAt = task.rungUntilAt === null ? null : Math.min(task.rungUntilAt, snoozedUntilAt - 1)
  return changed(task, { ...task, snoozedUntilAt, rungUntilAt }, defaults, now)
}

type Amount = 'characters' | 'bytes'

/** Tells what is wrong with a text, whatever it is for. */
function checkText(value: string, most: number, what: Amount, fault: (detail: string) => void): void {
  const length = what === 'bytes' ? Buffer.byteLength(value) : value.length <= most ? value.length : [...value].length
  if (length > most) fault(`must have at most ${most} ${what}, has ${length}`)
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
  const text = (member: string, value: string | null | undefined, most: number, what: Amount = 'characters') => {
    if (value === undefined || value === null) return
    checkText(value, most, what, (detail) => fault(member, detail))
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
  const instant = (member: string, moment: Moment): number => {
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

  if (faults.length > 0) throw new Problem('invalid', describe(faults), { faults })
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

/** One sentence for all that is wrong: `title must not be empty; tags must have at most 20 items`. */
export function describe(faults: readonly Fault[]): string {
  return faults
    .slice(0, 5)
    .map(({ at, detail }) => `${'pointer' in at ? memberName(at.pointer) : at.parameter} ${detail}`)
    .join('; ')
}

function changed(task: Task, after: Task, defaults: Defaults, now: number): Task {
  const members = Object.keys(after) as (keyof Task)[]
  if (members.every((member) => isSame(task[member], after[member]))) return task
  return { ...rearm(task, after, defaults, now), version: task.version + 1, updatedAt: now }
}

function isSame(a: Task[keyof Task], b: Task[keyof Task]): boolean {
  return (
    a === b || (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => item === b[i]))
  )
}

/**
 * Sets the alarm of a changed task. What is due already rings once, at once; a reminder added in the past to an expiry that
 * has rung does not; another expiry is told from the start, and ends a snooze, as completing does.
 */
function rearm<T extends NewTask>(before: NewTask, after: T, defaults: Defaults, now: number): T {
  const hasMoved = before.expiryAt !== after.expiryAt
  const hasBeenDone = before.completedAt === null && after.completedAt !== null
  const hasOtherReminders = !isSame(before.reminders, after.reminders) || before.timeZone !== after.timeZone
  const isUntouched =
    !hasMoved &&
    !hasOtherReminders &&
    before.completedAt === after.completedAt &&
    before.snoozedUntilAt === after.snoozedUntilAt
  if (isUntouched) return after

  const isDue = before.notifyAt !== null && before.notifyAt <= now // and about to ring: that must not be lost
  let rungUntilAt = after.rungUntilAt
  if (hasMoved) rungUntilAt = null
  // Also back to now, where the clock was put back after it had rung: what is ahead again rings; what has rung has its notice.
  else if (hasOtherReminders && rungUntilAt !== null && !isDue) rungUntilAt = now

  const snoozedUntilAt = hasMoved || hasBeenDone ? null : after.snoozedUntilAt
  const dueSince = isDue && !hasMoved ? (before.notifyAt ?? now) : now
  return withAlarm({ ...after, rungUntilAt, snoozedUntilAt }, defaults, dueSince)
}

/** What is due already is due since `dueSince`: since this write, or since the alarm that was about to ring. */
export function withAlarm<T extends Parameters<typeof nextReminder>[0]>(
  task: T,
  defaults: Defaults,
  dueSince: number,
): T {
  const next = nextReminder(task, defaults)
  return { ...task, notifyAt: next === null ? null : Math.max(next, dueSince) }
}

/**
 * A task whose expiry came back to one that has rung before: what was told then is not told again.
 * @param rungUntilAt the latest reminder instant that has rung for this expiry
 */
export function rememberRung(task: Task, rungUntilAt: number, defaults: Defaults, now: number): Task {
  return withAlarm({ ...task, rungUntilAt }, defaults, now)
}

/**
 * A task that comes back from the trash. What has rung for its expiry stays told; what came due while it was away, and was never
 * told, rings once, at once. Its version counts, so that nobody writes over it by what was read before it was deleted.
 */
export function restoreTask(task: Task, defaults: Defaults, now: number): Task {
  return { ...withAlarm(task, defaults, now), version: task.version + 1, updatedAt: now }
}
