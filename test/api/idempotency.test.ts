import assert from 'node:assert/strict'
import { test } from 'node:test'
import mysql2 from 'mysql2/promise'
import pg from 'pg'
import type { Context } from '#actions/context.ts'
import { performIdempotently } from '#actions/idempotent.ts'
import { createTask } from '#actions/tasks.ts'
import { type Answer, assertProblem, type Wire, wireTo } from '#kit/http-requests.ts'
import { openStore } from '#store/engine/open.ts'
import { deleteExpiredIdempotencyKeys, keyLifetimeMs } from '#store/idempotency-keys.ts'
import { migratedDatabase, testDatabase } from '#support/databases.ts'
import { failingDatabase } from '#support/failing-database.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { startLiveApp } from '#support/live-app.ts'
import { startTestApp } from '#support/test-app.ts'
import { addUsers } from '#support/users.ts'

/** Idempotency-Key: a client that does not know whether a POST succeeded repeats it, and it is processed once. */

const poster =
  (send: Wire) =>
  (key: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> =>
    send('POST', path, { headers: { 'idempotency-key': `"${key}"`, ...headers }, ...(body && { body }) })

/** The parts of a response that its replay has as well. */
const essence = ({ status, headers, text }: Answer) => ({
  status,
  text,
  etag: headers.get('etag'),
  location: headers.get('location'),
  type: headers.get('content-type'),
  applied: headers.get('preference-applied'),
})
const isReplayed = ({ headers }: Answer) => headers.get('idempotency-replayed')

test('a POST with a key', async (t) => {
  const app = await startTestApp(t)
  const { client, clock } = app
  const post = (...args: Parameters<ReturnType<typeof poster>>) => poster(wireTo(app.url))(...args)
  const count = async () => (await client.listTasks()).tasks.length
  const expiry_dt = '2026-12-24T18:00:00Z'

  await t.test('is processed once; a repeated one gets the same response, marked as replayed', async () => {
    const draft = { title: 'Once', expiry_dt }
    const first = await post('create', '/v1/tasks', draft)
    assert.deepEqual([first.status, isReplayed(first)], [200, null])
    await clock.advance(60_000)
    await client.updateTask(first.body.id, { title: 'Changed since' })
    const again = await post('create', '/v1/tasks', draft)
    assert.deepEqual(essence(again), essence(first))
    assert.equal(isReplayed(again), 'true')
    assert.notEqual(again.headers.get('x-request-id'), first.headers.get('x-request-id'))
    assert.equal(await count(), 1)
    assert.equal((await client.getTask(first.body.id)).title, 'Changed since')
  })

  await t.test('is the same with its members in another order, a key without quotes, and other headers', async () => {
    const body = `{ "expiry_dt" : "${expiry_dt}", "title": "\\u004fnce" }`
    const headers = { 'idempotency-key': 'create', accept: 'application/json', 'content-type': 'application/json' }
    assert.equal(isReplayed(await wireTo(app.url)('POST', '/v1/tasks', { body, headers })), 'true')
  })

  await t.test('is replayed after a restart too', async () => {
    await app.restart()
    assert.equal(isReplayed(await post('create', '/v1/tasks', { title: 'Once', expiry_dt })), 'true')
    assert.equal(await app.client.listTasks().then(({ tasks }) => tasks.length), 1)
  })

  await t.test('an action is not repeated, although the task has changed since', async () => {
    const { id } = await app.client.createTask({ title: 'x', expiry_dt })
    for (const [verb, body] of [['complete'], ['reopen'], ['snooze', { for: 'PT1H' }]] as const) {
      const first = await post(verb, `/v1/tasks/${id}/${verb}`, body)
      const changed = await app.client.updateTask(id, { title: `after ${verb}` })
      await clock.advance(1_000)
      const again = await post(verb, `/v1/tasks/${id}/${verb}`, body)
      assert.deepEqual([essence(again), isReplayed(again)], [essence(first), 'true'], verb)
      assert.deepEqual(await app.client.getTask(id), changed, verb)
    }
  })

  await t.test('with If-Match is replayed, although its own effect would refuse it without a key', async () => {
    const { id } = await app.client.createTask({ title: 'x', expiry_dt })
    const complete = () => post('conditional', `/v1/tasks/${id}/complete`, undefined, { 'if-match': '"1"' })
    assert.deepEqual(essence(await complete()), essence(await complete()))
    const plain = await wireTo(app.url)('POST', `/v1/tasks/${id}/complete`, { headers: { 'if-match': '"1"' } })
    assertProblem(plain, 412)
  })

  await t.test('with return=minimal is replayed in that form', async () => {
    const ask = () => post('minimal', '/v1/tasks', { title: 'x' }, { prefer: 'return=minimal' })
    const [first, again] = [await ask(), await ask()]
    assert.deepEqual(Object.keys(again.body), ['id', 'version'])
    assert.deepEqual([essence(again), isReplayed(again)], [essence(first), 'true'])
  })

  await t.test('is refused if the key was used for another request: 422, and nothing is changed', async () => {
    const { id } = await app.client.createTask({ title: 'x', expiry_dt })
    const first = await post('taken', '/v1/tasks', { title: 'Taken' })
    const before = (await app.client.listTasks()).tasks
    const others: Parameters<typeof post>[] = [
      ['taken', '/v1/tasks', { title: 'Taken ' }],
      ['taken', '/v1/tasks', { title: 'Taken', tags: [] }],
      ['taken', `/v1/tasks/${id}/snooze`, { for: 'PT1H' }],
      ['taken', `/v1/tasks/${id}/complete`],
      ['taken', `/v1/tasks/${id}/reopen`],
      ['taken', '/v1/tasks', { title: 'Taken' }, { prefer: 'return=minimal' }],
      ['taken', '/v1/tasks', { title: 'Taken' }, { 'if-match': '"1"' }],
    ]
    for (const other of others) assertProblem(await post(...other), 422, 'Idempotency-Key')
    assert.deepEqual((await app.client.listTasks()).tasks, before)
    assert.deepEqual(essence(await post('taken', '/v1/tasks', { title: 'Taken' })), essence(first))
  })

  await t.test('a refused request is not recorded: the key can be used again, for any request', async () => {
    assertProblem(await post('refused', '/v1/tasks', { title: '' }), 422, '/title')
    assertProblem(await post('refused', '/v1/tasks/4711/complete'), 404)
    await app.client.createTask({ title: 'x', uid: 'taken' })
    assertProblem(await post('refused', '/v1/tasks', { title: 'x', uid: 'taken' }), 409)
    const first = await post('refused', '/v1/tasks', { title: 'x', uid: 'free' })
    assert.deepEqual([first.status, isReplayed(first)], [200, null])
    assert.equal(isReplayed(await post('refused', '/v1/tasks', { title: 'x', uid: 'free' })), 'true')
  })

  await t.test('an invalid key is 400', async () => {
    const before = (await app.client.listTasks()).tasks.length
    for (const key of ['""', '"a', 'a b', 'a, b', 'x'.repeat(256)])
      assertProblem(await post(key, '/v1/tasks', { title: 'x' }, { 'idempotency-key': key }), 400, 'Idempotency-Key')
    assert.equal((await app.client.listTasks()).tasks.length, before)
  })

  await t.test('fires once', async () => {
    const draft = { title: 'Rings', expiry_dt: new Date(clock.now() + 60_000).toISOString() }
    const { body } = await post('rings', '/v1/tasks', draft)
    await post('rings', '/v1/tasks', draft)
    await clock.advance(0)
    assert.equal((await app.client.listTaskNotifications(body.id)).notifications.length, 1)
    assert.equal(app.recorder.messages.filter(({ task }) => task.id === body.id).length, 1)
  })

  await t.test('the record expires after 24 hours, and no sooner', async () => {
    const first = await post('a day', '/v1/tasks', { title: 'x' })
    await clock.advance(keyLifetimeMs - 1)
    assert.equal(isReplayed(await post('a day', '/v1/tasks', { title: 'x' })), 'true')
    await clock.advance(1)
    const next = await post('a day', '/v1/tasks', { title: 'y' })
    assert.deepEqual([next.status, isReplayed(next)], [200, null])
    assert.notEqual(next.body.id, first.body.id)
    assert.deepEqual(essence(await post('a day', '/v1/tasks', { title: 'y' })), essence(next), 'and is kept anew')
  })

  await t.test('without a key each request is processed', async () => {
    const before = (await app.client.listTasks()).tasks.length
    for (const _ of [1, 2]) await app.client.createTask({ title: 'x' })
    assert.equal((await app.client.listTasks()).tasks.length, before + 2)
  })
})

test('twenty concurrent requests with one key create one task, on two replicas if there can be two', async (t) => {
  const url = await migratedDatabase(t)
  const { app: first, client } = await startLiveApp(t, url)
  const second = testDatabase === 'sqlite' ? first : (await startLiveApp(t, url)).app
  for (let round = 0; round < 10; round++) {
    // With a uid and a key of its own as well: the repeated request must not find its own values already in use.
    const draft = { title: `Round ${round}`, ...(round % 2 === 1 && { uid: `uid ${round}`, key: `key ${round}` }) }
    const answers = await Promise.all([
      ...Array.from({ length: 20 }, (_, i) =>
        poster(wireTo((i % 2 ? first : second).url))(`round ${round}`, '/v1/tasks', draft),
      ),
      // In the same transactions as other writes, which must not be affected.
      ...Array.from({ length: 5 }, (_, i) =>
        wireTo(first.url)('POST', '/v1/tasks', { body: { title: `Other ${round} ${i}` } }),
      ),
    ])
    const [one, ...more] = answers.slice(0, 20).map(essence)
    for (const other of more) assert.deepEqual(other, one)
    assert.equal(answers.filter((answer) => isReplayed(answer) === 'true').length, 19)
    for (const { status } of answers.slice(20)) assert.equal(status, 200)
  }
  assert.equal((await client.listTasks()).tasks.length, 10 * 6)
})

test('the same key of another user is another key, and records expire by age only', async (t) => {
  const clock = fakeClock()
  const store = await openStore(await migratedDatabase(t), { clock, onBroken() {} })
  t.after(() => store[Symbol.asyncDispose]())
  await addUsers(store)
  const ctx: Context = { db: store.db, transact: store.transact, wake() {} }
  const post = (userId: number, key: string, fingerprint = 'f') =>
    performIdempotently(ctx, { userId }, { key, fingerprint }, async (ctx) => {
      const { id } = await createTask(ctx, { userId }, { title: key })
      return { status: 200, headers: {}, body: String(id) }
    })
  const mine = await post(1, 'key')
  const others = await post(2, 'key', 'another request')
  assert.ok(!others.isReplayed && others.record.body !== mine.record.body)
  assert.deepEqual(await post(1, 'key'), { ...mine, isReplayed: true })
  assert.deepEqual(await post(2, 'key', 'another request'), { ...others, isReplayed: true })
  for (const other of ['Key', 'key ', 'kéy']) assert.equal((await post(1, other)).isReplayed, false, other)

  const forget = (before: number, limit: number) =>
    store.transact((tx) => deleteExpiredIdempotencyKeys(tx, before, limit))
  assert.equal(await forget(clock.now(), 100), 0, 'none is older than that')
  for (let i = 0; i < 10; i++) {
    await clock.advance(1)
    await post(1, `old ${i}`)
  }
  await clock.advance(1)
  await post(1, 'young')
  assert.equal(await forget(clock.now(), 8), 8, 'the five from before and three')
  assert.equal((await post(1, 'old 2')).isReplayed, false)
  assert.equal((await post(1, 'old 3')).isReplayed, true)
  assert.equal(await forget(clock.now(), 100), 7)
  assert.equal((await post(1, 'young')).isReplayed, true)
})

test('a request without a key does not pay for them: no statement reads idempotency keys', async (t) => {
  const database = failingDatabase()
  const { url } = await startTestApp(t, { wrapDatabase: (dialect) => database.wrap(dialect) })
  const started = database.statements.length
  const send = wireTo(url) // the client would send a key
  const { body } = await send('POST', '/v1/tasks', { body: { title: 'x', expiry_dt: '2026-12-24' } })
  assert.equal((await send('POST', `/v1/tasks/${body.id}/complete`)).status, 200)
  const statementsOfKeys = () =>
    database.statements.slice(started).filter((text) => /\bidempotency_keys\b/.test(text)).length
  assert.equal(statementsOfKeys(), 0)
  await poster(send)('key', '/v1/tasks', { title: 'x' })
  assert.equal(statementsOfKeys(), 3, 'and who sends one pays for three')
})

/** Ends at most once: by the test, or after it if the test failed before. */
function endOnce(end: () => Promise<void>): () => Promise<void> {
  let ended: Promise<void> | undefined
  return () => (ended ??= end())
}

/** A transaction that has reserved a key and does not end. @returns a function that ends it */
async function holdKey(url: string, key: string): Promise<() => Promise<void>> {
  const insert = (name: string) =>
    `insert into idempotency_keys (user_id, ${name}, fingerprint, status, headers, body, created_at) values (1, '${key}', '', 0, '', '', 0)`
  if (testDatabase === 'postgres') {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query('begin')
    await client.query(insert('key'))
    return endOnce(() => client.end())
  }
  const connection = await mysql2.createConnection({ uri: url })
  await connection.query('start transaction')
  await connection.query(insert('`key`'))
  return endOnce(() => connection.end())
}

if (testDatabase !== 'sqlite')
  test('a request waits while another with the same key is in flight elsewhere, and gets 409 if that takes long', async (t) => {
    const url = await migratedDatabase(t)
    const { app, client } = await startLiveApp(t, url)
    const post = poster(wireTo(app.url))
    const release = await holdKey(url, 'held')
    t.after(release)
    const refused = await post('held', '/v1/tasks', { title: 'x' })
    assertProblem(refused, 409, 'in progress')
    assert.equal(refused.headers.get('retry-after'), '1')
    const waiting = post('held', '/v1/tasks', { title: 'x' })
    await client.listTasks() // the request has been sent by now
    await release()
    const done = await waiting
    assert.deepEqual([done.status, isReplayed(done)], [200, null])
    assert.equal((await client.listTasks()).tasks.length, 1)
  })

test('an operation that works in chunks is replayed as well, and a key belongs to one request', async (t) => {
  const { client, url, app } = await startTestApp(t)
  const post = poster(wireTo(url))
  for (const title of ['one', 'two']) await client.createTask({ title })
  const { batch } = await client.deleteTasks()
  const first = await post('back', '/v1/trash/restore', { batch })
  assert.deepEqual([first.status, isReplayed(first), first.body.count], [200, null, 2])
  const again = await post('back', '/v1/trash/restore', { batch })
  assert.deepEqual([essence(again), isReplayed(again)], [essence(first), 'true'])
  assert.equal((await post('back', '/v1/notifications/acknowledge', { up_to: 1 })).status, 422)

  await client.createTask({ title: 'due', expiry_dt: '2026-12-01T09:10:00Z' })
  await app.idle()
  const { notifications } = await client.listNotifications()
  const upTo = { up_to: notifications[0]?.id ?? assert.fail('nothing rang') }
  const seen = await post('seen', '/v1/notifications/acknowledge', upTo)
  assert.deepEqual([seen.body, isReplayed(seen)], [{ acknowledged: 1 }, null])
  const seenAgain = await post('seen', '/v1/notifications/acknowledge', upTo)
  assert.deepEqual([seenAgain.body, isReplayed(seenAgain)], [{ acknowledged: 1 }, 'true'])

  const { channels } = await client.listChannels()
  const ofChannel = { channel_id: channels[0]?.id ?? assert.fail('there is no channel') }
  const retried = await post('retry', '/v1/notifications/retry', ofChannel)
  assert.deepEqual([retried.body, isReplayed(retried)], [{ retried: 0 }, null])
  const retriedAgain = await post('retry', '/v1/notifications/retry', ofChannel)
  assert.deepEqual([retriedAgain.body, isReplayed(retriedAgain)], [{ retried: 0 }, 'true'])
})
