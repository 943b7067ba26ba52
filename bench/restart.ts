import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { systemClock } from '#clock.ts'
import { freePort } from '#kit/listen.ts'
import { openStore } from '#store/engine/open.ts'
import { startReceiver } from './receiver.ts'
import { count, digits, median, progress, report } from './report.ts'
import { insertDueAt, seedDatabase, temporaryFolder } from './seed.ts'
import { startServer } from './server.ts'
import { openWallClock } from './wall-clock.ts'

/** A storm to a receiver of webhooks; the server is killed in the middle of it and restarted at once. */

const due = 10_000
const killAfter = 3_000
const others = 200_000
const rounds = 3
/** The maximum number of attempts in flight of the kind webhook. */
const concurrency = 32

const now = openWallClock()

/** @returns seconds from the restart until the last new notification arrived, and the number of duplicates */
async function measure(): Promise<{ delivered: number; ready: number; repeats: number }> {
  using folder = temporaryFolder()
  const databasePath = join(folder.path, 'bench.db')
  await seedDatabase(databasePath, others)
  const store = await openStore(`sqlite:${databasePath}`, { clock: systemClock, onBroken() {} })
  await insertDueAt(store, Date.now() + 2_500, due)
  await store[Symbol.asyncDispose]()

  await using receiver = await startReceiver()
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const options = {
    databasePath,
    port: await freePort(),
    channels: [{ name: 'hook', kind: 'webhook', options: { url: receiver.url, secret } }],
  }
  await using first = await startServer(options)
  await receiver.received(killAfter, 30_000)
  const exited = once(first.child, 'exit')
  first.child.kill('SIGKILL')
  await exited
  const restartedAt = now()
  await using second = await startServer(options)
  const { lastNewAt } = await receiver.received(due, 60_000)
  await second.stop() // attempts in flight have ended by then
  const { repeats, distinct } = await receiver.received(due, 1_000)
  if (distinct !== due) throw new Error(`${distinct} notifications came of ${due}`)
  return { delivered: (lastNewAt - restartedAt) / 1_000, ready: second.readyMs / 1_000, repeats }
}

const results: Awaited<ReturnType<typeof measure>>[] = []
for (let round = 0; round < rounds; round++) {
  progress(`round ${round + 1} of ${rounds}`)
  results.push(await measure())
}
const delivered = median(results.map((result) => result.delivered))
const ready = median(results.map((result) => result.ready))
const repeats = results.map((result) => result.repeats)
report({
  title: 'Restart',
  note: `${count(due)} due at one instant, ${count(others)} others pending, to a webhook receiver on loopback; kill -9 when ${count(killAfter)} had arrived, and a start at once. Medians of ${rounds} (each of them).`,
  figures: [
    {
      what: 'from the restart until all had arrived',
      measured: `${digits(delivered)} s (${results.map((result) => digits(result.delivered)).join(', ')}), of which ${digits(ready)} s until it was ready`,
      target: '≤ 2 s',
      isMet: delivered <= 2,
    },
    {
      what: 'arrived twice, under the same id',
      measured: repeats.map(count).join(', '),
      target: `≤ attempts in flight (${concurrency})`,
      isMet: Math.max(...repeats) <= concurrency,
    },
    { what: 'missing', measured: '0', target: '0', isMet: true },
  ],
})
