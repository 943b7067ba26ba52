import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QueryOf } from '#client/client.ts'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'
import { fire, refused, secondMs, startAt, unavailable, withSecond } from './notification-actions.ts'

test('a notification is acknowledged', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client, clock, url } = app
  const send = wireTo(url)
  const first = await fire(app)

  await t.test('once: a repeated request changes nothing', async () => {
    assert.equal(first.acknowledged_dt, null)
    const seen = await client.acknowledgeNotification(first.id)
    assert.deepEqual(seen, { ...first, acknowledged_dt: '2026-12-01T09:00:00.000Z' })
    await clock.advance(secondMs)
    assert.deepEqual(await client.acknowledgeNotification(first.id), seen)
    assert.deepEqual(await client.getNotification(first.id), seen)
  })

  await t.test('with all others up to one', async () => {
    const [second, third, fourth] = [await fire(app), await fire(app), await fire(app)]
    await client.acknowledgeNotification(second.id)
    await clock.advance(secondMs)
    assert.deepEqual(await client.acknowledgeNotifications({ up_to: third.id }), { acknowledged: 1 })
    assert.deepEqual(await client.acknowledgeNotifications({ up_to: third.id }), { acknowledged: 0 })
    const open = (await client.listNotifications({ acknowledged: false })).notifications
    assert.deepEqual(
      open.map(({ id }) => id),
      [fourth.id],
    )
    assert.equal((await client.listNotifications({ acknowledged: true })).notifications.length, 3)
    assert.deepEqual(await client.acknowledgeNotifications({ up_to: Number.MAX_SAFE_INTEGER }), { acknowledged: 1 })
  })

  await t.test('also after its task was deleted; an unknown one is 404', async () => {
    const { id, task_id } = await fire(app)
    await client.deleteTask(task_id)
    assert.ok((await client.acknowledgeNotification(id)).acknowledged_dt)
    assert.equal((await refusal(client.acknowledgeNotification(4_711))).status, 404)
    assertProblem(await send('POST', '/v1/notifications/acknowledge', { body: { up_to: 0 } }), 422, '/up_to')
    assertProblem(await send('POST', '/v1/notifications/acknowledge', { body: {} }), 422, '/up_to')
    assertProblem(await send('POST', `/v1/notifications/${id}/acknowledge`, { body: { a: 1 } }), 422)
    assertProblem(await send('POST', `/v1/notifications/${id}/acknowledge?x=1`), 400, 'x')
  })
})

test('notifications are found by the state of their deliveries', async (t) => {
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
  await client.completeTask(cancelled.task_id)
  second.answer = () => undefined
  await app.clock.advance(3 * secondMs) // the back-off of 5 s is not over
  const names = new Map([
    [well.id, 'well'],
    [failed.id, 'failed'],
    [waiting.id, 'waiting'],
    [cancelled.id, 'cancelled'],
  ])
  // Without the notification of the task that reports the failing channel.
  const named = (all: readonly { id: number }[]) => all.flatMap(({ id }) => names.get(id) ?? [])
  const found = async (query: QueryOf<'listNotifications'>) =>
    named((await client.listNotifications(query)).notifications)

  await t.test('a delivery that waits for a retry, or failed', async () => {
    assert.deepEqual(await found({ status: 'pending' }), ['cancelled', 'waiting'])
    assert.deepEqual(await found({ status: 'failed' }), ['failed'])
    assert.deepEqual(await found({ problems: true }), ['cancelled', 'waiting', 'failed'])
    assert.deepEqual(await found({ status: 'sent' }), ['cancelled', 'waiting', 'failed', 'well'])
    await app.clock.advance(10 * secondMs)
    assert.deepEqual(await found({ status: 'pending' }), [])
    assert.deepEqual(await found({ status: 'cancelled' }), ['cancelled'])
    assert.deepEqual(await found({ problems: true }), ['failed'])
  })

  await t.test('on one channel: the same delivery must match every filter', async () => {
    const channelOf = (kind: string) => well.deliveries.find((one) => one.kind === kind)?.channel_id as number
    assert.deepEqual(await found({ channel_id: channelOf('recording'), status: 'failed' }), ['failed'])
    assert.deepEqual(await found({ channel_id: channelOf('second'), status: 'failed' }), [])
    assert.deepEqual(await found({ channel_id: channelOf('second'), status: 'sent' }), ['waiting', 'failed', 'well'])
    assert.deepEqual(await found({ channel_id: 999 }), [])
    assert.equal((await found({ channel_id: channelOf('second') })).length, 4)
  })

  await t.test('those of one task, and acknowledged ones', async () => {
    await client.acknowledgeNotification(failed.id)
    assert.deepEqual(await found({ problems: true, acknowledged: false }), [])
    assert.deepEqual(await found({ problems: true, acknowledged: true }), ['failed'])
    const of = async (taskId: number) =>
      (await client.listTaskNotifications(taskId, { status: 'failed' })).notifications
    assert.deepEqual([(await of(failed.task_id)).length, (await of(well.task_id)).length], [1, 0])
  })

  await t.test('a page at a time, by a cursor of the same filter', async () => {
    const page = await client.listNotifications({ status: 'sent', limit: 1, acknowledged: false })
    assert.ok(page.next_cursor)
    const cursor = page.next_cursor
    const rest = await client.listNotifications({ acknowledged: false, cursor, status: 'sent' })
    assert.deepEqual(named(rest.notifications), ['waiting', 'well'])
    for (const other of ['', '&status=failed&acknowledged=false', '&status=sent'])
      assertProblem(await send('GET', `/v1/notifications?cursor=${cursor}${other}`), 400, 'cursor')
    const ofTask = `/v1/tasks/${well.task_id}/notifications?status=sent&acknowledged=false&cursor=${cursor}`
    assertProblem(await send('GET', ofTask), 400, 'cursor')
  })

  await t.test('by invalid values', async () => {
    for (const bad of ['status=unknown', 'channel_id=x', 'acknowledged=1', 'problems=no', 'state=failed'])
      assertProblem(await send('GET', `/v1/notifications?${bad}`), 400, bad.split('=')[0])
  })
})

test('a few failed ones are found among very many sent ones', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client, recorder } = app
  const { store } = app.app
  recorder.answer = () => unavailable
  const { id } = await fire(app)
  await client.acknowledgeNotification(id)
  const many = Array.from({ length: 12_000 }, (_, i) => [1, 1_000_000 + i, 'expiring', 1, 1, 1, 'on_time', 0, 1])
  const columns = ['user_id', 'task_id', 'kind', 'expiry_at', 'due_at', 'fired_at', 'timing', 'lateness_ms'] as const
  for (let i = 0; i < many.length; i += 1_000)
    await store.transact((tx) =>
      store.dialect.insertRows(tx, 'notifications', [...columns, 'acknowledged_at'], many.slice(i, i + 1_000), []),
    )
  const last = await fire(app)
  const found = async (query: QueryOf<'listNotifications'>) =>
    (await client.listNotifications(query)).notifications.map((one) => one.id)
  assert.deepEqual(await found({ problems: true }), [last.id, id])
  assert.deepEqual(await found({ problems: true, limit: 1 }), [last.id])
  assert.deepEqual(await found({ status: 'sent' }), [last.id, id], 'on the console')
  assert.deepEqual(await found({ acknowledged: false }), [last.id])
  assert.deepEqual(await client.acknowledgeNotifications({ up_to: last.id }), { acknowledged: 1 })
})
