import { setImmediate as turn } from 'node:timers/promises'
import type { Actor } from '#core/caller.ts'
import type { QuietHours } from '#core/quiet-hours.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Reminder } from '#core/task.ts'
import * as users from '#store/users.ts'
import { type LongContext, refuseIfStopping } from './context.ts'
import { openWalk } from './recompute.ts'

/**
 * What alarms are computed with. Where that changes the user is marked in the same transaction, and his alarms are computed anew:
 *
 *   a person's own choice ─▶ defaults, marked stale ─▶ the request computes all ───────┐
 *                                                                                      ├─▶ mark gone
 *   the configuration ─────▶ defaults, marked stale ─▶ computed beside everything else ┘
 *
 * Nobody computes by the old ones after that has begun: whoever writes a task holds its user's row, and the bell reads it anew.
 */

/** Of one transaction: 10 to 30 ms on the embedded database. */
const batchSize = 1_000

/** What a person chooses for all his tasks and channels; null: as the server has it. */
export interface SettingsPatch {
  readonly timeZone?: string | null
  readonly reminders?: readonly Reminder[] | null
  readonly quietHours?: QuietHours | null
}

/**
 * Answers when the alarms of all his tasks follow. What ends before goes on from where it stopped: by whoever asks for the same again, at
 * the next start, and within a minute in every server that runs.
 * @param server what holds for who has not chosen
 */
export async function changeSettings(
  ctx: LongContext,
  { userId }: Actor,
  { timeZone, reminders, quietHours }: SettingsPatch,
  server: Defaults,
): Promise<void> {
  const isStale = await ctx.transact(async (tx, now) => {
    await users.lockUser(tx, userId)
    if (quietHours !== undefined) await users.saveQuietHours(tx, userId, quietHours)
    if (timeZone === undefined && reminders === undefined) return false
    const { own } = await users.getPreferences(tx, userId)
    const wanted = {
      timeZone: timeZone === undefined ? own.timeZone : timeZone,
      reminders: reminders === undefined ? own.reminders : reminders,
    }
    return users.saveOwnDefaults(tx, userId, wanted, server, now)
  })
  if (!isStale) return
  const walk = openWalk({ store: ctx, limit: () => batchSize, wake: ctx.wake }, userId)
  for (;;) {
    const { isDone } = await walk.step()
    if (isDone) break
    refuseIfStopping(ctx.signal)
    await turn() // the bell and every other request come in between
    await turn()
  }
  ctx.wake(0) // one of them may be due by now
}
