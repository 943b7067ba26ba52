import { join } from 'node:path'
import { createClient, type DuebellClient } from '#client/client.ts'
import { receiverInProcess, startEmbedded } from './embedded.ts'
import { count, digits, type Figure, progress, quantile, report } from './report.ts'
import { seedDatabase, temporaryFolder } from './seed.ts'
import { openWallClock } from './wall-clock.ts'

/** Deletes a million tasks in one request, restores and purges them, while other tasks are created and fire. */

const tasks = 1_000_000
/** A task is created this often, and fires this long after. */
const everyMs = 50
const aheadMs = 500
const leadMs = 15 * 60_000
const maxStallMs = 1_000

interface Meanwhile {
  /** s. */
  readonly taken: number
  /** ms, sorted. */
  readonly lateness: readonly number[]
  readonly latencies: readonly number[]
  /** The longest turn of the event loop, in ms. */
  readonly stall: number
}

const now = openWallClock()
const firedAt = new Map<number, number>()
const receiver = receiverInProcess(({ task }) => {
  firedAt.set(task.id, now())
})

/** Runs a long request, and meanwhile creates a task at a fixed interval. */
async function during(client: DuebellClient, long: () => Promise<unknown>): Promise<Meanwhile> {
  const dueAt = new Map<number, number>()
  const latencies: number[] = []
  const inFlight = new Set<Promise<unknown>>()
  const create = async () => {
    const at = Date.now() + aheadMs
    const sentAt = performance.now()
    const task = await client.createTask({ title: 'Rings meanwhile', expiry_dt: new Date(at + leadMs).toISOString() })
    latencies.push(performance.now() - sentAt)
    dueAt.set(task.id, at)
  }
  const ticking = setInterval(() => {
    const one = create().finally(() => inFlight.delete(one))
    inFlight.add(one)
  }, everyMs)
  let stall = 0
  let lastTurn = performance.now()
  let isOver = false
  const turn = () => {
    const at = performance.now()
    stall = Math.max(stall, at - lastTurn)
    lastTurn = at
    if (!isOver) setTimeout(turn, 1)
  }
  turn()
  const startedAt = performance.now()
  await long()
  const taken = (performance.now() - startedAt) / 1_000
  isOver = true
  clearInterval(ticking)
  await Promise.all(inFlight)
  await new Promise((resolve) => setTimeout(resolve, aheadMs + 1_500))
  const lateness = [...dueAt].map(([id, at]) => (firedAt.get(id) ?? Number.POSITIVE_INFINITY) - at)
  const sorted = (values: number[]) => values.sort((a, b) => a - b)
  return { taken, lateness: sorted(lateness), latencies: sorted(latencies), stall }
}

const figures: Figure[] = []
function addFigures(what: string, { taken, lateness, latencies, stall }: Meanwhile) {
  const of = (sorted: readonly number[]) =>
    `p50 ${digits(quantile(sorted, 0.5))} ms, p99 ${digits(quantile(sorted, 0.99))} ms, max ${digits(quantile(sorted, 1))} ms`
  figures.push(
    { what, measured: `${digits(taken)} s, ${count(Math.round(tasks / taken))} a second` },
    {
      what: `${what}: lateness of ${count(lateness.length)} that fire meanwhile`,
      measured: of(lateness),
      target: `max ≤ ${count(maxStallMs)} ms`,
      isMet: quantile(lateness, 1) <= maxStallMs,
    },
    { what: `${what}: creating meanwhile`, measured: of(latencies) },
    {
      what: `${what}: longest stall of the event loop`,
      measured: `${digits(stall)} ms`,
      target: `≤ ${count(maxStallMs)} ms`,
      isMet: stall <= maxStallMs,
    },
  )
}

using folder = temporaryFolder()
const path = join(folder.path, 'bench.db')
progress(`seeding ${count(tasks)}`)
await seedDatabase(path, tasks)
{
  await using app = await startEmbedded(path, { kinds: [receiver] })
  const client = createClient(app.url)
  const expected = (n: number, what: string) => {
    if (n !== tasks) throw new Error(`${what} ${n} of ${tasks}`)
  }
  let batch: string | null = null
  progress('delete')
  addFigures(
    `delete all of ${count(tasks)}`,
    await during(client, async () => {
      const answer = await client.deleteTasks()
      expected(answer.deleted, 'deleted')
      batch = answer.batch
    }),
  )
  progress('restore')
  addFigures(
    'restore them',
    await during(client, async () => {
      if (batch === null) throw new Error('no batch')
      expected((await client.restoreTasks({ batch })).count, 'restored')
    }),
  )
  progress('purge')
  const { deleted } = await client.deleteTasks({ status: 'open', expires_before: '9000-01-01' })
  if (deleted < tasks) throw new Error(`deleted ${deleted}`)
  addFigures(
    'purge them',
    await during(client, async () => {
      const { purged } = await client.purgeTrash()
      if (purged !== deleted) throw new Error(`purged ${purged} of ${deleted}`)
    }),
  )
}
report({
  title: 'Deleting all',
  note: `The embedded database with ${count(tasks)} pending tasks that expire in another order than that of their ids; a task is created every ${everyMs} ms meanwhile, and rings ${aheadMs} ms later.`,
  figures,
})
