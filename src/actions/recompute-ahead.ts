import { type Defaults, expiriesOf, maxZoneShiftMs } from '#core/reminder.ts'
import type { AlarmTask } from '#core/stale-alarm.ts'
import { nextByAlarm, nextByExpiry, type Stretch } from '#store/recompute.ts'
import type { Db } from '#store/schema.ts'

/**
 * Which tasks are due within a while by new defaults, found before their alarms are computed. A lead says what expiry they have:
 *
 *   PT15M, P1D       due 9:00 to 9:10      expire today 9:15 to 9:25, or tomorrow about then
 *
 * Of tasks with reminders of their own another zone moves what is a calendar lead, by days at most: they are found by the stored alarm.
 * A piece of the plan is what is left of it.
 */
export interface Ahead {
  readonly until: number
  readonly stretches: readonly Stretch[]
  /** Behind which stored alarm to go on, once no stretch is left. */
  readonly alarm: { readonly notifyAt: number; readonly taskId: number }
}

/** @param after and `until` in ms since 1970: when the reminders are due */
export function planAhead({ reminders }: Defaults, after: number, until: number): Ahead {
  const stretches = reminders.map((reminder): Stretch => {
    const expiries = expiriesOf(reminder, after, until)
    return { after: { expiryAt: expiries.after, taskId: 0 }, before: expiries.until + 1 }
  })
  return { until, stretches, alarm: { notifyAt: after, taskId: 0 } }
}

/** @returns the next of these tasks, locked, and what is left of the plan; undefined where that is nothing */
export async function readAhead(
  tx: Db,
  userId: number,
  { until, stretches, alarm }: Ahead,
  limit: number,
): Promise<{ found: AlarmTask[]; rest: Ahead | undefined }> {
  const found: AlarmTask[] = []
  for (const [i, stretch] of stretches.entries()) {
    const wanted = limit - found.length
    const some = await nextByExpiry(tx, userId, stretch, wanted)
    found.push(...some)
    const last = some.at(-1)
    if (last === undefined || some.length < wanted) continue
    const after = { expiryAt: last.expiryAt ?? 0, taskId: last.id }
    return { found, rest: { until, stretches: [{ ...stretch, after }, ...stretches.slice(i + 1)], alarm } }
  }
  const wanted = limit - found.length
  const some = await nextByAlarm(tx, userId, { after: alarm, until: until + maxZoneShiftMs }, wanted)
  found.push(...some)
  const last = some.at(-1)
  if (last === undefined || some.length < wanted) return { found, rest: undefined }
  return { found, rest: { until, stretches: [], alarm: { notifyAt: last.notifyAt ?? 0, taskId: last.id } } }
}
