import { join } from 'node:path'
import { sql } from 'kysely'
import { systemClock } from '#clock.ts'
import { openStore } from '#store/engine/open.ts'
import { toCursor } from '#wire/cursor.ts'
import { toListCursor, toSort } from '#wire/task-list.ts'
import { load, type Request } from './load.ts'
import { count, digits, type Figure, median, progress, report } from './report.ts'
import { seedDatabase, temporaryFolder } from './seed.ts'
import { cpuMs, type ServerProcess, startServer } from './server.ts'

/**
 * Lists over HTTP among few tasks and among many, by position and by search. The cost of a page must not depend on the number of tasks. The
 * measurements of the two servers alternate.
 */

const sizes = [10_000, 1_000_000] as const
const connections = 8
const rounds = 3
const seconds = 2
const warmUpSeconds = 1
/** The number of different requests that a connection sends before it starts again. */
const variety = 100
/** The number of tasks that contain the searched word. */
const found = 20

interface Subject {
  readonly what: string
  /** @param expiries instants of tasks spread over the whole list, by their ids */
  readonly request: (nth: number, tasks: number, expiries: ReadonlyMap<number, number>) => Request
}

const byExpiry = toSort('expiry_dt')
/** Spreads requests over all ids: 7,919 is prime. */
const idAmong = (tasks: number, nth: number) => 1 + ((nth * 7_919) % (tasks - 100))

const subjects: readonly Subject[] = [
  {
    what: 'list of 100 by id, by cursor',
    request: (nth, tasks) => ({ path: `/v1/tasks?limit=100&cursor=${toCursor(idAmong(tasks, nth))}` }),
  },
  {
    what: 'list of 100 by expiry, anywhere, by cursor',
    request(nth, _, expiries) {
      const [id, at] = [...expiries][nth % expiries.size] as [number, number]
      return { path: `/v1/tasks?sort=expiry_dt&limit=100&cursor=${toListCursor([at, id], {}, byExpiry)}` }
    },
  },
  {
    what: `search for a word of ${found} tasks`,
    request: () => ({ path: '/v1/tasks?limit=100&q=needle' }),
  },
  {
    what: 'search for a word of all tasks and that one',
    request: () => ({ path: '/v1/tasks?limit=100&q=renew%20need&sort=expiry_dt' }),
  },
]

/** Inserts tasks as the API would have created them, with their words in the search index. Some of them contain a rare word. */
async function seed(path: string, tasks: number): Promise<Map<number, number>> {
  await seedDatabase(path, tasks)
  const { db, ...store } = await openStore(`sqlite:${path}`, { clock: systemClock, onBroken() {} })
  await sql`update tasks set title = title || ' needle' where id % ${tasks / found} = 7`.execute(db)
  await sql`insert into search (rowid, words) select id, lower(title) from tasks`.execute(db)
  const { rows } = await sql<{ id: number; expiry_at: number }>`
    select id, expiry_at from tasks where id % ${tasks / 100} = 3`.execute(db)
  await store[Symbol.asyncDispose]()
  return new Map(rows.map((row) => [row.id, row.expiry_at]))
}

interface Measured {
  readonly perSecond: number[]
  /** µs of the server's processor time per request. */
  readonly cpuUs: number[]
}

async function measure(
  { url, child }: ServerProcess,
  request: (nth: number) => Request,
  seconds: number,
  into?: Measured,
) {
  const requests = Array.from({ length: connections }, (_, client) =>
    Array.from({ length: variety }, (_, i) => request(client * variety + i)),
  )
  const before = cpuMs(child)
  const { answers, perSecond } = await load(url, seconds * 1_000, requests)
  into?.perSecond.push(perSecond)
  into?.cpuUs.push(((cpuMs(child) - before) * 1_000) / answers)
}

using folder = temporaryFolder()
progress('databases')
const paths = sizes.map((tasks) => join(folder.path, `${tasks}.db`))
const expiries: Map<number, number>[] = []
for (const [i, tasks] of sizes.entries()) expiries.push(await seed(paths[i] as string, tasks))
await using few = await startServer({ databasePath: paths[0] as string })
await using many = await startServer({ databasePath: paths[1] as string })
const servers = [few, many]

const measured = subjects.map(() => sizes.map((): Measured => ({ perSecond: [], cpuUs: [] })))
for (let round = -1; round < rounds; round++) {
  progress(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`)
  for (const [s, { request }] of subjects.entries())
    for (const [i, tasks] of sizes.entries()) {
      const make = (nth: number) => request(nth, tasks, expiries[i] as Map<number, number>)
      const into = round < 0 ? undefined : measured[s]?.[i]
      await measure(servers[i] as ServerProcess, make, round < 0 ? warmUpSeconds : seconds, into)
    }
}

const render = ({ perSecond, cpuUs }: Measured) =>
  `${count(Math.round(median(perSecond)))}/s at ${digits(median(cpuUs))} µs of processor time`

const figures = subjects.flatMap(({ what }, s): Figure[] => {
  const [small, large] = measured[s] as [Measured, Measured]
  const times = median(large.cpuUs.map((us, round) => us / (small.cpuUs[round] ?? Number.NaN)))
  return [
    { what: `${what}, among ${count(sizes[0])}`, measured: render(small) },
    {
      what: `the same among ${count(sizes[1])}`,
      measured: `${render(large)}: ${digits(times)} times that`,
      target: 'flat (≤ 2 times)',
      isMet: times <= 2,
    },
  ]
})

report({
  title: 'Lists',
  note: `${connections} connections, embedded database; medians of ${rounds} rounds of ${seconds} s that take turns, after a warm-up. Server and load generator share the machine.`,
  figures,
})
