import { presentExpiry, withAlarm } from './alarm.ts'
import type { Defaults } from './reminder.ts'
import type { Task } from './task.ts'

/** The settings by which the alarms of a user are computed. */
export interface AlarmSettings {
  readonly defaults: Defaults
  /** When the defaults changed, in ms since 1970, while some alarms may still be computed by the earlier ones. */
  readonly staleSince: number | null
}

export type AlarmTask = Pick<
  Task,
  | 'id'
  | 'userId'
  | 'expiryAt'
  | 'expiryDate'
  | 'expiryWall'
  | 'timeZone'
  | 'reminders'
  | 'completedAt'
  | 'snoozedUntilAt'
  | 'updatedAt'
  | 'version'
  | 'notifyAt'
  | 'firedUntilAt'
>

/** Whether a task has an alarm, which depends on its user's defaults and on the rules of its zone. */
export const isArmed = ({ expiryAt, completedAt }: Pick<AlarmTask, 'expiryAt' | 'completedAt'>) =>
  expiryAt !== null && completedAt === null

/**
 * Computes the alarm by the present defaults of the user, as of the instant at which the defaults changed. So the result is the same whether
 * the recompute, the firing loop or an edit reads the task first, and however often. The task has not changed, so its version stays. Returns
 * the same object when the alarms are not stale. A day's end moves with the zone of its user, and a wall time when the rules of its zone have
 * changed.
 *
 *   reminders that fired            stay fired up to the change: a new reminder before that instant does not fire
 *   a reminder that was due by then fires once, and counts as due since its own instant
 */
export function freshen<T extends AlarmTask>(stored: T, { defaults, staleSince }: AlarmSettings, now: number): T {
  if (staleSince === null || !isArmed(stored)) return stored
  const expiryAt = presentExpiry(stored, defaults)
  const task = expiryAt === stored.expiryAt ? stored : { ...stored, expiryAt }
  const since = Math.min(staleSince, now)
  if (task.notifyAt !== null && task.notifyAt <= since) return withAlarm(task, defaults, task.notifyAt)
  // A write after the change used the new defaults already, and decided which reminders stay fired.
  const isWritten = task.updatedAt >= staleSince
  let { firedUntilAt } = task
  // Not beyond now, if the clock was set back after the task fired: reminders that are ahead again fire.
  if (firedUntilAt !== null && !isWritten) firedUntilAt = firedUntilAt > now ? now : Math.max(firedUntilAt, since)
  const dueSince = Math.min(Math.max(task.updatedAt, since), now)
  return withAlarm({ ...task, firedUntilAt }, defaults, dueSince)
}
