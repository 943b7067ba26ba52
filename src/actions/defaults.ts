import type { Actor } from '#core/caller.ts'
import type { QuietHours } from '#core/quiet-hours.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Reminder } from '#core/task.ts'
import * as preferences from '#store/preferences.ts'
import * as users from '#store/users.ts'
import { type LongContext, refuseIfStopping, yieldToOthers } from './context.ts'
import { openWalk } from './recompute.ts'

/**
 * The settings of a user. Alarms are computed by the default reminders and the time zone. A change of these marks the user's alarms as stale in
 * the same transaction, and a walk recomputes them (recompute.ts):
 *
 *   the user's own choice ─▶ defaults, alarms stale ─▶ the request recomputes ───────┐
 *                                                                                    ├─▶ alarms fresh
 *   the configuration ─────▶ defaults, alarms stale ─▶ recomputed in the background ─┘
 *
 * From then on all alarms are computed by the new defaults: writers of tasks lock the user's row, and firing reads it again.
 */

/** Tasks in one transaction: 10 to 30 ms on the embedded database. */
const batchSize = 1_000

/** The user's choices for all tasks and channels. Null stands for the server's default. */
export interface SettingsPatch {
  readonly timeZone?: string | null
  readonly reminders?: readonly Reminder[] | null
  readonly dayReminders?: readonly Reminder[] | null
  /** `HH:MM` */
  readonly dayTime?: string | null
  readonly quietHours?: QuietHours | null
}

/**
 * Resolves when all alarms of the user are recomputed. An interrupted recompute continues where it stopped: with the same request, at the next
 * start, and within a minute in every running server.
 * @param server the defaults of the server
 */
export async function changeSettings(
  ctx: LongContext,
  { userId }: Actor,
  { quietHours, ...defaults }: SettingsPatch,
  server: Defaults,
): Promise<void> {
  const isStale = await ctx.transact(async (tx, now) => {
    await users.lockUser(tx, userId)
    if (quietHours !== undefined) await preferences.saveQuietHours(tx, userId, quietHours)
    if (Object.keys(defaults).length === 0) return false
    const { own } = await preferences.getPreferences(tx, userId)
    return preferences.saveOwnDefaults(tx, userId, { ...own, ...defaults }, server, now)
  })
  if (!isStale) return
  const walk = openWalk({ store: ctx, limit: () => batchSize, wake: ctx.wake }, userId)
  for (;;) {
    const { isDone } = await walk.step()
    if (isDone) break
    refuseIfStopping(ctx.signal)
    await yieldToOthers()
  }
  ctx.wake(0) // a reminder may be due by now
}
