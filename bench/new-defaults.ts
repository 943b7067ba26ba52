import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '#client/client.ts'
import { systemClock } from '#clock.ts'
import { openStore } from '#store/engine/open.ts'
import { count, digits, type Figure, progress, quantile, report } from './report.ts'
import { insertDueEvery, seedDatabase, temporaryFolder } from './seed.ts'
import { startServer } from './server.ts'

/**
 * A start with other default reminders: how long until the server listens, until all alarms are recomputed, and how late notifications are
 * meanwhile.
 */

const pending = 1_000_000
const due = 500
const everyMs = 20
const hourMs = 3_600_000

interface Found {
  readonly readyMs: number
  /** ms since the spawn. */
  readonly followedMs: number
  readonly lateness: readonly number[]
  readonly reads: readonly number[]
}

async function measure(isRead: boolean): Promise<Found> {
  using folder = temporaryFolder()
  const databasePath = join(folder.path, 'bench.db')
  const open = () => openStore(`sqlite:${databasePath}`, { clock: systemClock, onBroken() {} })
  await seedDatabase(databasePath, pending)
  await (await startServer({ databasePath })).stop() // the mark of the first user is removed by then
  const store = await open()
  const from = Date.now() + 3_000
  await insertDueEvery(store, everyMs, from, due) // reminders by PT15M
  await insertDueEvery(store, everyMs, from + hourMs - 900_000, due) // reminders by PT1H at the same instants, and 45 minutes later by PT15M
  const own = store.db.updateTable('tasks').set({ reminders: '["PT15M"]' })
  await own.where('notify_at', '<', from + everyMs * due).execute()
  await store[Symbol.asyncDispose]()

  const { promise: followed, resolve } = Promise.withResolvers<number>()
  const spawnedAt = performance.now()
  let output = ''
  await using server = await startServer({
    databasePath,
    defaultReminders: 'PT1H',
    onOutput(text) {
      output += text
      if (/recompute finished|were computed anew/.test(output)) resolve(performance.now() - spawnedAt)
    },
  })
  const reads: number[] = []
  let followedMs: number | undefined
  followed.then((ms) => (followedMs = ms))
  const client = createClient(server.url)
  while (followedMs === undefined || Date.now() < from + everyMs * due + 1_000) {
    if (isRead && followedMs === undefined) {
      const askedAt = performance.now()
      await client.listTasks({ limit: 1 })
      reads.push(performance.now() - askedAt)
    }
    await sleep(10)
  }
  await server.stop()
  const after = await open()
  const rows = await after.db.selectFrom('notifications').select(['due_at', 'fired_at']).execute()
  await after[Symbol.asyncDispose]()
  if (rows.length !== 2 * due) throw new Error(`${rows.length} of ${2 * due} have fired`)
  const lateness = rows.map((row) => row.fired_at - row.due_at).sort((a, b) => a - b)
  return { readyMs: server.readyMs, followedMs, lateness, reads: reads.sort((a, b) => a - b) }
}

const spread = (sorted: readonly number[]) =>
  `p50 ${digits(quantile(sorted, 0.5))} ms, p99 ${digits(quantile(sorted, 0.99))} ms, max ${digits(quantile(sorted, 1))} ms`

const figures: Figure[] = []
for (const isRead of [false, true]) {
  progress(isRead ? 'beside reads' : 'alone')
  const { readyMs, followedMs, lateness, reads } = await measure(isRead)
  const name = isRead ? 'beside a client that reads' : 'alone'
  figures.push(
    { what: `${name}: listens after`, measured: `${count(Math.round(readyMs))} ms` },
    { what: `${name}: all alarms follow after`, measured: `${digits(followedMs / 1_000)} s` },
    { what: `${name}: lateness of what is due meanwhile`, measured: spread(lateness) },
  )
  if (isRead) figures.push({ what: `${name}: an answer meanwhile`, measured: spread(reads) })
}
report({
  title: 'New defaults',
  note: `A start with default reminders of PT1H on ${count(pending)} pending tasks that have followed PT15M; ${count(2 * due)} others are due in the 10 s from 3 s before the start on, half of them by the new defaults alone. Lateness is by the ledger, in whole ms.`,
  figures,
})
