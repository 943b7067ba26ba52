import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventPageWire, EventWire } from '#api/schemas/event.ts'
import type { TaskWire } from '#api/schemas/task.ts'
import { createClient, type QueryOf } from '#client/client.ts'
import { openStream } from '#kit/event-stream.ts'
import { assertProblem, wireTo } from '#kit/http-requests.ts'
import { recordChange } from '#store/changes.ts'
import { builtInUserId } from '#store/users.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

/** The guarantees for a client that follows events. */
const startAt = '2026-12-01T09:00:00Z'

/** Follows the stream from the start of the list. @returns a function that takes the next events, waiting for them */
function follow(t: { after(end: () => unknown): void }, { url }: TestApp, query: QueryOf<'followEvents'> = {}) {
  const stopping = new AbortController()
  const events = createClient(url).followEvents({ after: '0', ...query }, { signal: stopping.signal })
  t.after(() => stopping.abort())
  return async (count: number) => {
    const taken: Awaited<ReturnType<typeof events.next>>['value'][] = []
    while (taken.length < count) taken.push((await events.next()).value)
    return taken as EventWire[]
  }
}

const poll = async (url: string, query = '', headers: Record<string, string> = {}) =>
  wireTo(url)('GET', `/v1/events${query}`, { headers: { accept: 'application/json', ...headers } })
const types = (events: EventWire[]) => events.map(({ type }) => type)

test('events of a task come in order, each with the task and a sentence', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client, clock } = app
  const next = follow(t, app)
  const task = await client.createTask({ title: 'Renew\npassport', expiry_dt: '2026-12-01T10:00:00Z' })
  const [created] = await next(1)
  assert.deepEqual(created, {
    specversion: '1.0',
    id: 'change-1',
    source: 'duebell',
    type: 'task.created',
    subject: `tasks/${task.id}`,
    time: '2026-12-01T09:00:00.000Z',
    datacontenttype: 'application/json',
    cursor: '1',
    data: { task, notification: null, message: `Your task (id:${task.id},title:"Renew\\u000apassport") was created.` },
  })
  await client.updateTask(task.id, { title: 'Renew passport' })
  await client.completeTask(task.id)
  await client.reopenTask(task.id)
  await client.snoozeTask(task.id, { for: 'PT10M' })
  assert.deepEqual(types(await next(4)), ['task.updated', 'task.completed', 'task.reopened', 'task.snoozed'])

  await clock.advanceTo('2026-12-01T09:45:00Z')
  const [snooze, fired] = await next(2)
  const [notification] = (await client.listNotifications()).notifications
  assert.deepEqual([snooze?.type, fired?.type], ['task.expiring', 'task.expiring'])
  assert.deepEqual([fired?.id, fired?.time], [`notification-${notification?.id}`, '2026-12-01T09:45:00.000Z'])
  const { deliveries: _, acknowledged_dt: __, ...rest } = notification as typeof notification & object
  assert.deepEqual(fired?.data, {
    task: await client.getTask(task.id),
    notification: rest,
    message: `Your task (id:${task.id},title:"Renew passport") will be expired at 2026-12-01T10:00:00+00:00!`,
  })

  await client.updateTask(task.id, { reminders: ['PT0S'] })
  await clock.advanceTo('2026-12-01T10:00:00Z')
  await client.deleteTask(task.id)
  const [updated, expired, deleted] = await next(3)
  assert.deepEqual(types([updated, expired, deleted] as EventWire[]), ['task.updated', 'task.expired', 'task.deleted'])
  assert.deepEqual(deleted?.data, { task: null, notification: null, message: `Your task (id:${task.id}) was deleted.` })
})

/** Records a change of many tasks at once. */
const recordMany = ({ app }: TestApp, kind: 'cleared' | 'imported' | 'restored') =>
  app.store.transact(async (tx) =>
    recordChange(tx, { userId: builtInUserId, taskId: null, kind, batch: 'b', count: 128 }),
  )

test('a change of many tasks at once is one event', async (t) => {
  const app = await startTestApp(t)
  const next = follow(t, app)
  for (const kind of ['imported', 'cleared', 'restored'] as const) await recordMany(app, kind)
  const events = await next(3)
  assert.deepEqual(types(events), ['tasks.imported', 'tasks.cleared', 'task.restored'])
  assert.equal(events[1]?.subject, 'tasks')
  assert.deepEqual(events[1]?.data, {
    task: null,
    notification: null,
    count: 128,
    batch: 'b',
    message: '128 tasks were deleted.',
  })
})

test('a failed delivery is an event, with the notification, the delivery and the reason', async (t) => {
  const app = await startTestApp(t, { startAt })
  app.recorder.answer = () => ({ retry: false, reason: '401 Unauthorized' })
  const next = follow(t, app, { types: ['delivery.failed'] })
  const task = await app.client.createTask({ title: 'Due', expiry_dt: '2026-12-01T09:10:00Z' })
  await app.app.idle()
  const [failed] = await next(1)
  // The failing channel is reported by a task of its own, which is delivered to the others.
  const notification = (await app.client.listNotifications()).notifications.find(({ task_id }) => task_id === task.id)
  const { deliveries = [], acknowledged_dt: _, ...rest } = notification ?? {}
  assert.equal(failed?.type, 'delivery.failed')
  assert.deepEqual(failed?.data, {
    task,
    notification: rest,
    delivery: deliveries.find(({ kind }) => kind === 'recording'),
    message: `Your task (id:${task.id},title:"Due") could not be announced over recording: 401 Unauthorized.`,
  })
})

test('a stream can be limited to types and a task; changes of many tasks may concern it', async (t) => {
  const app = await startTestApp(t)
  const { client } = app
  const [a, b] = (await Promise.all(['a', 'b'].map((title) => client.createTask({ title })))) as [TaskWire, TaskWire]
  const ofOne = follow(t, app, { task_id: b.id })
  const ofTypes = follow(t, app, { types: ['task.completed', 'task.deleted'] })
  await client.completeTask(a.id)
  await client.updateTask(b.id, { title: 'B' })
  await client.deleteTask(a.id)
  await recordMany(app, 'cleared')
  assert.deepEqual(types(await ofOne(3)), ['task.created', 'task.updated', 'tasks.cleared'])
  assert.deepEqual(types(await ofTypes(2)), ['task.completed', 'task.deleted'])
})

test('a stream begins now, or after a given event, for which Last-Event-ID takes precedence over the query', async (t) => {
  const { client, url } = await startTestApp(t)
  for (const title of ['one', 'two', 'three']) await client.createTask({ title })
  const now = await openStream(t, `${url}/v1/events`)
  assert.equal(now.response.headers.get('content-type'), 'text/event-stream')
  assert.equal(now.response.headers.get('cache-control'), 'no-store')
  assert.ok(now.response.headers.get('x-request-id'))
  assert.equal(await now.until('\n\n'), 'retry: 2000\nid: 3\n\n')
  const after = await openStream(t, `${url}/v1/events?after=2`)
  assert.match(await after.until('}\n\n'), /^retry: 2000\nid: 2\n\nid: 3\nevent: task\.created\ndata: \{[^\n]+\}\n\n$/)
  const back = await openStream(t, `${url}/v1/events?after=0`, { 'last-event-id': '2' })
  assert.match(await back.until('}\n\n'), /^retry: 2000\nid: 2\n\nid: 3\n/)
  const { cursor } = await client.listChanges()
  const fromChanges = await openStream(t, `${url}/v1/events?after=${cursor}`)
  await client.createTask({ title: 'four' })
  assert.match(await now.until('}\n\n'), /^id: 4\n/)
  assert.match(await fromChanges.until('}\n\n'), /^retry: 2000\nid: 3\n\nid: 4\n/)
})

test('an idle stream sends a heartbeat with its position every 15 s', async (t) => {
  const { client, clock, url } = await startTestApp(t)
  const stream = await openStream(t, `${url}/v1/events?types=task.deleted`)
  assert.equal(await stream.until('\n\n'), 'retry: 2000\nid: 0\n\n')
  await clock.advance(14_999)
  await client.createTask({ title: 'Not of this type' })
  // The stream has passed it once another subscriber, who is served after this one, has it.
  await poll(url, '?after=0')
  await clock.advance(1)
  assert.equal(await stream.until('\n\n'), ':\nid: 1\n\n')
  await clock.advance(15_000)
  assert.equal(await stream.until('\n\n'), ':\n\n')
})

test('a subscriber whose cursor is older than the list gets an event that says so, and continues from now', async (t) => {
  const { client, app, url } = await startTestApp(t)
  for (const title of ['one', 'two', 'three']) await client.createTask({ title })
  await app.store.transact(async (tx) => {
    await tx.deleteFrom('changes').where('number', '<=', 2).execute()
    await tx.updateTable('counters').set({ forgotten: 2 }).where('user_id', '=', 1).execute()
  })
  const reset = /^event: reset\nid: 3\ndata: \{"message":"[^"\n]+"\}\n\n$/
  for (const after of ['0', '1', '4']) {
    const stream = await openStream(t, `${url}/v1/events?after=${after}`)
    assert.equal(await stream.until('\n\n'), `retry: 2000\nid: ${after}\n\n`)
    assert.match(await stream.until('\n\n'), reset, 'also from a future that this database does not know')
  }
  const seen = await openStream(t, `${url}/v1/events?after=2`)
  assert.match(
    await seen.until('}\n\n'),
    /^retry: 2000\nid: 2\n\nid: 3\n/,
    'who has seen all that was forgotten goes on',
  )
  assertProblem(await poll(url, '?after=1'), 410)

  const stopping = new AbortController()
  t.after(() => stopping.abort())
  const events = client.followEvents({ after: '0' }, { signal: stopping.signal })
  assert.deepEqual((await events.next()).value, { type: 'reset', cursor: '3' })
  await client.createTask({ title: 'four' })
  assert.equal((await events.next()).value?.type, 'task.created')
})

test('a long poll responds at once if there are events, or waits as long as requested', async (t) => {
  const { client, clock, url } = await startTestApp(t)
  const empty = await poll(url, '?wait=0')
  assert.match(empty.headers.get('content-type') ?? '', /^application\/json/)
  assert.deepEqual(empty.body.events, [])
  await client.createTask({ title: 'one' })
  await client.createTask({ title: 'two' })
  const there = (await poll(url, `?after=${empty.body.cursor}&wait=0`)).body as EventPageWire
  assert.deepEqual(types(there.events), ['task.created', 'task.created'])
  assert.deepEqual((await poll(url, `?after=${there.events[0]?.cursor}`)).body.events, there.events.slice(1))
  assert.deepEqual((await poll(url, `?after=0&types=task.deleted&wait=0`)).body, { ...there, events: [] })

  const waiting = poll(url, `?after=${there.cursor}`)
  const { id } = await client.createTask({ title: 'three' })
  const [three] = (await waiting).body.events
  assert.equal(three.subject, `tasks/${id}`)

  let isOver = false
  const askedAt = clock.now()
  const inVain = poll(url, `?after=${three.cursor}&wait=20`).finally(() => {
    isOver = true
  })
  // The arrival of the request at the server is unknown: the poll waits at least as long as requested.
  while (!isOver) {
    await clock.advance(1_000)
    await poll(url, '?wait=0')
  }
  assert.ok(clock.now() - askedAt >= 20_000, `it waited for ${clock.now() - askedAt} ms`)
  assert.deepEqual((await inVain).body.events, [])
})

test('an invalid parameter is refused with 400 that names it', async (t) => {
  const { url } = await startTestApp(t)
  for (const [query, about] of [
    ['?after=x', 'after'],
    ['?after=-1', 'after'],
    ['?types=task.create', 'did you mean task.created'],
    ['?types=', 'types'],
    ['?task_id=0', 'task_id'],
    ['?wait=61', 'wait'],
    ['?since=1', 'since'],
  ] as const)
    assertProblem(await poll(url, query), 400, about)
  assertProblem(await poll(url, '?after=1'), 400, 'after')
  assertProblem(await wireTo(url)('GET', '/v1/events', { headers: { 'last-event-id': 'x' } }), 400, 'Last-Event-ID')
  assert.equal((await wireTo(url)('HEAD', '/v1/events')).headers.get('content-type'), 'text/event-stream')
  assert.equal((await wireTo(url)('HEAD', '/v1/events?after=x')).status, 400, 'as it would be to GET')
  assertProblem(await wireTo(url)('POST', '/v1/events', { body: {} }), 405)
})

test('a stop ends streams at once, and a subscriber that returns after a restart has missed nothing', async (t) => {
  const app = await startTestApp(t)
  await app.client.createTask({ title: 'one' })
  const stream = await openStream(t, `${app.url}/v1/events`)
  await stream.until('\n\n')
  await app.stop() // with a frozen clock
  await stream.ends()
  await app.restart()
  await app.client.createTask({ title: 'two' })
  const back = await openStream(t, `${app.url}/v1/events`, { 'last-event-id': '1' })
  assert.match(await back.until('}\n\n'), /^retry: 2000\nid: 1\n\nid: 2\n/)
})
