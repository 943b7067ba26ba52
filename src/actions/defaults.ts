import type { Logger } from 'pino'
import { applyDefaults } from '#core/alarm.ts'
import type { Actor } from '#core/caller.ts'
import type { QuietHours } from '#core/quiet-hours.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Reminder } from '#core/task.ts'
import type { Store } from '#store/engine/open.ts'
import type { Transact } from '#store/engine/transact.ts'
import { setAlarms, tasksOnDefaults } from '#store/tasks.ts'
import * as users from '#store/users.ts'
import { type LongContext, refuseIfStopping } from './context.ts'

/**
 * Alarms follow from tasks and their user's defaults. Where those change, the alarms of all tasks that go by them are computed anew, a
 * thousand a transaction; the user is marked until that is done, so that who is killed on the way is followed by the next start.
 *
 *   a person's own choice ─┐
 *                          ├─▶ defaults, marked stale ──▶ alarms, chunk by chunk ──▶ mark gone
 *   the configuration ─────┘
 *
 * Nobody computes by the old ones after that has begun: whoever writes a task holds its user's row, and the bell reads it anew.
 */
const batchSize = 1_000

/** At a start, before anything rings: what the configuration says, for all who have not chosen themselves. */
export async function adoptDefaults(
  store: Pick<Store, 'db' | 'transact'>,
  defaults: Defaults,
  log: Logger,
): Promise<void> {
  await store.transact((tx, now) => users.adoptServerDefaults(tx, defaults, now))
  for (const stale of await users.findStaleAlarms(store.db)) {
    const count = await computeAlarms(store.transact, stale.id, stale.defaults, (soFar) => {
      if (soFar % 100_000 === 0) log.info(`default reminders or time zone changed: ${soFar} tasks looked at`)
    })
    if (count > 0) log.info(`default reminders or time zone changed: the alarms of ${count} tasks were computed anew`)
  }
}

/** @returns how many tasks go by them */
async function computeAlarms(
  transact: Transact,
  userId: number,
  defaults: Defaults,
  onChunk: (soFar: number) => void,
): Promise<number> {
  let after = 0
  let count = 0
  for (;;) {
    const tasks = await transact(async (tx, now) => {
      const found = await tasksOnDefaults(tx, userId, after, batchSize)
      // As they are by now: of two changes at once the earlier must not compute over what the later one has.
      const present = await users.defaultsInTransaction(tx, userId)
      const both = found.map((task) => ({ task, armed: applyDefaults(task, present, now) }))
      // What has fired counts as well: where only that moved on, the next edit would ring what is past.
      const moved = both.filter(
        ({ task, armed }) => task.notifyAt !== armed.notifyAt || task.firedUntilAt !== armed.firedUntilAt,
      )
      await setAlarms(
        tx,
        moved.map(({ armed }) => armed),
      )
      return found
    })
    count += tasks.length
    after = tasks.at(-1)?.id ?? after
    if (tasks.length < batchSize) break
    onChunk(count)
  }
  // Last, so that whoever is killed on the way begins again; computing twice gives the same.
  await transact((tx) => users.markFresh(tx, userId, defaults))
  return count
}

/** What a person chooses for all his tasks and channels; null: as the server has it. */
export interface SettingsPatch {
  readonly timeZone?: string | null
  readonly reminders?: readonly Reminder[] | null
  readonly quietHours?: QuietHours | null
}

/**
 * Answers when the alarms of all his tasks follow. What ends before is gone on with by whoever asks for the same again, and at the next
 * start.
 * @param server what holds for who has not chosen
 */
export async function changeSettings(
  ctx: LongContext,
  { userId }: Actor,
  { timeZone, reminders, quietHours }: SettingsPatch,
  server: Defaults,
): Promise<void> {
  const changed = await ctx.transact(async (tx) => {
    await users.lockUser(tx, userId)
    if (quietHours !== undefined) await users.saveQuietHours(tx, userId, quietHours)
    if (timeZone === undefined && reminders === undefined) return undefined
    const { own } = await users.getPreferences(tx, userId)
    const wanted = {
      timeZone: timeZone === undefined ? own.timeZone : timeZone,
      reminders: reminders === undefined ? own.reminders : reminders,
    }
    const { defaults, isStale } = await users.saveOwnDefaults(tx, userId, wanted, server)
    return isStale ? defaults : undefined
  })
  if (!changed) return
  await computeAlarms(ctx.transact, userId, changed, () => refuseIfStopping(ctx.signal))
  ctx.wake(0) // one of them may be due by now
}
