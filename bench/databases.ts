import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { systemClock } from '#clock.ts'
import { newTask } from '#core/task-changes.ts'
import { recordChange } from '#store/changes.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { insertTask } from '#store/task-writes.ts'
import { builtInUserId } from '#store/users.ts'
import { isReachable, onServer, servers, type TestDatabase } from '#support/databases.ts'
import { receiverInProcess, startEmbedded } from './embedded.ts'
import { load, type Request } from './load.ts'
import { startReceiver } from './receiver.ts'
import { count, digits, type Figure, median, progress, quantile, report } from './report.ts'
import { temporaryFolder } from './seed.ts'
import { type ServerProcess, startServer } from './server.ts'
import { openWallClock } from './wall-clock.ts'

/** The same program on three databases, and on the two database servers with one, two and four replicas. */

const others = 100_000
const leadMs = 15 * 60_000
const loadMs = 3_000
const connections = 32

interface Place extends AsyncDisposable {
  readonly url: string
  readonly path: string
}

/** An empty database, removed at the end of the block. */
async function openPlace(kind: TestDatabase): Promise<Place> {
  const folder = temporaryFolder()
  const path = join(folder.path, 'bench.db')
  if (kind === 'sqlite')
    return { url: `sqlite:${path}`, path, [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() }
  const name = `duebell_bench_${randomBytes(4).toString('hex')}`
  await onServer(kind, `create database ${name}`)
  return {
    url: servers[kind].replace(/test$/, name),
    path,
    async [Symbol.asyncDispose]() {
      folder[Symbol.dispose]()
      await onServer(kind, kind === 'postgres' ? `drop database ${name} with (force)` : `drop database ${name}`)
    },
  }
}

const open = (url: string) =>
  openStore(url, {
    clock: systemClock,
    onBroken(error) {
      throw error
    },
  })

/** Inserts tasks as the API would have created them, a thousand a statement. @param at when each fires, in ms since 1970 */
async function fill(store: Store, howMany: number, at: (i: number) => number): Promise<void> {
  const uids = randomBytes(6).toString('hex')
  for (let from = 0; from < howMany; from += 1_000) {
    const rows = Array.from({ length: Math.min(1_000, howMany - from) }, (_, i) => {
      const firesAt = at(from + i)
      const now = Date.now()
      return [
        builtInUserId,
        `${uids}-${from + i}`,
        `Task ${from + i}`,
        '[]',
        'none',
        now,
        now,
        1,
        firesAt + leadMs,
        firesAt,
      ]
    })
    await store.transact((tx) =>
      store.dialect.insertRows(
        tx,
        'tasks',
        [
          'user_id',
          'uid',
          'title',
          'tags',
          'priority',
          'created_at',
          'updated_at',
          'version',
          'expiry_at',
          'notify_at',
        ],
        rows,
        [],
      ),
    )
  }
}

const inAYear = (i: number) => Date.now() + 365 * 86_400_000 + i * 1_000

/** Lateness of 1,000 notifications over 10 s, and a storm of 10,000, called in this process. */
async function recorder(kind: TestDatabase): Promise<{ p50: number; p99: number; storm: number }> {
  await using place = await openPlace(kind)
  const now = openWallClock()
  const sent: number[] = []
  let dueAt = (_: number) => Number.NaN
  const receiver = receiverInProcess(({ notification }) => sent.push(now() - dueAt(notification.dueAt)))
  const target = kind === 'sqlite' ? place.path : place.url
  await using app = await startEmbedded(target, { kinds: [receiver] })
  await fill(app.store, others, inAYear)

  dueAt = (at) => at
  const from = Date.now() + 3_000
  await fill(app.store, 1_000, (i) => from + i * 10)
  await systemClock.sleep(from + 10_500 - Date.now())
  await app.idle()
  if (sent.length !== 1_000) throw new Error(`${kind}: ${sent.length} of 1,000 notifications came`)
  const lateness = sent.splice(0).sort((a, b) => a - b)

  const instant = Date.now() + 6_000
  await fill(app.store, 10_000, () => instant)
  if (Date.now() > instant - 1_100) throw new Error('setting up took longer than expected: the measurement is invalid')
  await systemClock.sleep(instant - Date.now())
  while (sent.length < 10_000) await systemClock.sleep(20)
  await app.idle()
  return { p50: quantile(lateness, 0.5), p99: quantile(lateness, 0.99), storm: Math.max(...sent) / 1_000 }
}

const expiry = (i: number) => new Date(Date.now() + 86_400_000 + i * 1_000).toISOString()
const each = (make: (i: number) => Request) =>
  Array.from({ length: connections }, (_, c) => Array.from({ length: 100 }, (_, i) => make(c * 100 + i)))
const creates = each((i) => ({
  method: 'POST',
  path: '/v1/tasks',
  body: JSON.stringify({
    title: 'Renew passport',
    description: 'Bring two photos',
    expiry_dt: expiry(i),
    tags: ['home'],
  }),
}))
const reads = each((i) => ({ path: `/v1/tasks/${i + 1}` }))
const edits = [0, 1].map((turn) =>
  each((i) => ({ method: 'PATCH', path: `/v1/tasks/${i + 1}`, body: JSON.stringify({ expiry_dt: expiry(i + turn) }) })),
)

/** Measures requests a second, spread over the replicas. */
async function perSecond(
  replicas: readonly ServerProcess[],
  requests: readonly (readonly Request[])[],
): Promise<number> {
  const shares = replicas.map((_, r) => requests.filter((_, i) => i % replicas.length === r))
  const loads = await Promise.all(replicas.map(({ url }, r) => load(url, loadMs, shares[r] ?? [])))
  return loads.reduce((sum, { perSecond }) => sum + perSecond, 0)
}

async function overHttp(kind: TestDatabase): Promise<{ create: number; read: number; edit: number }> {
  await using place = await openPlace(kind)
  await using server = await startServer({ databasePath: place.path, databaseUrl: place.url })
  await perSecond([server], creates) // warm-up; these tasks are read and edited
  const create = await perSecond([server], creates)
  const read = await perSecond([server], reads)
  // A repeated edit would change nothing: every other round moves the expiry back.
  const edit = median([await perSecond([server], edits[0] ?? []), await perSecond([server], edits[1] ?? [])])
  return { create, read, edit }
}

/** Measures the cost of change numbers: ms for 2,000 creates, 32 at a time, with and without them. */
async function changeNumbers(kind: TestDatabase): Promise<{ without: number; with: number }> {
  await using place = await openPlace(kind)
  await using store = await open(place.url)
  const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
  let i = 0
  const run = async (isNoted: boolean) => {
    const startedAt = performance.now()
    const creator = async () => {
      for (let n = 0; n < 2_000 / connections; n++)
        await store.transact(async (tx, now) => {
          const task = await insertTask(tx, newTask({ title: 'x' }, builtInUserId, `uid-${i++}`, defaults, now))
          if (isNoted) recordChange(tx, { userId: builtInUserId, taskId: task.id, kind: 'created' })
        })
    }
    await Promise.all(Array.from({ length: connections }, creator))
    return performance.now() - startedAt
  }
  await run(true)
  const rounds: { without: number; with: number }[] = []
  for (let round = 0; round < 5; round++) rounds.push({ without: await run(false), with: await run(true) })
  return { without: median(rounds.map((round) => round.without)), with: median(rounds.map((round) => round.with)) }
}

/** Measures creates a second over all replicas, and seconds until the last of 10,000 webhooks that are due at one instant. */
async function withReplicas(kind: TestDatabase, howMany: number): Promise<{ create: number; storm: number }> {
  await using place = await openPlace(kind)
  await using receiver = await startReceiver()
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const channels = [{ name: 'hook', kind: 'webhook', options: { url: receiver.url, secret } }]
  await using stack = new AsyncDisposableStack()
  const replicas: ServerProcess[] = []
  for (let r = 0; r < howMany; r++)
    replicas.push(stack.use(await startServer({ databasePath: place.path, databaseUrl: place.url, channels })))
  await perSecond(replicas, creates)
  const create = await perSecond(replicas, creates)
  await using store = await open(place.url)
  const instant = Date.now() + 6_000
  await fill(store, 10_000, () => instant)
  if (Date.now() > instant - 1_100) throw new Error('setting up took longer than expected: the measurement is invalid')
  await systemClock.sleep(instant - 100 - Date.now())
  const { lastNewAt, repeats } = await receiver.received(10_000, 60_000)
  if (repeats > 0) throw new Error(`${repeats} repeats without a crash`)
  return { create, storm: (lastNewAt - instant) / 1_000 }
}

const figures: Figure[] = []
const kinds: TestDatabase[] = ['sqlite']
for (const kind of Object.keys(servers) as (keyof typeof servers)[])
  if (await isReachable(kind)) kinds.push(kind)
  else progress(`${kind}: no server answers, left out`)
const names: Record<TestDatabase, string> = { sqlite: 'SQLite', postgres: 'PostgreSQL', mysql: 'MariaDB' }

for (const kind of kinds) {
  progress(`${names[kind]}: bell`)
  const { p50, p99, storm } = await recorder(kind)
  const [maxP50, maxP99, maxStorm] = kind === 'sqlite' ? [1, 3, 0.15] : [3, 10, 3]
  progress(`${names[kind]}: HTTP`)
  const { create, read, edit } = await overHttp(kind)
  progress(`${names[kind]}: change numbers`)
  const numbers = await changeNumbers(kind)
  figures.push(
    {
      what: `${names[kind]}: lateness, ${count(others)} others pending`,
      measured: `p50 ${digits(p50)} ms, p99 ${digits(p99)} ms`,
      target: `p50 ≤ ${maxP50} ms, p99 ≤ ${maxP99} ms`,
      isMet: p50 <= maxP50 && p99 <= maxP99,
    },
    {
      what: `${names[kind]}: storm of 10,000 in the process`,
      measured: `last delivery after ${digits(storm)} s`,
      target: `≤ ${maxStorm} s`,
      isMet: storm <= maxStorm,
    },
    {
      what: `${names[kind]}: over HTTP, ${connections} connections`,
      measured: `creates ${digits(create)}/s, reads by id ${digits(read)}/s, edits ${digits(edit)}/s`,
    },
    {
      what: `${names[kind]}: change numbers`,
      measured: `2,000 creates in ${digits(numbers.with)} ms with, ${digits(numbers.without)} ms without: ${digits(numbers.with / numbers.without)} of it`,
    },
  )
}
for (const kind of kinds.filter((one) => one !== 'sqlite'))
  for (const howMany of [1, 2, 4]) {
    progress(`${names[kind]}: ${howMany} replicas`)
    const { create, storm } = await withReplicas(kind, howMany)
    figures.push({
      what: `${names[kind]}: ${howMany === 1 ? '1 replica' : `${howMany} replicas`}`,
      measured: `creates ${digits(create)}/s, 10,000 webhooks due at one instant in ${digits(storm)} s`,
    })
  }
report({
  title: 'Three databases, and replicas',
  note: 'Database, servers, receiver and load share two cores, so replicas compete with the database for them: what more than one adds here is little, and the processors are the limit.',
  figures,
})
