import { type Defaults, expiriesOf, maxZoneShiftMs } from '#core/reminder.ts'
import type { AlarmTask } from '#core/stale-alarm.ts'
import type { Reminder } from '#core/task.ts'
import { type ExpiryRange, nextByAlarm, nextByExpiry } from '#store/recompute.ts'
import type { Db } from '#store/schema.ts'

/**
 * Finds the tasks that are due soon by new defaults, before their alarms are computed. The lead of a reminder gives the range of their
 * expiries:
 *
 *   PT15M, P1D       due 9:00 to 9:10      expire today 9:15 to 9:25, or tomorrow about then
 *
 * Another time zone also moves the calendar leads of tasks with their own reminders, by days at most. These are found by the stored alarm.
 */
export interface DueSoonPlan {
  readonly until: number
  readonly ranges: readonly ExpiryRange[]
  /** The stored alarm after which the search continues when no range is left. */
  readonly alarm: { readonly notifyAt: number; readonly taskId: number }
}

/** @param after when the reminders are due, as `until`: in ms since 1970 */
export function planDueSoon({ reminders, dayReminders }: Defaults, after: number, until: number): DueSoonPlan {
  const toRange = (reminder: Reminder, isDay: boolean): ExpiryRange => {
    const expiries = expiriesOf(reminder, after, until, { isDay })
    return { after: { expiryAt: expiries.after, taskId: 0 }, before: expiries.until + 1 }
  }
  const ranges = [
    ...reminders.map((reminder) => toRange(reminder, false)),
    ...dayReminders.map((reminder) => toRange(reminder, true)),
  ]
  return { until, ranges, alarm: { notifyAt: after, taskId: 0 } }
}

/** @returns the next of these tasks, locked, and the rest of the plan, or undefined when nothing is left */
export async function readDueSoon(
  tx: Db,
  userId: number,
  { until, ranges, alarm }: DueSoonPlan,
  limit: number,
): Promise<{ found: AlarmTask[]; rest: DueSoonPlan | undefined }> {
  const found: AlarmTask[] = []
  for (const [i, range] of ranges.entries()) {
    const left = limit - found.length
    const some = await nextByExpiry(tx, userId, range, left)
    found.push(...some)
    const last = some.at(-1)
    if (last === undefined || some.length < left) continue
    const after = { expiryAt: last.expiryAt ?? 0, taskId: last.id }
    return { found, rest: { until, ranges: [{ ...range, after }, ...ranges.slice(i + 1)], alarm } }
  }
  const left = limit - found.length
  const some = await nextByAlarm(tx, userId, { after: alarm, until: until + maxZoneShiftMs }, left)
  found.push(...some)
  const last = some.at(-1)
  if (last === undefined || some.length < left) return { found, rest: undefined }
  return { found, rest: { until, ranges: [], alarm: { notifyAt: last.notifyAt ?? 0, taskId: last.id } } }
}
