import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NotificationWire } from '#api/schemas/notification.ts'
import type { TaskWire } from '#api/schemas/task.ts'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

/** Reading notifications through the API. There are two channels: the console, and one that records. */
const startAt = '2026-12-01T09:00:00Z'

const ids = (page: { notifications: NotificationWire[] }) => page.notifications.map(({ id }) => id)

test('a notification', async (t) => {
  const { client, clock, app } = await startTestApp(t, { startAt })

  await t.test('has its reminder, when it was due, when it fired, and one delivery for each channel', async () => {
    const task = await client.createTask({ title: 'Renew passport', expiry_dt: '2026-12-01T10:00:00Z' })
    assert.deepEqual(await client.listNotifications(), { notifications: [], next_cursor: null })
    await clock.advanceTo('2026-12-01T09:45:00Z')

    const { notifications, next_cursor } = await client.listNotifications()
    assert.equal(next_cursor, null)
    const [notification] = notifications
    assert.ok(notification && notifications.length === 1)
    const { deliveries, ...others } = notification
    assert.deepEqual(others, {
      id: notification.id,
      task_id: task.id,
      kind: 'expiring',
      reminder: 'PT15M',
      expiry_dt: '2026-12-01T10:00:00.000Z',
      due_dt: '2026-12-01T09:45:00.000Z',
      fired_dt: '2026-12-01T09:45:00.000Z',
      timing: 'on_time',
      lateness_ms: 0,
      acknowledged_dt: null,
    })
    assert.deepEqual(deliveries.map(({ kind }) => kind).sort(), ['console', 'recording'])
    assert.equal(new Set(deliveries.map(({ id }) => id)).size, 2, 'each has an id of its own')
    for (const { id, channel_id, kind, latency_ms, ...rest } of deliveries) {
      assert.ok(id && kind && Number.isInteger(channel_id) && Number.isInteger(latency_ms))
      assert.deepEqual(rest, { state: 'sent', attempts: 1, error: null, next_attempt_dt: null })
    }
  })

  await t.test('can be read by its id, in the list of all, and in that of its task: it is the same', async () => {
    const [listed] = (await client.listNotifications()).notifications
    assert.ok(listed)
    assert.deepEqual(await client.getNotification(listed.id), listed)
    assert.deepEqual((await client.listTaskNotifications(listed.task_id)).notifications, [listed])
  })

  await t.test('of a task that was already due when it was saved is immediate', async () => {
    const soon = await client.createTask({ title: 'Soon', expiry_dt: new Date(clock.now() + 600_000).toISOString() })
    const past = await client.createTask({ title: 'Past', expiry_dt: '2026-12-01T08:00:00Z' })
    await app.idle()
    const [ofSoon] = (await client.listTaskNotifications(soon.id)).notifications
    const [ofPast] = (await client.listTaskNotifications(past.id)).notifications
    assert.deepEqual([ofSoon?.kind, ofSoon?.timing, ofSoon?.lateness_ms], ['expiring', 'immediate', 0])
    assert.deepEqual([ofPast?.kind, ofPast?.timing, ofPast?.lateness_ms], ['expired', 'immediate', 0])
    assert.deepEqual([ofPast?.due_dt, ofPast?.reminder], ['2026-12-01T07:45:00.000Z', 'PT15M'])
  })

  await t.test('names which of several reminders fired; a time is a time', async () => {
    const expiry_dt = '2026-12-03T10:00:00Z'
    const reminders = ['P1D', '2026-12-02T12:00:00Z', 'PT0S']
    const { id } = await client.createTask({ title: 'Visa', expiry_dt, reminders })
    await clock.advanceTo(expiry_dt)
    const { notifications } = await client.listTaskNotifications(id)
    assert.deepEqual(
      notifications.map(({ reminder, kind, due_dt }) => [reminder, kind, due_dt]),
      [
        ['PT0S', 'expired', '2026-12-03T10:00:00.000Z'],
        ['2026-12-02T12:00:00.000Z', 'expiring', '2026-12-02T12:00:00.000Z'],
        ['P1D', 'expiring', '2026-12-02T10:00:00.000Z'],
      ],
    )
  })

  await t.test('at the end of a snooze is of kind snooze and names no reminder', async () => {
    const { id } = await client.createTask({ title: 'x', expiry_dt: '2026-12-24', reminders: [] })
    await client.snoozeTask(id, { for: 'PT1H' })
    await clock.advance(3_600_000)
    const [notification] = (await client.listTaskNotifications(id)).notifications
    assert.deepEqual([notification?.kind, notification?.reminder, notification?.timing], ['snooze', null, 'on_time'])
    assert.equal(notification?.expiry_dt, '2026-12-24T00:00:00.000Z')
  })

  await t.test('does not change when the task changes or is deleted', async () => {
    const { id } = await client.createTask({ title: 'x', expiry_dt: '2026-12-01T08:00:00Z' })
    await app.idle()
    const [before] = (await client.listTaskNotifications(id)).notifications
    assert.ok(before)
    await client.updateTask(id, { title: 'y', expiry_dt: '2027-01-01' })
    assert.deepEqual(await client.getNotification(before.id), before)
    await client.deleteTask(id)
    assert.deepEqual(await client.getNotification(before.id), before)
    assert.equal((await refusal(client.listTaskNotifications(id))).status, 404)
  })

  await t.test('an unknown one is 404, and so are those of an unknown task', async () => {
    assert.equal((await refusal(client.getNotification(4_711))).status, 404)
    assert.equal((await refusal(client.listTaskNotifications(4_711))).status, 404)
  })
})

test('a notification that fell due during downtime says how late it came', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { id } = await app.client.createTask({ title: 'x', expiry_dt: '2026-12-01T10:00:00Z' })
  await app.stop()
  app.clock.set('2026-12-01T11:45:00Z')
  await app.restart()
  await app.app.idle()
  const [notification] = (await app.client.listTaskNotifications(id)).notifications
  assert.deepEqual(
    [notification?.timing, notification?.lateness_ms, notification?.kind],
    ['late', 2 * 3_600_000, 'expired'],
  )
  assert.deepEqual(
    [notification?.due_dt, notification?.fired_dt],
    ['2026-12-01T09:45:00.000Z', '2026-12-01T11:45:00.000Z'],
  )
})

test('a delivery', async (t) => {
  const { client, clock, recorder, app } = await startTestApp(t, { startAt })
  const fire = async () => {
    const { id } = await client.createTask({ title: 'x', expiry_dt: '2026-12-01T08:00:00Z' })
    await app.idle()
    return id
  }
  const recorded = async (taskId: number) => {
    const [notification] = (await client.listTaskNotifications(taskId)).notifications
    const delivery = notification?.deliveries.find(({ kind }) => kind === 'recording')
    assert.ok(delivery)
    return delivery
  }

  await t.test(
    'that failed temporarily has the reason and the next attempt; then it is sent under the same id',
    async () => {
      recorder.answer = () => ({ retry: true, reason: '503 Service Unavailable' })
      const task = await fire()
      const pending = await recorded(task)
      assert.deepEqual([pending.state, pending.attempts, pending.error], ['pending', 1, '503 Service Unavailable'])
      const waits = Date.parse(pending.next_attempt_dt ?? '') - clock.now()
      assert.ok(waits >= 4_000 && waits <= 6_000, `after about 5 s: ${waits} ms`)

      recorder.answer = () => undefined
      await clock.advance(waits)
      const { latency_ms, ...sent } = await recorded(task)
      assert.ok(Number.isInteger(latency_ms))
      const { id, channel_id, kind } = pending
      assert.deepEqual(sent, { id, channel_id, kind, state: 'sent', attempts: 2, error: null, next_attempt_dt: null })
    },
  )

  await t.test('that was refused permanently is failed, and has the reason', async () => {
    recorder.answer = () => ({ retry: false, reason: '410 Gone' })
    const failed = await recorded(await fire())
    assert.deepEqual(
      [failed.state, failed.attempts, failed.error, failed.next_attempt_dt],
      ['failed', 1, '410 Gone', null],
    )
  })

  await t.test(
    'that waits for a retry is cancelled when its task is completed meanwhile, and has the reason',
    async () => {
      recorder.answer = () => ({ retry: true, reason: 'later' })
      const task = await fire()
      await client.completeTask(task)
      await clock.advance(10_000)
      const cancelled = await recorded(task)
      assert.deepEqual(
        [cancelled.state, cancelled.error, cancelled.next_attempt_dt],
        ['cancelled', 'the task was completed', null],
      )
    },
  )

  await t.test('that fails on one channel is sent on the others', async () => {
    recorder.answer = () => {
      throw new Error('broken')
    }
    const [notification] = (await client.listTaskNotifications(await fire())).notifications
    const states = Object.fromEntries(notification?.deliveries.map(({ kind, state }) => [kind, state]) ?? [])
    assert.deepEqual(states, { console: 'sent', recording: 'pending' })
  })
})

test('notifications are paged, the newest first', async (t) => {
  const { client, app, url } = await startTestApp(t, { startAt })
  const send = wireTo(url)
  const tasks: TaskWire[] = []
  for (let i = 0; i < 7; i++) {
    tasks.push(await client.createTask({ title: 'x', expiry_dt: '2026-12-01T08:00:00Z' }))
    await app.idle()
  }
  const newest = tasks.map(({ id }) => id).reverse()

  await t.test('by next_cursor until that is null', async () => {
    const seen: number[] = []
    const sizes: number[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await client.listNotifications({ limit: 3, ...(cursor && { cursor }) })
      seen.push(...page.notifications.map(({ task_id }) => task_id))
      sizes.push(page.notifications.length)
      cursor = page.next_cursor
    }
    assert.deepEqual(seen, newest)
    assert.deepEqual(sizes, [3, 3, 1])
  })

  await t.test('those of one task only', async () => {
    const [first] = tasks
    assert.ok(first)
    for (const expiry_dt of ['2026-12-01T07:00:00Z', '2026-12-01T06:00:00Z']) {
      await client.updateTask(first.id, { expiry_dt })
      await app.idle()
    }
    const all = ids(await client.listTaskNotifications(first.id))
    assert.equal(all.length, 3)
    const top = await client.listTaskNotifications(first.id, { limit: 2 })
    assert.deepEqual(ids(top), all.slice(0, 2))
    assert.ok(top.next_cursor)
    const rest = await client.listTaskNotifications(first.id, { limit: 2, cursor: top.next_cursor })
    assert.deepEqual([ids(rest), rest.next_cursor], [all.slice(2), null])
  })

  await t.test('with a limit of 1 to 1,000, and a cursor of this server', async () => {
    for (const path of ['/v1/notifications', '/v1/tasks/1/notifications']) {
      for (const bad of ['limit=0', 'limit=1001', 'limit=x', 'limit='])
        assertProblem(await send('GET', `${path}?${bad}`), 400, 'limit')
      assertProblem(await send('GET', `${path}?cursor=nonsense`), 400, 'cursor')
      assertProblem(await send('GET', `${path}?state=sent`), 400, 'state')
      assert.equal((await send('GET', `${path}?limit=1000`)).status, 200)
    }
  })
})
