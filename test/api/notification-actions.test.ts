import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NotificationQuery } from '#client/client.ts'
import type { Outcome } from '#core/delivery.ts'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { createRecorder, type Recorder } from '#support/recording-channel.ts'
import { startTestApp, type TestApp, type TestAppOptions } from '#support/test-app.ts'

/** What a person does about notifications: sees them, looks for those that went wrong, and asks for another try. */
const startAt = '2026-12-01T09:00:00Z'
const overdue = { title: 'x', expiry_dt: '2026-12-01T08:00:00Z' }
const [secondMs, hourMs] = [1_000, 3_600_000]
const refused: Outcome = { retry: false, reason: '410 Gone' }
const unavailable: Outcome = { retry: true, reason: '503 Service Unavailable' }

/** Creates a task that rings at once, and answers its notification. */
async function fire({ client, app }: TestApp, more: object = {}) {
  const task = await client.create({ ...overdue, ...more })
  await app.idle()
  const [notification] = (await client.taskNotifications(task.id)).notifications
  assert.ok(notification)
  return notification
}

test('a notification is acknowledged', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client, clock, url } = app
  const send = wireTo(url)
  const first = await fire(app)

  await t.test('once: to say so again changes nothing', async () => {
    assert.equal(first.acknowledged_dt, null)
    const seen = await client.acknowledge(first.id)
    assert.deepEqual(seen, { ...first, acknowledged_dt: '2026-12-01T09:00:00.000Z' })
    await clock.advance(secondMs)
    assert.deepEqual(await client.acknowledge(first.id), seen)
    assert.deepEqual(await client.notification(first.id), seen)
  })

  await t.test('with all others up to one', async () => {
    const [second, third, fourth] = [await fire(app), await fire(app), await fire(app)]
    await client.acknowledge(second.id)
    await clock.advance(secondMs)
    assert.deepEqual(await client.acknowledgeUpTo(third.id), { acknowledged: 1 })
    assert.deepEqual(await client.acknowledgeUpTo(third.id), { acknowledged: 0 })
    const open = (await client.notifications({ acknowledged: false })).notifications
    assert.deepEqual(
      open.map(({ id }) => id),
      [fourth.id],
    )
    assert.equal((await client.notifications({ acknowledged: true })).notifications.length, 3)
    assert.deepEqual(await client.acknowledgeUpTo(Number.MAX_SAFE_INTEGER), { acknowledged: 1 })
  })

  await t.test('also when its task is gone; one that does not exist is 404', async () => {
    const { id, task_id } = await fire(app)
    await client.delete(task_id)
    assert.ok((await client.acknowledge(id)).acknowledged_dt)
    assert.equal((await refusal(client.acknowledge(4_711))).status, 404)
    assertProblem(await send('POST', '/v1/notifications/acknowledge', { body: { up_to: 0 } }), 422, '/up_to')
    assertProblem(await send('POST', '/v1/notifications/acknowledge', { body: {} }), 422, '/up_to')
    assertProblem(await send('POST', `/v1/notifications/${id}/acknowledge`, { body: { a: 1 } }), 422)
    assertProblem(await send('POST', `/v1/notifications/${id}/acknowledge?x=1`), 400, 'x')
  })
})

/** Two channels of the recording kind, so that one may fail where the other does not. */
function withSecond(): { second: Recorder; options: TestAppOptions } {
  const second = createRecorder('second')
  const channels = [
    { name: 'recording', kind: 'recording' },
    { name: 'second', kind: 'second' },
  ]
  return { second, options: { startAt, kinds: [second.kind], channels } }
}

test('notifications are looked for by how their deliveries went', async (t) => {
  const { second, options } = withSecond()
  const app = await startTestApp(t, options)
  const { client, recorder, url } = app
  const send = wireTo(url)
  const well = await fire(app)
  recorder.answer = () => refused
  const failed = await fire(app)
  recorder.answer = () => undefined
  second.answer = () => unavailable
  const waiting = await fire(app)
  const cancelled = await fire(app)
  await client.complete(cancelled.task_id)
  second.answer = () => undefined
  await app.clock.advance(3 * secondMs) // the back-off of 5 s is not over
  const names = new Map([
    [well.id, 'well'],
    [failed.id, 'failed'],
    [waiting.id, 'waiting'],
    [cancelled.id, 'cancelled'],
  ])
  // Without that of the task which says that the channel fails.
  const named = (all: readonly { id: number }[]) => all.flatMap(({ id }) => names.get(id) ?? [])
  const found = async (query: NotificationQuery) => named((await client.notifications(query)).notifications)

  await t.test('a delivery that waits, or was given up', async () => {
    assert.deepEqual(await found({ status: 'pending' }), ['cancelled', 'waiting'])
    assert.deepEqual(await found({ status: 'failed' }), ['failed'])
    assert.deepEqual(await found({ problems: true }), ['cancelled', 'waiting', 'failed'])
    assert.deepEqual(await found({ status: 'sent' }), ['cancelled', 'waiting', 'failed', 'well'])
    await app.clock.advance(10 * secondMs)
    assert.deepEqual(await found({ status: 'pending' }), [])
    assert.deepEqual(await found({ status: 'cancelled' }), ['cancelled'])
    assert.deepEqual(await found({ problems: true }), ['failed'])
  })

  await t.test('on one channel: all must be true of the same delivery', async () => {
    const channelOf = (kind: string) => well.deliveries.find((one) => one.kind === kind)?.channel_id as number
    assert.deepEqual(await found({ channel_id: channelOf('recording'), status: 'failed' }), ['failed'])
    assert.deepEqual(await found({ channel_id: channelOf('second'), status: 'failed' }), [])
    assert.deepEqual(await found({ channel_id: channelOf('second'), status: 'sent' }), ['waiting', 'failed', 'well'])
    assert.deepEqual(await found({ channel_id: 999 }), [])
    assert.equal((await found({ channel_id: channelOf('second') })).length, 4)
  })

  await t.test('of one task, and what has been seen', async () => {
    await client.acknowledge(failed.id)
    assert.deepEqual(await found({ problems: true, acknowledged: false }), [])
    assert.deepEqual(await found({ problems: true, acknowledged: true }), ['failed'])
    const of = async (taskId: number) => (await client.taskNotifications(taskId, { status: 'failed' })).notifications
    assert.deepEqual([(await of(failed.task_id)).length, (await of(well.task_id)).length], [1, 0])
  })

  await t.test('a page at a time, by a cursor of the same filter', async () => {
    const page = await client.notifications({ status: 'sent', limit: 1, acknowledged: false })
    assert.ok(page.next_cursor)
    const cursor = page.next_cursor
    const rest = await client.notifications({ acknowledged: false, cursor, status: 'sent' })
    assert.deepEqual(named(rest.notifications), ['waiting', 'well'])
    for (const other of ['', '&status=failed&acknowledged=false', '&status=sent'])
      assertProblem(await send('GET', `/v1/notifications?cursor=${cursor}${other}`), 400, 'cursor')
    const ofTask = `/v1/tasks/${well.task_id}/notifications?status=sent&acknowledged=false&cursor=${cursor}`
    assertProblem(await send('GET', ofTask), 400, 'cursor')
  })

  await t.test('by what there is', async () => {
    for (const bad of ['status=unknown', 'channel_id=x', 'acknowledged=1', 'problems=no', 'state=failed'])
      assertProblem(await send('GET', `/v1/notifications?${bad}`), 400, bad.split('=')[0])
  })
})

test('the few that went wrong are found among very many that went well', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client, recorder } = app
  const { store } = app.app
  recorder.answer = () => unavailable
  const { id } = await fire(app)
  await client.acknowledge(id)
  const many = Array.from({ length: 12_000 }, (_, i) => [1, 1_000_000 + i, 'expiring', 1, 1, 1, 'on_time', 0, 1])
  const columns = ['user_id', 'task_id', 'kind', 'expiry_at', 'due_at', 'fired_at', 'timing', 'lateness_ms'] as const
  for (let i = 0; i < many.length; i += 1_000)
    await store.transact((tx) =>
      store.dialect.insertRows(tx, 'notifications', [...columns, 'acknowledged_at'], many.slice(i, i + 1_000), []),
    )
  const last = await fire(app)
  const found = async (query: NotificationQuery) =>
    (await client.notifications(query)).notifications.map((one) => one.id)
  assert.deepEqual(await found({ problems: true }), [last.id, id])
  assert.deepEqual(await found({ problems: true, limit: 1 }), [last.id])
  assert.deepEqual(await found({ status: 'sent' }), [last.id, id], 'on the console')
  assert.deepEqual(await found({ acknowledged: false }), [last.id])
  assert.deepEqual(await client.acknowledgeUpTo(last.id), { acknowledged: 1 })
})

test('what was given up is tried again when somebody asks', async (t) => {
  const { second, options } = withSecond()
  const app = await startTestApp(t, options)
  const { client, clock, recorder, url } = app
  const send = wireTo(url)
  const on = async (id: number, kind = 'recording') => {
    const delivery = (await client.notification(id)).deliveries.find((one) => one.kind === kind)
    assert.ok(delivery)
    return delivery
  }

  await t.test('at once, under the same delivery id', async () => {
    recorder.answer = () => refused
    const { id, task_id } = await fire(app)
    const { id: deliveryId } = await on(id)
    recorder.answer = () => undefined
    const answer = await client.retry(id)
    assert.equal(answer.id, id)
    await app.app.idle()
    const sent = await on(id)
    assert.deepEqual([sent.state, sent.attempts, sent.error, sent.id], ['sent', 2, null, deliveryId])
    const elsewhere = second.messages.filter(({ task }) => task.id === task_id)
    assert.equal(elsewhere.length, 1, 'what was sent elsewhere is not sent again')
  })

  await t.test('with a back-off that begins anew, while attempts go on counting', async () => {
    recorder.answer = () => unavailable
    const { id } = await fire(app)
    await clock.advance(30 * hourMs)
    const { state, attempts } = await on(id)
    assert.equal(state, 'failed')
    const retried = await client.retry(id)
    assert.equal(retried.deliveries.find((one) => one.kind === 'recording')?.error, '503 Service Unavailable')
    await app.app.idle()
    const waiting = await on(id)
    assert.deepEqual([waiting.state, waiting.attempts], ['pending', attempts + 1])
    const wait = Date.parse(waiting.next_attempt_dt as string) - clock.now()
    assert.ok(wait >= 4 * secondMs && wait <= 6 * secondMs, `${wait} ms`)
    await clock.advance(30 * hourMs)
    assert.equal((await on(id)).state, 'failed', 'and is given up again')
    assert.ok((await on(id)).attempts >= 2 * 10)
  })

  await t.test('one delivery of several, where it is named', async () => {
    recorder.answer = () => refused
    second.answer = () => refused
    const { id } = await fire(app)
    recorder.answer = () => undefined
    second.answer = () => undefined
    await client.retry(id, (await on(id, 'second')).id)
    await app.app.idle()
    assert.deepEqual([(await on(id)).state, (await on(id, 'second')).state], ['failed', 'sent'])
    assert.equal((await refusal(client.retry(id, (await on(id, 'second')).id))).status, 409)
    await client.retry(id)
    await app.app.idle()
    assert.equal((await on(id)).state, 'sent')
  })

  await t.test('but not what was not given up, or would only be dropped', async () => {
    const well = await fire(app)
    assert.match((await refusal(client.retry(well.id))).message, /Nothing here was given up/)
    recorder.answer = () => refused
    for (const [act, why] of [
      [(id: number) => client.delete(id), 'the task was deleted'],
      [(id: number) => client.complete(id), 'the task was completed'],
      [(id: number) => client.update(id, { expiry_dt: '2026-12-24' }), 'the expiry was moved'],
    ] as const) {
      const { id, task_id } = await fire(app, { expiry_dt: new Date(clock.now()).toISOString() })
      await act(task_id)
      const { status, message } = await refusal(client.retry(id))
      assert.deepEqual([status, message.includes(why)], [409, true], message)
      assert.equal((await on(id)).state, 'failed')
    }
  })

  await t.test('by a body that names a delivery of this one, or none', async () => {
    const [one, another] = [await fire(app), await fire(app)]
    const retry = (sending: object, id = one.id) => send('POST', `/v1/notifications/${id}/retry`, sending)
    const { id: foreign } = await on(another.id)
    assertProblem(await retry({ body: { delivery_id: foreign } }), 422, '/delivery_id')
    assertProblem(await retry({ body: { delivery: 'x' } }), 422, '/delivery')
    assertProblem(await retry({ body: [] }), 422)
    assertProblem(await retry({}, 4_711), 404)
    assert.equal((await retry({ body: {} })).status, 200)
    await app.app.idle()
    assert.equal((await retry({})).status, 200)
  })

  await t.test('nor on a channel that is no longer there', async () => {
    const { id } = await fire(app)
    await app.restart({ channels: [{ name: 'second', kind: 'second' }] })
    assert.match((await refusal(app.client.retry(id))).message, /no longer there/)
  })
})

test('everything that a channel has given up is retried in one call', async (t) => {
  const { second, options } = withSecond()
  const app = await startTestApp(t, options)
  const { client, clock, recorder, url } = app
  const send = wireTo(url)
  const [recording] = (await client.channels()).channels.filter(({ kind }) => kind === 'recording')
  const channelId = recording?.id ?? assert.fail('there is no such channel')
  const stateOf = async ({ id }: { id: number }, kind = 'recording') =>
    (await client.notification(id)).deliveries.find((one) => one.kind === kind)?.state
  recorder.answer = () => refused
  second.answer = () => refused
  const older = await fire(app)
  await clock.advance(hourMs)
  const sinceDt = new Date(clock.now()).toISOString()
  const [newer, completed] = [await fire(app), await fire(app)]
  await client.complete(completed.task_id)
  recorder.answer = () => undefined
  recorder.take()

  await t.test('by channel and time', async () => {
    const { retried } = await client.retryChannel(channelId, sinceDt)
    await app.app.idle()
    assert.ok(retried >= 2)
    assert.deepEqual([await stateOf(older), await stateOf(newer)], ['failed', 'sent'])
    assert.equal(await stateOf(newer, 'second'), 'failed', 'on no other channel')
  })

  await t.test('what is no longer true is dropped', async () => {
    assert.equal(await stateOf(completed), 'cancelled')
    assert.deepEqual(await client.retryChannel(channelId, sinceDt), { retried: 0 })
  })

  await t.test('of any time, and each once', async () => {
    const { retried } = await client.retryChannel(channelId)
    await app.app.idle()
    assert.ok(retried >= 1)
    assert.equal(await stateOf(older), 'sent')
    assert.deepEqual(await client.retryChannel(channelId), { retried: 0 })
  })

  await t.test('their time begins anew', async () => {
    recorder.answer = () => unavailable
    const { id } = await fire(app)
    await clock.advance(30 * hourMs)
    assert.equal(await stateOf({ id }), 'failed')
    await client.retryChannel(channelId)
    await clock.advance(20 * hourMs)
    assert.equal(await stateOf({ id }), 'pending')
    recorder.answer = () => undefined
    await clock.advance(10 * hourMs)
    assert.equal(await stateOf({ id }), 'sent')
  })

  await t.test('of a channel that there is and that is switched on, and by a time', async () => {
    const retry = (body: object) => send('POST', '/v1/notifications/retry', { body })
    assertProblem(await retry({ channel_id: 4_711 }), 422, '/channel_id')
    assertProblem(await retry({}), 422, '/channel_id')
    assertProblem(await retry({ channel_id: channelId, since_dt: 'yesterday' }), 422, '/since_dt')
    assertProblem(await retry({ channel_id: channelId, since: sinceDt }), 422, '/since')
    await client.updateChannel(channelId, { enabled: false })
    assertProblem(await retry({ channel_id: channelId }), 409)
  })
})

test('a thousand and more are retried in several transactions, each once', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client, clock, recorder } = app
  recorder.answer = () => refused
  const count = 2_100
  for (let i = 0; i < count; i += 100)
    await Promise.all(
      Array.from({ length: 100 }, () => client.create({ title: 'x', expiry_dt: '2026-12-01T10:00:00Z' })),
    )
  await clock.advanceTo('2026-12-01T09:45:00Z')
  recorder.answer = () => undefined
  const before = new Set(recorder.messages.map(({ deliveryId }) => deliveryId))
  recorder.messages.length = 0
  const { channels } = await client.channels()
  const { retried } = await client.retryChannel(channels.find(({ kind }) => kind === 'recording')?.id ?? 0)
  await clock.advance(0)
  assert.equal(retried, before.size)
  assert.ok(retried >= count)
  assert.deepEqual(new Set(recorder.messages.map(({ deliveryId }) => deliveryId)), before)
  assert.equal(recorder.messages.length, before.size)
})
