import type { Logger } from 'pino'
import type { Defaults } from '#core/reminder.ts'
import { applyDefaults } from '#core/task.ts'
import type { Store } from '#store/open.ts'
import { builtInOwnerId, findDefaults, saveDefaults } from '#store/owners.ts'
import { setAlarms, tasksOnDefaults } from '#store/tasks.ts'

const batchSize = 1_000

/**
 * Alarms follow from tasks and their owner's defaults: where those have changed since the last start, the alarms of all tasks
 * that go by them are computed anew, a thousand a transaction. At the first start that is tasks that were taken over, if any.
 */
export async function adoptDefaults(
  store: Pick<Store, 'db' | 'transact'>,
  defaults: Defaults,
  log: Logger,
): Promise<void> {
  const known = await findDefaults(store.db, builtInOwnerId)
  if (known && JSON.stringify(known) === JSON.stringify(defaults)) return
  let after = 0
  let count = 0
  for (;;) {
    const tasks = await store.transact(async (tx, now) => {
      const found = await tasksOnDefaults(tx, builtInOwnerId, after, batchSize)
      const both = found.map((task) => ({ task, armed: applyDefaults(task, defaults, now) }))
      // What has rung counts as well: where only that moved on, the next edit would ring what is past.
      const moved = both.filter(
        ({ task, armed }) => task.notifyAt !== armed.notifyAt || task.rungUntilAt !== armed.rungUntilAt,
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
    if (count % 100_000 === 0) log.info(`default reminders or time zone changed: ${count} tasks looked at`)
  }
  // Last, so that a start that was killed on the way begins again; computing twice gives the same.
  await store.transact((tx, now) => saveDefaults(tx, builtInOwnerId, defaults, now))
  if (count > 0) log.info(`default reminders or time zone changed: the alarms of ${count} tasks were computed anew`)
}
