import { type Defaults, nextReminder } from './reminder.ts'
import type { NewTask, Task } from './task.ts'

/** How the alarm of a task, `notifyAt`, follows from what happens to the task. */

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
 * Sets the alarm of a changed task. What is due already rings once, at once; a reminder added in the past to an expiry that
 * has fired does not; another expiry is told from the start, and ends a snooze, as completing does.
 */
export function rearm<T extends NewTask>(before: NewTask, after: T, defaults: Defaults, now: number): T {
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
  let firedUntilAt = after.firedUntilAt
  if (hasMoved) firedUntilAt = null
  // Also back to now, where the clock was put back after it had fired: what is ahead again rings; what has fired has its notification.
  else if (hasOtherReminders && firedUntilAt !== null && !isDue) firedUntilAt = now

  const snoozedUntilAt = hasMoved || hasBeenDone ? null : after.snoozedUntilAt
  const dueSince = isDue && !hasMoved ? (before.notifyAt ?? now) : now
  return withAlarm({ ...after, firedUntilAt, snoozedUntilAt }, defaults, dueSince)
}

/** What is due already is due since `dueSince`: since this write, or since the alarm that was about to ring. */
function withAlarm<T extends NewTask>(task: T, defaults: Defaults, dueSince: number): T {
  const next = nextReminder(task, defaults)
  return { ...task, notifyAt: next === null ? null : Math.max(next, dueSince) }
}

/**
 * A task whose expiry came back to one that has fired before: what was told then is not told again.
 * @param firedUntilAt the latest reminder instant that has fired for this expiry
 */
export function rememberFired(task: Task, firedUntilAt: number, defaults: Defaults, now: number): Task {
  return withAlarm({ ...task, firedUntilAt }, defaults, now)
}

/**
 * A task that comes back from the trash. What has fired for its expiry stays told; what came due while it was away, and was never
 * told, rings once, at once. Its version counts, so that nobody writes over it by what was read before it was deleted.
 */
export function restoreTask(task: Task, defaults: Defaults, now: number): Task {
  return { ...withAlarm(task, defaults, now), version: task.version + 1, updatedAt: now }
}

/** A task whose user's defaults changed. No change of the task: its version stays. */
export function applyDefaults(task: Task, defaults: Defaults, now: number): Task {
  const isDue = task.notifyAt !== null && task.notifyAt <= now
  const firedUntilAt = task.firedUntilAt !== null && !isDue ? now : task.firedUntilAt
  return withAlarm({ ...task, firedUntilAt }, defaults, isDue ? (task.notifyAt ?? now) : now)
}
