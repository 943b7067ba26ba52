import { withAlarm } from './alarm.ts'
import type { Defaults } from './reminder.ts'
import type { Task } from './task.ts'

/** What an alarm is computed from besides its task. A user is one. */
export interface AlarmSettings {
  readonly defaults: Defaults
  /** When the defaults changed, in ms since 1970, while some alarms may still follow from the earlier ones. */
  readonly staleSince: number | null
}

export type AlarmTask = Pick<
  Task,
  | 'id'
  | 'userId'
  | 'expiryAt'
  | 'timeZone'
  | 'reminders'
  | 'completedAt'
  | 'snoozedUntilAt'
  | 'updatedAt'
  | 'notifyAt'
  | 'firedUntilAt'
>

/** Whether the alarm of a task depends on its user's defaults. */
export function followsDefaults(task: Pick<AlarmTask, 'expiryAt' | 'completedAt' | 'reminders' | 'timeZone'>): boolean {
  const isArmed = task.expiryAt !== null && task.completedAt === null
  return isArmed && (task.reminders === null || task.timeZone === null)
}

/**
 * The task with the alarm that follows from its user's present defaults, whenever it is asked: as if it had been computed at the instant
 * at which the defaults changed. So it does not matter whether the recompute, the bell or an edit comes to a task first, or whether two of
 * them do. No change of the task: its version stays. The same object where no alarm is stale.
 *
 *   what has fired        stays told, up to the change: a new reminder before that does not ring
 *   what was due by then still rings, once, and counts as due since it was
 */
export function freshen<T extends AlarmTask>(task: T, { defaults, staleSince }: AlarmSettings, now: number): T {
  if (staleSince === null || !followsDefaults(task)) return task
  const since = Math.min(staleSince, now)
  if (task.notifyAt !== null && task.notifyAt <= since) return withAlarm(task, defaults, task.notifyAt)
  // A write after the change has computed by the new defaults already, and has decided what stays told.
  const isWritten = task.updatedAt >= staleSince
  let { firedUntilAt } = task
  // Also back to now, where the clock was put back after it had fired: what is ahead again rings.
  if (firedUntilAt !== null && !isWritten) firedUntilAt = firedUntilAt > now ? now : Math.max(firedUntilAt, since)
  const dueSince = Math.min(Math.max(task.updatedAt, since), now)
  return withAlarm({ ...task, firedUntilAt }, defaults, dueSince)
}
