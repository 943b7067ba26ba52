import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'
import { fire, hourMs, refused, secondMs, startAt, unavailable, withSecond } from './notification-actions.ts'

/** Retries of failed deliveries: those of one notification, and all of a channel. */

test('failed deliveries are attempted again on request', async (t) => {
  const { second, options } = withSecond()
  const app = await startTestApp(t, options)
  const { client, clock, recorder, url } = app
  const send = wireTo(url)
  const on = async (id: number, kind = 'recording') => {
    const delivery = (await client.getNotification(id)).deliveries.find((one) => one.kind === kind)
    assert.ok(delivery)
    return delivery
  }

  await t.test('at once, under the same delivery id', async () => {
    recorder.answer = () => refused
    const { id, task_id } = await fire(app)
    const { id: deliveryId } = await on(id)
    recorder.answer = () => undefined
    const answer = await client.retryNotification(id)
    assert.equal(answer.id, id)
    await app.app.idle()
    const sent = await on(id)
    assert.deepEqual([sent.state, sent.attempts, sent.error, sent.id], ['sent', 2, null, deliveryId])
    const elsewhere = second.messages.filter(({ task }) => task.id === task_id)
    assert.equal(elsewhere.length, 1, 'what was sent elsewhere is not sent again')
  })

  await t.test('with a back-off that restarts, while the attempt number keeps rising', async () => {
    recorder.answer = () => unavailable
    const { id } = await fire(app)
    await clock.advance(30 * hourMs)
    const { state, attempts } = await on(id)
    assert.equal(state, 'failed')
    const retried = await client.retryNotification(id)
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

  await t.test('only one of several deliveries, if it is named', async () => {
    recorder.answer = () => refused
    second.answer = () => refused
    const { id } = await fire(app)
    recorder.answer = () => undefined
    second.answer = () => undefined
    await client.retryNotification(id, { delivery_id: (await on(id, 'second')).id })
    await app.app.idle()
    assert.deepEqual([(await on(id)).state, (await on(id, 'second')).state], ['failed', 'sent'])
    assert.equal(
      (await refusal(client.retryNotification(id, { delivery_id: (await on(id, 'second')).id }))).status,
      409,
    )
    await client.retryNotification(id)
    await app.app.idle()
    assert.equal((await on(id)).state, 'sent')
  })

  await t.test('but not those that did not fail, or would only be cancelled', async () => {
    const well = await fire(app)
    assert.match(
      (await refusal(client.retryNotification(well.id))).message,
      /No delivery of this notification has failed/,
    )
    recorder.answer = () => refused
    for (const [act, why] of [
      [(id: number) => client.deleteTask(id), 'the task was deleted'],
      [(id: number) => client.completeTask(id), 'the task was completed'],
      [(id: number) => client.updateTask(id, { expiry_dt: '2026-12-24' }), 'the expiry was moved'],
    ] as const) {
      const { id, task_id } = await fire(app, { expiry_dt: new Date(clock.now()).toISOString() })
      await act(task_id)
      const { status, message } = await refusal(client.retryNotification(id))
      assert.deepEqual([status, message.includes(why)], [409, true], message)
      assert.equal((await on(id)).state, 'failed')
    }
  })

  await t.test('by a body that names a delivery of this notification, or none', async () => {
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

  await t.test('not on a deleted channel', async () => {
    const { id } = await fire(app)
    await app.restart({ channels: [{ name: 'second', kind: 'second' }] })
    assert.match((await refusal(app.client.retryNotification(id))).message, /no longer there/)
  })
})

test('all failed deliveries of a channel are retried in one request', async (t) => {
  const { second, options } = withSecond()
  const app = await startTestApp(t, options)
  const { client, clock, recorder, url } = app
  const send = wireTo(url)
  const [recording] = (await client.listChannels()).channels.filter(({ kind }) => kind === 'recording')
  const channelId = recording?.id ?? assert.fail('there is no such channel')
  const stateOf = async ({ id }: { id: number }, kind = 'recording') =>
    (await client.getNotification(id)).deliveries.find((one) => one.kind === kind)?.state
  recorder.answer = () => refused
  second.answer = () => refused
  const older = await fire(app)
  await clock.advance(hourMs)
  const sinceDt = new Date(clock.now()).toISOString()
  const [newer, completed] = [await fire(app), await fire(app)]
  await client.completeTask(completed.task_id)
  recorder.answer = () => undefined
  recorder.take()

  await t.test('by channel and time', async () => {
    const { retried } = await client.retryNotifications({ channel_id: channelId, since_dt: sinceDt })
    await app.app.idle()
    assert.ok(retried >= 2)
    assert.deepEqual([await stateOf(older), await stateOf(newer)], ['failed', 'sent'])
    assert.equal(await stateOf(newer, 'second'), 'failed', 'on no other channel')
  })

  await t.test('obsolete ones are cancelled', async () => {
    assert.equal(await stateOf(completed), 'cancelled')
    assert.deepEqual(await client.retryNotifications({ channel_id: channelId, since_dt: sinceDt }), { retried: 0 })
  })

  await t.test('those of any time, each once', async () => {
    const { retried } = await client.retryNotifications({ channel_id: channelId })
    await app.app.idle()
    assert.ok(retried >= 1)
    assert.equal(await stateOf(older), 'sent')
    assert.deepEqual(await client.retryNotifications({ channel_id: channelId }), { retried: 0 })
  })

  await t.test('their 24 hours restart', async () => {
    recorder.answer = () => unavailable
    const { id } = await fire(app)
    await clock.advance(30 * hourMs)
    assert.equal(await stateOf({ id }), 'failed')
    await client.retryNotifications({ channel_id: channelId })
    await clock.advance(20 * hourMs)
    assert.equal(await stateOf({ id }), 'pending')
    recorder.answer = () => undefined
    await clock.advance(10 * hourMs)
    assert.equal(await stateOf({ id }), 'sent')
  })

  await t.test('for an existing channel that is switched on, and by a valid time', async () => {
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
      Array.from({ length: 100 }, () => client.createTask({ title: 'x', expiry_dt: '2026-12-01T10:00:00Z' })),
    )
  await clock.advanceTo('2026-12-01T09:45:00Z')
  recorder.answer = () => undefined
  const before = new Set(recorder.messages.map(({ deliveryId }) => deliveryId))
  recorder.messages.length = 0
  const { channels } = await client.listChannels()
  const { retried } = await client.retryNotifications({
    channel_id: channels.find(({ kind }) => kind === 'recording')?.id ?? 0,
  })
  await clock.advance(0)
  assert.equal(retried, before.size)
  assert.ok(retried >= count)
  assert.deepEqual(new Set(recorder.messages.map(({ deliveryId }) => deliveryId)), before)
  assert.equal(recorder.messages.length, before.size)
})
