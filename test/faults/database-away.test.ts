import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type DuebellClient, ProblemError } from '#client/client.ts'
import { systemClock } from '#clock.ts'
import { eventually } from '#kit/eventually.ts'
import { type ProxyMode, startTcpProxy } from '#kit/tcp-proxy.ts'
import { openStore } from '#store/engine/open.ts'
import { freshDatabase, skipReason } from '#support/databases.ts'
import { startLiveApp } from '#support/live-app.ts'
import { createRecorder } from '#support/recording-channel.ts'

/**
 * The database becomes unavailable and returns while the server runs. The promise: requests fail within 5 s with 503, the process stays up,
 * and everything works again within 5 s of the database's return.
 */
const promisedMs = 5_000
/** One or two requests more than the server promises: the machine is busy with other tests. */
const machineMs = 300
const awayMs = 4_000

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()

interface Answer {
  readonly ms: number
  /** Null for success. */
  readonly status: number | null
}

async function ask(request: () => Promise<unknown>): Promise<Answer> {
  const startedAt = performance.now()
  const status = await request().then(
    () => null,
    (error) => {
      if (error instanceof ProblemError) return error.status
      throw error
    },
  )
  return { ms: performance.now() - startedAt, status }
}

function everyRequest(client: DuebellClient, id: number): (() => Promise<unknown>)[] {
  return [
    () => client.createTask({ title: 'Created while it may be away' }),
    () => client.getTask(id),
    () => client.listTasks({ limit: 10 }),
    () => client.updateTask(id, { title: 'Edited while it may be away' }),
    () => client.listTaskNotifications(id),
  ]
}

const fetchStatus = async (url: string) => (await fetch(url)).status

for (const database of ['postgres', 'mysql'] as const) {
  const skip = await skipReason(database)
  describe(database, { concurrency: true, skip }, () => {
    for (const mode of ['refuse', 'reset', 'blackHole'] as const)
      test(`${database}, ${mode}: requests fail within 5 s with 503, and all resumes within 5 s of its return`, (t) =>
        goAndComeBack(t, database, mode))

    test(`${database}: a create whose response was lost, repeated with its uid, makes one task`, async (t) => {
      const proxy = await startTcpProxy(t, await freshDatabase(t, database))
      const { app, client, recorder } = await startLiveApp(t, proxy.url)
      await app.idle()
      // Due while COMMITs are not acknowledged: deliveries that were claimed without an acknowledgement must not wait for the lease.
      const due = await client.createTask({ title: 'Due meanwhile', expiry_dt: inMs(700), reminders: ['PT0S'] })
      await proxy.set('half')
      const draft = { title: 'Once', uid: 'once@example.org', expiry_dt: inMs(60_000), reminders: ['PT1H'] }
      const first = await ask(() => client.createTask(draft))
      assert.deepEqual([first.status, first.ms < promisedMs + machineMs], [503, true], `${first.ms} ms`)
      assert.ok(proxy.lostAnswers > 0)
      await systemClock.sleep(1_500)
      assert.equal(recorder.messages.length, 0, 'nothing is sent that is not known to be written')
      await proxy.set('pass')
      let status: number | null = 503
      await eventually(
        'the repeated create is answered',
        async () => {
          status = (await ask(() => client.createTask(draft))).status
          return status !== 503
        },
        promisedMs,
      )
      assert.equal(status, 409)
      const { tasks } = await client.listTasks()
      assert.deepEqual(tasks.map(({ title }) => title).sort(), ['Due meanwhile', 'Once'])
      const resumedMs = await eventually('both ring', () => recorder.messages.length >= 2, promisedMs)
      t.diagnostic(`503 after ${Math.round(first.ms)} ms; both rang within ${Math.round(resumedMs)} ms`)
      await app.idle()
      assert.deepEqual(
        recorder.messages.map(({ task }) => task.id).sort((a, b) => a - b),
        tasks.map((task) => task.id),
        'each once',
      )
      assert.equal((await client.listTaskNotifications(due.id)).notifications.length, 1)
    })

    test(`${database}: a create whose response was lost, repeated with its Idempotency-Key, makes one task and returns it`, async (t) => {
      const proxy = await startTcpProxy(t, await freshDatabase(t, database))
      const { app, client } = await startLiveApp(t, proxy.url)
      await app.idle()
      const post = (key: string, draft: object) =>
        fetch(`${app.url}/v1/tasks`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': `"${key}"` },
          body: JSON.stringify(draft),
        })
      // One task without a unique value, and one whose own uid and key would already be in use.
      const drafts = [{ title: 'Plain' }, { title: 'Named', uid: 'once@example.org', key: 'once' }]
      await proxy.set('half')
      for (const draft of drafts) assert.equal((await post(draft.title, draft)).status, 503)
      assert.ok(proxy.lostAnswers >= drafts.length)
      await proxy.set('pass')
      for (const draft of drafts) {
        let response = await post(draft.title, draft)
        await eventually(
          'it is answered',
          async () => {
            if (response.status === 503) response = await post(draft.title, draft)
            return response.status !== 503
          },
          promisedMs,
        )
        assert.deepEqual([response.status, response.headers.get('idempotency-replayed')], [200, 'true'])
        const task = (await response.json()) as { id: number; title: string }
        assert.deepEqual([task.title, await client.getTask(task.id)], [draft.title, task])
      }
      assert.equal((await client.listTasks()).tasks.length, drafts.length)
    })

    for (const mode of ['refuse', 'blackHole'] as const)
      test(`${database}, ${mode}: a server started before its database waits, says so, and continues when it is available`, async (t) => {
        const url = await freshDatabase(t, database)
        // Its tables exist: creating them is another matter, and takes MariaDB seconds.
        await (await openStore(url, { clock: systemClock, onBroken() {} }))[Symbol.asyncDispose]()
        const proxy = await startTcpProxy(t, url, mode)
        const lines: string[] = []
        const starting = startLiveApp(t, proxy.url, { lines })
        await eventually('it says that it waits', () => lines.length > 0, promisedMs)
        assert.match(
          lines.join(''),
          /WARN: (postgres|mysql):\/\/\S+ does not answer: .+; waiting up to 60 s for it to start\n$/,
        )
        await systemClock.sleep(1_500)
        assert.equal(lines.length, 1, 'once')
        await proxy.set('pass')
        // The rest is the start itself: seconds on MariaDB if the machine is busy.
        await eventually(
          'it sees that the database answers',
          () => /The database answers\.\n/.test(lines.join('')),
          promisedMs,
        )
        const { app } = await starting
        assert.equal(await fetchStatus(`${app.url}/readyz`), 200)
      })

    test(`${database}: a server stops in time while its database is silent`, async (t) => {
      const proxy = await startTcpProxy(t, await freshDatabase(t, database))
      const { app, client } = await startLiveApp(t, proxy.url)
      await Promise.all(Array.from({ length: 20 }, () => client.listTasks())) // several connections
      await proxy.set('blackHole')
      const startedAt = performance.now()
      await app.stop()
      const ms = performance.now() - startedAt
      t.diagnostic(`stopped after ${Math.round(ms)} ms`)
      assert.ok(ms < 9_000, `${ms} ms`)
    })
  })
}

async function goAndComeBack(t: TestContext, database: 'postgres' | 'mysql', mode: ProxyMode) {
  const proxy = await startTcpProxy(t, await freshDatabase(t, database))
  const recorder = createRecorder()
  recorder.answer = ({ task, attempt }) =>
    task.title === 'Pending' && attempt === 1 ? { retry: true, afterMs: 1_500, reason: 'not just now' } : undefined
  const { app, client } = await startLiveApp(t, proxy.url, { recorder })
  const { id } = await client.createTask({ title: 'There before' })
  const pending = await client.createTask({ title: 'Pending', expiry_dt: inMs(60_000), reminders: ['PT1H'] })
  const due = await client.createTask({ title: 'Due while it is away', expiry_dt: inMs(2_000), reminders: ['PT0S'] })
  await eventually('the first attempt', () => recorder.messages.length === 1, promisedMs)
  // All of the pool's connections are there, idle, when the network goes.
  await Promise.all(Array.from({ length: 20 }, () => client.listTasks()))
  await app.idle()

  await proxy.set(mode)
  const awayUntil = performance.now() + awayMs
  let slowestMs = 0
  let asked = 0
  while (performance.now() < awayUntil) {
    const requests = [0, 1, 2, 3].flatMap(() => everyRequest(client, id))
    const [answers, readyz, livez] = await Promise.all([
      Promise.all(requests.map(ask)),
      ask(async () => assert.equal(await fetchStatus(`${app.url}/readyz`), 503)),
      ask(async () => assert.equal(await fetchStatus(`${app.url}/livez`), 200)),
    ])
    for (const { ms, status } of [...answers, readyz]) {
      slowestMs = Math.max(slowestMs, ms)
      assert.ok(status === 503 || status === null, `${status}`)
    }
    asked += answers.length
    assert.ok(
      answers.every(({ status }) => status === 503),
      'nothing is answered that was not asked of the database',
    )
    assert.ok(livez.ms < 1_000, `/livez took ${livez.ms} ms`)
    await systemClock.sleep(50)
  }
  assert.ok(slowestMs < promisedMs + machineMs, `the slowest took ${slowestMs} ms`)
  assert.equal(recorder.messages.length, 1, 'nothing rings unseen')

  await proxy.set('pass')
  const returnedAt = performance.now()
  const sinceReturn = () => performance.now() - returnedAt
  await eventually(
    'every request works',
    async () => {
      const answers = await Promise.all(everyRequest(client, id).map(ask))
      return answers.every(({ status }) => status === null)
    },
    promisedMs,
  )
  const requestsMs = sinceReturn()
  await eventually('what was pending and what fell due ring', () => recorder.messages.length >= 3, promisedMs)
  const firingMs = sinceReturn()
  await eventually('it is ready', async () => (await fetchStatus(`${app.url}/readyz`)) === 200, promisedMs)
  const readyMs = sinceReturn()
  t.diagnostic(
    `${asked} requests, the slowest 503 after ${Math.round(slowestMs)} ms; after its return requests ` +
      `${Math.round(requestsMs)} ms, firing ${Math.round(firingMs)} ms, ready ${Math.round(readyMs)} ms`,
  )
  assert.ok(requestsMs < promisedMs, `requests: ${requestsMs} ms`)
  assert.ok(firingMs < promisedMs, `firing: ${firingMs} ms`)
  assert.ok(readyMs < promisedMs, `ready: ${readyMs} ms`)
  // Nothing was written during the outage, and everything fired once.
  await app.idle()
  const titles = recorder.messages.map(({ task }) => task.title).sort()
  assert.deepEqual(titles, ['Due while it is away', 'Pending', 'Pending'])
  const [first, second] = recorder.messages.filter(({ task }) => task.id === pending.id)
  assert.equal(first?.deliveryId, second?.deliveryId)
  const [notification] = (await client.listTaskNotifications(due.id)).notifications
  assert.deepEqual(
    notification?.deliveries.map(({ state }) => state),
    ['sent', 'sent'],
  )
}
