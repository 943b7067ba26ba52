import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { webhookKind } from '#channels/webhook.ts'
import { createClient, ProblemError } from '#client/client.ts'
import { systemClock } from '#clock.ts'
import { eventually } from '#kit/eventually.ts'
import { startHttpReceiver } from '#kit/http-receiver.ts'
import { compileCache, spawnNode, whenListening } from '#kit/server-process.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { freshDatabase, skipReason, temporaryFolder } from '#support/databases.ts'
import { sizes } from '#test/sizes.ts'

/**
 * Four replicas share a database, and are killed and frozen while 2,000 tasks fall due. The promise: each notification is claimed by one
 * replica and delivered at least once; repeated deliveries were in flight when their sender was stopped; and a replica that was frozen for
 * longer than its lease records no result of a lost claim. TORTURE_ROUNDS=20 for more than the one round of a usual run.
 */
const rounds = sizes.replicaRounds
const taskCount = 2_000
const leaseMs = 9_000
/** The receiver is this process, and may be slow to answer. After a time-out, a notification that it has received is sent again. */
const sendTimeoutMs = 4_000
/** Four replicas, a database and other tests share two cores: at load 19 a result took up to 0.6 s. */
const recordMs = 3_000
/** Tasks fall due during this time, some of them while others are still created. */
const windowMs = 10_000
/** The maximum number of attempts in flight of one replica. */
const { concurrency } = webhookKind
/** The maximum number of its attempts that are sent only when it wakes: the others were already sent. */
const maxWoken = 16
/** A replica frozen in the middle of a transaction keeps its rows locked until the database ends it: 5 s. */
const lockedMs = 5_000

/** Two cores serve four replicas, a database and the tests. */
const machineMs = 2_000

const names = ['A', 'B', 'C', 'D'] as const
type Name = (typeof names)[number]

interface Receipt {
  readonly id: string
  readonly taskId: number
  readonly from: Name
  readonly at: number
}

/** A replica was stopped, and the results of these deliveries were not recorded then. */
interface Stop {
  readonly name: Name
  readonly signal: 'SIGKILL' | 'SIGSTOP'
  readonly at: number
  continuedAt: number
  readonly pending: ReadonlySet<string>
}

/** A message in flight when its sender is stopped arrives within this time. */
const onItsWayMs = 1_000

/** Accepts every webhook after a while, and records the sender and time of each message. */
async function startReceiver(t: TestContext) {
  const receipts: Receipt[] = []
  const { url } = await startHttpReceiver(t, ({ path, headers, body }, response) => {
    const event = JSON.parse(body) as { data: { task: { id: number } } }
    const id = String(headers['webhook-id'])
    receipts.push({ id, taskId: event.data.task.id, from: path.slice(1) as Name, at: Date.now() })
    setTimeout(() => response.end('ok'), 50 + Math.random() * 100)
  })
  return { receipts, url }
}

interface Replica {
  readonly name: Name
  readonly child: ChildProcess
  readonly url: string
  isExpectedToEnd: boolean
}

const script = fileURLToPath(new URL('./replica.ts', import.meta.url))

async function startReplica(t: TestContext, name: Name, config: string, databaseUrl: string): Promise<Replica> {
  const flags = ['--port=0', `--config=${config}`, `--database-url=${databaseUrl}`, '--log-format=json']
  const times = [leaseMs, sendTimeoutMs, recordMs].map(String)
  const started = spawnNode(t, [...compileCache, script, ...times, ...flags])
  const { child, ended, output, ready } = whenListening(started)
  const replica = { name, child, url: '', isExpectedToEnd: false }
  ended.then(({ code, signal }) => {
    if (!replica.isExpectedToEnd) t.diagnostic(`replica ${name} ended by itself: ${code ?? signal} ${output.stderr}`)
  })
  replica.url = await ready
  return replica
}

async function endOf(replica: Replica, signal: NodeJS.Signals): Promise<number | null> {
  replica.isExpectedToEnd = true
  const exited = once(replica.child, 'exit')
  replica.child.kill(signal)
  return (await exited)[0]
}

for (const database of ['postgres', 'mysql'] as const) {
  const skip = await skipReason(database)
  for (let round = 1; round <= rounds; round++)
    test(
      `${database}: replicas are killed and frozen, and every notification comes, repeated only if it was in flight`,
      {
        skip,
        timeout: 180_000,
      },
      (t) => playRound(t, database),
    )
}

async function playRound(t: TestContext, database: 'postgres' | 'mysql') {
  const databaseUrl = await freshDatabase(t, database)
  const folder = temporaryFolder(t)
  const receiver = await startReceiver(t)
  const configOf = (name: Name) => {
    const path = `${folder}/${name}.json`
    // Each replica has its own path, so that the receiver knows the sender. For the database it is one channel.
    const options = { url: `${receiver.url}/${name}`, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }
    writeFileSync(path, JSON.stringify({ channels: [{ name: 'hook', kind: 'webhook', options }] }))
    return path
  }
  const start = (name: Name) => startReplica(t, name, configOf(name), databaseUrl)
  // All at once, on an empty database.
  const replicas = new Map(
    await Promise.all(names.map(async (name): Promise<[Name, Replica]> => [name, await start(name)])),
  )
  const log = { info() {}, warn() {}, error() {} }
  const store = await openStore(databaseUrl, { clock: systemClock, log, timeZone: 'UTC', onBroken() {} })
  t.after(() => store[Symbol.asyncDispose]())

  const stops: Stop[] = []
  async function stop(name: Name, signal: Stop['signal']) {
    const replica = replicas.get(name) as Replica
    const at = Date.now()
    if (signal === 'SIGKILL') await endOf(replica, signal)
    else replica.child.kill(signal)
    await systemClock.sleep(50) // the database has committed all its transactions
    const pending = new Set(await unsettledIds(store))
    const stop: Stop = { name, signal, at, continuedAt: Number.POSITIVE_INFINITY, pending }
    stops.push(stop)
    return stop
  }

  const startedAt = Date.now()
  const some = (from: number, to: number) =>
    systemClock.sleep(startedAt + from + Math.random() * (to - from) - Date.now())
  async function disturb() {
    const kill = async () => {
      await some(1_000, 3_000)
      await stop('A', 'SIGKILL')
      replicas.set('A', await start('A'))
      await some(8_000, 10_000)
      await stop('A', 'SIGKILL')
      replicas.set('A', await start('A'))
    }
    const freeze = async () => {
      await some(2_000, 5_000)
      const stopped = await stop('B', 'SIGSTOP')
      await systemClock.sleep(leaseMs + sendTimeoutMs + 1_000)
      stopped.continuedAt = Date.now()
      replicas.get('B')?.child.kill('SIGCONT')
    }
    const killForGood = async () => {
      await some(5_000, 8_000)
      await stop('C', 'SIGKILL')
      replicas.delete('C')
    }
    await Promise.all([kill(), freeze(), killForGood()])
  }

  const acknowledged = new Set<number>()
  async function createAll() {
    let next = 0
    let retries = 0
    const avoidedUntil = new Map<string, number>()
    const create = async () => {
      while (next < taskCount) {
        const number = next++
        const expiryAt = startedAt + 2_500 + Math.floor(Math.random() * windowMs)
        const uid = `task-${number}@example.org`
        const draft = { title: `Task ${number}`, uid, expiry_dt: new Date(expiryAt).toISOString(), reminders: ['PT0S'] }
        for (let attempt = number; ; attempt++, retries++) {
          // A client of a frozen or dead replica uses the next one and avoids the first for a while, as a proxy would.
          const all = [...replicas.values()]
          const healthy = all.filter(({ url }) => (avoidedUntil.get(url) ?? 0) < Date.now())
          const { url } = (healthy[attempt % healthy.length] ?? all[attempt % all.length]) as Replica
          const request = createClient(url, { tries: 1 }).createTask(draft)
          const answer = await Promise.race([request.catch((error: unknown) => error), systemClock.sleep(2_500)])
          const isAway = answer === undefined || (answer instanceof Error && !(answer instanceof ProblemError))
          if (isAway) avoidedUntil.set(url, Date.now() + 1_000)
          if (answer instanceof ProblemError && answer.status === 409) break // a lost response
          if (answer !== undefined && !(answer instanceof Error)) {
            acknowledged.add((answer as { id: number }).id)
            break
          }
          if (answer instanceof ProblemError && answer.status !== 503) throw answer
          await systemClock.sleep(50)
        }
      }
    }
    await Promise.all(Array.from({ length: 24 }, create))
    return retries
  }

  const [retries] = await Promise.all([createAll(), disturb()])
  const createdMs = Date.now() - startedAt
  const tasks = await store.db.selectFrom('tasks').select(['id', 'expiry_at', 'created_at']).execute()
  assert.equal(tasks.length, taskCount)
  const ids = new Set(tasks.map(({ id }) => id))
  assert.ok(
    [...acknowledged].every((id) => ids.has(id)),
    'what was acknowledged is there',
  )

  await eventually(
    'all is fired and settled',
    async () => {
      const { completed } = await store.db
        .selectFrom('deliveries')
        .select((eb) => eb.fn.count<number>('id').as('completed'))
        .where('next_at', 'is', null)
        .executeTakeFirstOrThrow()
      return Number(completed) === 2 * taskCount // the console is a channel too
    },
    windowMs + 2 * leaseMs + lockedMs + 10_000,
  )
  // No replica has anything left to send: a loser would send it now.
  await systemClock.sleep(1_000)
  for (const replica of replicas.values())
    assert.equal(await endOf(replica, 'SIGTERM'), 0, `replica ${replica.name} stops as it should`)

  const { receipts } = receiver
  const notifications = await store.db.selectFrom('notifications').select(['id', 'task_id']).execute()
  const channel = await store.db
    .selectFrom('channels')
    .select('id')
    .where('name', '=', 'hook')
    .executeTakeFirstOrThrow()
  const deliveries = await store.db.selectFrom('deliveries').selectAll().execute()
  const hooks = deliveries.filter(({ channel_id }) => channel_id === channel.id)
  const receiptsOf = Map.groupBy(receipts, ({ id }) => id)

  const repeated = [...receiptsOf.values()].filter((all) => all.length > 1)
  const extra = repeated.reduce((sum, all) => sum + all.length - 1, 0)
  const dueAt = new Map(tasks.map(({ id, expiry_at, created_at }) => [id, Math.max(expiry_at ?? 0, created_at)]))
  const lateness = [...receiptsOf.values()]
    .map(([first]) => (first as Receipt).at - (dueAt.get((first as Receipt).taskId) as number))
    .sort((a, b) => a - b)
  /** Sent by a stopped replica, and its result not recorded. */
  const inFlightAt = ({ name, at, pending }: Stop) => {
    const sent = receipts.filter((one) => one.from === name && one.at < at + onItsWayMs && pending.has(one.id))
    return new Set(sent.map(({ id }) => id))
  }
  const inFlight = stops.map(inFlightAt)
  const inFlightCount = inFlight.reduce((sum, { size }) => sum + size, 0)
  t.diagnostic(
    `${database}: ${receipts.length} received of ${hooks.length} deliveries, ${extra} repeated, ${inFlightCount} sent and unsettled at ` +
      `${stops.length} stops (${stops.map(({ name, signal }, i) => `${name} ${signal} ${inFlight[i]?.size}`).join(', ')}); ` +
      `creates repeated ${retries}; lateness p50 ${lateness[lateness.length >> 1]} ms, p99 ` +
      `${lateness[Math.floor(lateness.length * 0.99)]} ms, max ${lateness.at(-1)} ms; ` +
      `disturbed for ${(createdMs / 1_000).toFixed(1)} s`,
  )

  assert.equal(new Set(notifications.map(({ task_id }) => task_id)).size, taskCount, 'no notification is missing')
  assert.equal(notifications.length, taskCount, 'no task has two')
  assert.equal(new Set(receipts.map(({ taskId }) => taskId)).size, taskCount, 'every task was received')
  assert.equal(receiptsOf.size, taskCount, 'a task has one webhook-id, whoever sends it, and no other has it')
  assert.deepEqual(new Set(deliveries.map(({ state }) => state)), new Set(['sent']), 'the ledger says so')
  for (const { id, attempts } of hooks) {
    const received = receiptsOf.get(id)?.length ?? 0
    assert.ok(received >= 1 && received <= attempts, `delivery ${id}: ${attempts} attempts, received ${received} times`)
  }
  // A duplicate was in flight when its sender was stopped: sent without a recorded result, or begun, and sent when it woke.
  const woken = new Map<Stop, number>()
  for (const all of repeated) {
    const id = all[0]?.id as string
    const isExplained = stops.some((stop, i) => {
      if (inFlight[i]?.has(id)) return true
      const { name, continuedAt } = stop
      const hasWoken = all.some(({ from, at }) => from === name && at >= continuedAt && at < continuedAt + onItsWayMs)
      if (hasWoken) woken.set(stop, (woken.get(stop) ?? 0) + 1)
      return hasWoken
    })
    assert.ok(
      isExplained,
      // `trying_since_at` shows that an attempt has failed, so that it was repeated by the back-off and not after its lease.
      `repeated though nobody was stopped with it: ${JSON.stringify([all, hooks.find((hook) => hook.id === id)])}, stops ${JSON.stringify(stops)}`,
    )
  }
  for (const [i, { size }] of inFlight.entries()) assert.ok(size <= concurrency, `${size} in flight at stop ${i}`)
  for (const count of woken.values()) assert.ok(count <= maxWoken, `${count} sent by one who woke`)
  const wokenCount = [...woken.values()].reduce((sum, count) => sum + count, 0)
  assert.ok(extra <= inFlightCount + wokenCount, `${extra} repeated, ${inFlightCount} + ${wokenCount} in flight`)
  const latest = lateness.at(-1) as number
  assert.ok(latest < lockedMs + leaseMs + 2_000 + machineMs, `the latest came after ${latest} ms`)
}

async function unsettledIds(store: Store): Promise<string[]> {
  const rows = await store.db.selectFrom('deliveries').select('id').where('next_at', 'is not', null).execute()
  return rows.map(({ id }) => id)
}
