import { endOfDay, instantOfWallTime } from './date-time.ts'
import { type Defaults, nextReminder } from './reminder.ts'
import type { NewTask, Task } from './task.ts'

/** How the alarm of a task, `notifyAt`, follows from its changes. */

/** The expiry by the present zone of the user and the present rules of zones: the end of a day, or the wall time that was meant. */
export function presentExpiry(
  { expiryAt, expiryDate, expiryWall, timeZone }: ExpiryFields & Pick<Task, 'timeZone'>,
  { timeZone: usersZone }: Defaults,
): number | null {
  if (expiryDate !== null) return endOfDay(expiryDate, timeZone ?? usersZone)
  return expiryWall === null ? expiryAt : instantOfWallTime(expiryWall)
}

export function nextVersion(task: Task, after: Task, defaults: Defaults, now: number): Task {
  const members = Object.keys(after) as (keyof Task)[]
  if (members.every((member) => isSame(task[member], after[member]))) return task
  return { ...rearm(task, after, defaults, now), version: task.version + 1, updatedAt: now }
}

export function isSame(a: Task[keyof Task], b: Task[keyof Task]): boolean {
  return (
    a === b || (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => item === b[i]))
  )
}

/**
 * Sets the alarm of a changed task. Reminders that are due fire once, at once. A reminder added in the past does not fire after the
 * expiry has fired. A new expiry starts from scratch, and ends a snooze, as completing does.
 */
export function rearm<T extends NewTask>(before: NewTask, after: T, defaults: Defaults, now: number): T {
  const hasMoved = hasMovedExpiry(before, after)
  const hasBeenDone = before.completedAt === null && after.completedAt !== null
  const hasOtherReminders =
    !isSame(before.reminders, after.reminders) ||
    before.timeZone !== after.timeZone ||
    before.expiryAt !== after.expiryAt ||
    before.expiryDate !== after.expiryDate
  const isUntouched =
    !hasMoved &&
    !hasOtherReminders &&
    before.completedAt === after.completedAt &&
    before.snoozedUntilAt === after.snoozedUntilAt
  if (isUntouched) return after

  const isDue = before.notifyAt !== null && before.notifyAt <= now // about to fire: it must not be lost
  let firedUntilAt = after.firedUntilAt
  if (hasMoved) firedUntilAt = null
  // Also lowered to now, when the clock was set back after it fired: reminders that are ahead again fire again, and those that fired
  // have their notification.
  else if (hasOtherReminders && firedUntilAt !== null && !isDue) firedUntilAt = now

  const snoozedUntilAt = hasMoved || hasBeenDone ? null : after.snoozedUntilAt
  const dueSince = isDue && !hasMoved ? (before.notifyAt ?? now) : now
  return withAlarm({ ...after, firedUntilAt, snoozedUntilAt }, defaults, dueSince)
}

type ExpiryFields = Pick<Task, 'expiryAt' | 'expiryDate' | 'expiryWall'>

/** Whether it is another expiry, and not the same day or wall time at another instant. */
export function hasMovedExpiry(before: ExpiryFields, after: ExpiryFields): boolean {
  return before.expiryAt !== after.expiryAt && !hasSameWallTime(before, after)
}

function hasSameWallTime(before: ExpiryFields, after: ExpiryFields): boolean {
  const wallTime = after.expiryDate ?? after.expiryWall
  return wallTime !== null && wallTime === (before.expiryDate ?? before.expiryWall)
}

/** @param dueSince since when due reminders are due: this write, or the alarm that was about to fire */
export function withAlarm<T extends Parameters<typeof nextReminder>[0]>(
  task: T,
  defaults: Defaults,
  dueSince: number,
): T {
  const next = nextReminder(task, defaults)
  return { ...task, notifyAt: next === null ? null : Math.max(next, dueSince) }
}

/**
 * For a task that returns to an expiry that has fired before: those reminders do not fire again.
 * @param firedUntilAt the latest reminder instant that has fired for this expiry
 */
export function rememberFired(task: Task, firedUntilAt: number, defaults: Defaults, now: number): Task {
  return withAlarm({ ...task, firedUntilAt }, defaults, now)
}

/**
 * Restores a task from the trash. Reminders that have fired stay fired. Those that came due meanwhile fire once, at once. The version
 * grows, so that a client cannot overwrite the task with what it read before the deletion.
 */
export function restoreTask(trashed: Task, defaults: Defaults, now: number): Task {
  const task = { ...trashed, expiryAt: presentExpiry(trashed, defaults) }
  return { ...withAlarm(task, defaults, now), version: task.version + 1, updatedAt: now }
}
