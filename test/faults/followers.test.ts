import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { EventWire } from '#api/schemas/event.ts'
import type { TaskWire } from '#api/schemas/task.ts'
import type { App } from '#app.ts'
import { createClient, type DuebellClient, ProblemError } from '#client/client.ts'
import { recordChange } from '#store/changes.ts'
import { builtInUserId } from '#store/users.ts'
import { migratedDatabase, testDatabase } from '#support/databases.ts'
import { startLiveApp } from '#support/live-app.ts'
import { startTestApp } from '#support/test-app.ts'

/** Readers that follow changes while many clients write to two replicas, and subscribers that do not read. */

/** Two replicas on one database; an embedded database has one. */
async function startReplicas(t: TestContext): Promise<[DuebellClient, DuebellClient]> {
  const url = await migratedDatabase(t)
  const { client } = await startLiveApp(t, url)
  return [client, testDatabase === 'sqlite' ? client : (await startLiveApp(t, url)).client]
}

test('while 16 clients write to two replicas, copies that follow the changes end up equal to the truth, and events come once and in order', async (t) => {
  const clients = await startReplicas(t)
  const [writers, rounds] = [16, 12]
  const answeredAt = new Map<string, number>()
  let isWriting = true
  let written = 0

  /** Creates, edits, and deletes every other task. Each edit has a unique title, which identifies its event. */
  async function write(writer: number) {
    for (let round = 0; round < rounds; round++) {
      const client = clients[(writer + round) % 2] as DuebellClient
      const { id } = await client.createTask({ title: `${writer}.${round}` })
      await client.updateTask(id, { title: `${writer}.${round} edited` })
      answeredAt.set(`${id} task.updated`, performance.now())
      written += 2
      if (round % 2 === 0) continue
      await client.deleteTask(id)
      answeredAt.set(`${id} task.deleted`, performance.now())
      written++
    }
  }

  /** Keeps a copy of the tasks, read from the start in small pages. */
  async function copy(client: DuebellClient, limit: number) {
    const tasks = new Map<number, TaskWire>()
    let asked = 0
    for (let since: string | undefined; ; ) {
      const wasWriting = isWriting
      const page = await client.listChanges({ ...(since && { since }), limit })
      asked++
      for (const task of page.tasks) {
        const known = tasks.get(task.id)
        assert.ok(!known || known.version <= task.version, 'never an older state after a newer')
        tasks.set(task.id, task)
      }
      for (const id of page.deleted) tasks.delete(id)
      since = page.cursor
      if (!wasWriting && !page.more) return { tasks, asked }
    }
  }

  /** Receives all events from the start. */
  async function follow(client: DuebellClient) {
    const stopping = new AbortController()
    t.after(() => stopping.abort())
    const latencies: number[] = []
    let received = 0
    for await (const event of client.followEvents({ after: '0' }, { signal: stopping.signal })) {
      assert.equal(event.cursor, String(++received), 'the next one, none missing, none twice')
      const { subject, type } = event as EventWire
      const at = answeredAt.get(`${subject.replace('tasks/', '')} ${type}`)
      if (at !== undefined) latencies.push(performance.now() - at)
      if (!isWriting && received === written) stopping.abort()
    }
    return latencies.sort((a, b) => a - b)
  }

  const [first, second] = clients
  const following = clients.map(follow)
  const early = [copy(first, 7), copy(second, 1_000)]
  const writing = Promise.all(Array.from({ length: writers }, (_, i) => write(i)))
  while (written < (writers * rounds) / 2) await turn()
  const late = [copy(first, 5), copy(second, 11)] // their first pages are read while others write
  await writing
  isWriting = false
  written++ // before its event has arrived
  const last = await first.createTask({ title: 'The last' }) // wakes the subscribers that have all earlier events
  const truth = new Map((await Array.fromAsync(first.iterateTasks())).map((task) => [task.id, task]))
  for (const { tasks, asked } of await Promise.all([...early, ...late])) {
    tasks.set(last.id, last) // it may have ended before
    assert.deepEqual(new Map([...tasks].sort(([a], [b]) => a - b)), truth)
    t.diagnostic(`${tasks.size} tasks copied in ${asked} pages`)
  }
  for (const latencies of await Promise.all(following)) {
    const [p50, p99, max] = [0.5, 0.99, 1].map((q) => latencies[Math.ceil(q * latencies.length) - 1]?.toFixed(0))
    t.diagnostic(`${written} events received; after their answer p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`)
    // One check a second, on a busy machine.
    assert.ok(Number(max) < 5_000, `${max} ms`)
  }
})

/** Events of 64 KB each, written only to the list of changes: one large task appears to change repeatedly. */
async function happen({ store }: App, client: DuebellClient, count: number): Promise<void> {
  const { tasks } = await client.listTasks({ limit: 1 })
  const id = tasks[0]?.id ?? (await client.createTask({ title: 'Large', description: 'x'.repeat(65_000) })).id
  await store.transact(async (tx) => {
    for (let i = 0; i < count; i++) recordChange(tx, { userId: builtInUserId, taskId: id, kind: 'updated' })
  })
}

/** A subscriber that reads only on request. */
async function openEar(t: TestContext, url: string, after: number) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  t.after(() => socket.destroy())
  socket.on('error', () => {}) // it may be cut off
  socket.write(`GET /v1/events?after=${after} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await once(socket, 'readable')
  const ids: number[] = []
  let rest = ''
  const read = (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() as string
    for (const line of lines) if (/^id: \d+$/.test(line)) ids.push(Number(line.slice(4)))
  }
  return {
    ids,
    /** Reads from now on, up to an id or the end. */
    async readTo(id: number) {
      socket.setEncoding('utf8').on('data', read)
      const closed = once(socket, 'close').then(() => 'closed')
      while (ids.at(-1) !== id) if ((await Promise.race([once(socket, 'data'), closed])) === 'closed') return 'closed'
      return 'there'
    },
  }
}

const upTo = (last: number) => Array.from({ length: last + 1 }, (_, i) => i)

test('a subscriber that does not read delays no other, and misses nothing when it reads again', async (t) => {
  const { app, client } = await startLiveApp(t, await migratedDatabase(t))
  await happen(app, client, 0)
  const slow = await openEar(t, app.url, 0)
  await happen(app, client, 400) // 26 MB: more than all the buffers on the way
  let received = 0
  const stopping = new AbortController()
  t.after(() => stopping.abort())
  for await (const event of client.followEvents({ after: '0' }, { signal: stopping.signal })) {
    assert.equal(event.cursor, String(++received))
    if (received === 401) break
  }
  assert.equal(await slow.readTo(401), 'there')
  assert.deepEqual(slow.ids, upTo(401))
})

test('a subscriber that has not read for a minute is cut off, and may return to its position', async (t) => {
  const { app, client, clock } = await startTestApp(t)
  await happen(app, client, 0)
  const failed = await openEar(t, app.url, 0)
  const stopping = new AbortController()
  t.after(() => stopping.abort())
  const alive = client.followEvents({ after: '0' }, { signal: stopping.signal })
  await happen(app, client, 400)
  for (let i = 1; i <= 401; i++) assert.equal((await alive.next()).value?.cursor, String(i))
  await clock.advance(60_000)
  assert.equal(await failed.readTo(401), 'closed', 'having read what was on its way')
  const last = failed.ids.at(-1) as number
  assert.deepEqual(failed.ids, upTo(last))
  const back = await openEar(t, app.url, last)
  assert.equal(await back.readTo(401), 'there')
})

test('a client that is refused permanently reports the reason; one whose server is down reconnects', async (t) => {
  const app = await startTestApp(t)
  const refused = app.client.followEvents({ after: 'nonsense' })
  await assert.rejects(
    () => refused.next(),
    (error) => error instanceof ProblemError && error.status === 400,
  )
  const { port } = new URL(app.url)
  const stopping = new AbortController()
  t.after(() => stopping.abort())
  const events = createClient(app.url).followEvents({ after: '0' }, { signal: stopping.signal })
  await app.client.createTask({ title: 'one' })
  assert.equal((await events.next()).value?.cursor, '1')
  const next = events.next()
  await app.restart({ flags: [`--port=${port}`] })
  await app.client.createTask({ title: 'two' })
  assert.equal((await next).value?.cursor, '2')
})
