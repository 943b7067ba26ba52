import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { systemClock } from '#clock.ts'
import { openStore } from '#store/engine/open.ts'
import { receiverInProcess, startEmbedded } from './embedded.ts'
import { startReceiver } from './receiver.ts'
import { count, digits, type Figure, median, progress, quantile, report } from './report.ts'
import { insertDueAt, seedDatabase, temporaryFolder } from './seed.ts'
import { startServer } from './server.ts'
import { openWallClock } from './wall-clock.ts'

/** Many tasks due at one instant, beside 200,000 pending ones: how long until the last is delivered, and until all results are written. */

const others = 200_000
const connections = 32
const rounds = 3

interface Storm {
  /** Seconds after the instant. */
  readonly delivered: number
  readonly recorded: number
}

/** One storm inside this process, on a fresh database. */
async function stormInside(channel: 'console' | 'in-process', due: number): Promise<Storm> {
  using folder = temporaryFolder()
  const path = join(folder.path, 'bench.db')
  await seedDatabase(path, others)
  const now = openWallClock()
  let received = 0
  let lastAt = 0
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const receive = () => {
    lastAt = now()
    if (++received === due) finish()
  }
  await using app = await startEmbedded(
    path,
    channel === 'console' ? { onLine: receive } : { kinds: [receiverInProcess(receive)] },
  )
  // Written while the app runs, but not through it: the setup is not measured. The loop of the app checks every second.
  const dueAt = Date.now() + 2_500 + due / 50
  await insertDueAt(app.store, dueAt, due)
  if (Date.now() > dueAt - 1_100) throw new Error('setting up took longer than expected: the measurement is invalid')
  await finished
  await app.idle()
  const finishedAt = now()
  const { rows } = await sql<{ state: string; n: number }>`
    select state, count(*) as n from deliveries where attempts = 1 group by state`.execute(app.store.db)
  if (received !== due || rows.length !== 1 || rows[0]?.state !== 'sent' || rows[0].n !== due)
    throw new Error(`not each exactly once: ${received} received, ${JSON.stringify(rows)} in the ledger`)
  return { delivered: (lastAt - dueAt) / 1_000, recorded: (finishedAt - dueAt) / 1_000 }
}

/** One storm to a receiver of webhooks, each in a process of its own, while this process uses the API. */
async function stormOverWebhook(due: number): Promise<Storm & { latencies: number[] }> {
  using folder = temporaryFolder()
  const databasePath = join(folder.path, 'bench.db')
  await seedDatabase(databasePath, others)
  const store = await openStore(`sqlite:${databasePath}`, { clock: systemClock, onBroken() {} })
  const dueAt = Date.now() + 6_000
  await insertDueAt(store, dueAt, due)
  await store[Symbol.asyncDispose]()

  await using receiver = await startReceiver()
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const channels = [{ name: 'hook', kind: 'webhook', options: { url: receiver.url, secret } }]
  await using server = await startServer({ databasePath, channels })
  if (Date.now() > dueAt - 500) throw new Error('starting took longer than expected: the measurement is invalid')
  await sleep(dueAt - 300 - Date.now())
  const stopping = new AbortController()
  const client = useApi(server.url, dueAt, stopping.signal)
  const { lastNewAt, repeats } = await receiver.received(due, 60_000)
  stopping.abort()
  const latencies = await client
  await sleep(200) // the last outcomes are written by then
  await server.stop()

  const database = new DatabaseSync(databasePath, { readOnly: true })
  const row = database
    .prepare(`select max(finished_at) as lastAt, count(*) as n from deliveries where state = 'sent' and attempts = 1`)
    .get() as { lastAt: number; n: number }
  database.close()
  if (repeats > 0 || row.n !== 2 * due) throw new Error(`not each exactly once: ${repeats} repeats, ${row.n} settled`)
  return { delivered: (lastNewAt - dueAt) / 1_000, recorded: (row.lastAt - dueAt) / 1_000, latencies }
}

/**
 * Light clients: every 5 ms a read or an edit over one of 32 open connections, without waiting for earlier responses.
 * @returns latencies of the requests sent after an instant, in ms, sorted
 */
async function useApi(url: string, fromAt: number, signal: AbortSignal): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const latencies: number[] = []
  const inFlight: Promise<void>[] = []
  const call = (method: string, path: string, body?: string) =>
    new Promise<void>((resolve, reject) => {
      const startedAt = performance.now()
      const isCounted = Date.now() >= fromAt
      const headers = body === undefined ? {} : { 'content-type': 'application/json' }
      request(url + path, { agent, method, headers }, (response) => {
        response.resume().on('end', () => {
          if (response.statusCode !== 200) reject(new Error(`${method} ${path}: ${response.statusCode}`))
          if (isCounted) latencies.push(performance.now() - startedAt)
          resolve()
        })
      })
        .on('error', reject)
        .end(body)
    })
  await Promise.all(Array.from({ length: connections }, (_, i) => call('GET', `/v1/tasks/${i + 1}`)))
  for (let i = 1; !signal.aborted; i++) {
    inFlight.push(
      i % 2 === 0
        ? call('GET', `/v1/tasks/${i}`)
        : call('PATCH', `/v1/tasks/${i}`, JSON.stringify({ priority: i % 4 === 1 ? 'low' : 'high' })),
    )
    await sleep(5)
  }
  await Promise.all(inFlight)
  agent.destroy()
  return latencies.sort((a, b) => a - b)
}

const figures: Figure[] = []
const all = (storms: readonly Storm[]) => storms.map(({ delivered }) => digits(delivered)).join(', ')
for (const channel of ['console', 'in-process'] as const)
  for (const due of [10_000, 100_000]) {
    progress(`${count(due)}, ${channel}`)
    const storms: Storm[] = []
    for (let round = 0; round < rounds; round++) storms.push(await stormInside(channel, due))
    const delivered = median(storms.map((storm) => storm.delivered))
    const recorded = median(storms.map((storm) => storm.recorded))
    const target = due === 10_000 ? 0.15 : 1
    figures.push({
      what: `${count(due)}, ${channel === 'console' ? 'console' : 'receiver in the process'}`,
      measured: `last delivery after ${digits(delivered)} s (${all(storms)}), all settled after ${digits(recorded)} s`,
      target: `last delivery ≤ ${target} s`,
      isMet: delivered <= target,
    })
  }
progress('10,000, webhook')
const storms: Awaited<ReturnType<typeof stormOverWebhook>>[] = []
for (let round = 0; round < rounds; round++) storms.push(await stormOverWebhook(10_000))
const delivered = median(storms.map((storm) => storm.delivered))
const recorded = median(storms.map((storm) => storm.recorded))
const latencies = storms.map((storm) => quantile(storm.latencies, 0.99))
const max = Math.max(...storms.map((storm) => quantile(storm.latencies, 1)))
figures.push(
  {
    what: '10,000, webhook on loopback and console',
    measured: `last delivery after ${digits(delivered)} s (${all(storms)}), all settled after ${digits(recorded)} s`,
    target: 'last delivery ≤ 2 s',
    isMet: delivered <= 2,
  },
  {
    what: 'the API meanwhile, reads and edits',
    measured: `p99 ${digits(median(latencies))} ms (${latencies.map(digits).join(', ')}), max ${digits(max)} ms`,
    target: 'p99 ≤ 50 ms',
    isMet: median(latencies) <= 50,
  },
)
report({
  title: 'Storm',
  note: `All due at one instant, ${count(others)} others pending, a fresh database each; medians of ${rounds} (each of them), the first of which is the process's first.`,
  figures,
})
