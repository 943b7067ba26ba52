import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reopenTask } from '#actions/tasks.ts'
import { failingDatabase, wrapConnections } from '#support/failing-database.ts'
import { watchQuiescence } from '#support/quiescence.ts'
import { stopWithFakeClock } from '#support/stop-with-fake-clock.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'
import { deliveryOf, due, forever, hourMs, minuteMs, secondMs, startAt, unavailable } from './deliveries.ts'

/** Deliveries whose task, channel or database changes while they wait. */

for (const [what, reason, change] of [
  ['completed', 'the task was completed', ({ client }: TestApp, id: number) => client.completeTask(id)],
  ['deleted', 'the task was deleted', ({ client }: TestApp, id: number) => client.deleteTask(id)],
  [
    'moved',
    'the expiry was moved',
    ({ client }: TestApp, id: number) => client.updateTask(id, { expiry_dt: '2027-01-01T00:00:00Z' }),
  ],
  [
    'left without an expiry',
    'the expiry was cleared',
    ({ client }: TestApp, id: number) => client.updateTask(id, { expiry_dt: null }),
  ],
] as const)
  test(`a notification that waits for its next attempt is cancelled once its task is ${what}, with the reason`, async (t) => {
    const app = await startTestApp(t, { startAt })
    const { client, clock, recorder } = app
    recorder.answer = () => unavailable
    const { id } = await client.createTask(due)
    await clock.advance(0)
    await change(app, id)
    recorder.answer = () => 'sent'
    await clock.advance(24 * hourMs)
    assert.equal(recorder.messages.length, 1, 'no attempt began after the answer')
    const [notification] = (await client.listNotifications()).notifications
    const delivery = notification?.deliveries.find(({ kind }) => kind === 'recording')
    assert.deepEqual([delivery?.state, delivery?.error, delivery?.next_attempt_dt], ['cancelled', reason, null])
  })

for (const [what, change, undo] of [
  ['completed', 'completeTask', 'reopenTask'],
  ['moved', '2027-01-01T00:00:00Z', due.expiry_dt],
] as const)
  test(`a notification that was cancelled because its task was ${what} is delivered after that is undone, under its own id`, async (t) => {
    const app = await startTestApp(t, { startAt })
    const { client, clock, recorder } = app
    recorder.answer = () => unavailable
    const { id } = await client.createTask(due)
    await clock.advance(0)
    const act = (request: string) =>
      request === 'completeTask' || request === 'reopenTask'
        ? client[request](id)
        : client.updateTask(id, { expiry_dt: request })
    await act(change)
    await clock.advance(hourMs)
    recorder.answer = () => 'sent'
    await act(undo)
    await clock.advance(0)
    const [first, second, third] = recorder.messages
    assert.deepEqual([second?.deliveryId, third], [first?.deliveryId, undefined])
    assert.equal((await client.listTaskNotifications(id)).notifications.length, 1)
    await clock.advance(24 * hourMs)
    assert.equal(recorder.messages.length, 2, 'once')
  })

test('a task that is reopened while its notification is being cancelled still gets it', async (t) => {
  let onLook = () => {}
  const app = await startTestApp(t, {
    startAt,
    wrapDatabase: (dialect) =>
      wrapConnections(dialect, async (text, run) => {
        const result = await run()
        // The check before an attempt.
        if (/^select \* from .tasks. where .id. (in|= any)[^;]*$/.test(text) && !text.includes('update')) onLook()
        return result
      }),
  })
  const { client, clock, recorder } = app
  recorder.answer = () => unavailable
  const { id } = await client.createTask(due)
  await clock.advance(0)
  await client.completeTask(id)
  recorder.answer = () => 'sent'
  let reopening: Promise<unknown> | undefined
  onLook = () => {
    const { db, transact } = app.app.store
    const ctx = { db, transact, wake: () => {} }
    // The check finds it completed, and it is reopened before the result is recorded.
    reopening ??= reopenTask(ctx, { userId: 1 }, { id })
  }
  await clock.advance(hourMs)
  assert.ok(reopening)
  await reopening
  // If the cancellation was written first, the reopening revived the delivery, and no loop here was woken.
  await clock.advance(hourMs)
  assert.equal((await deliveryOf(app, id)).state, 'sent')
  assert.equal(recorder.messages.length, 2)
})

test('attempts in flight when the server died are repeated: at startup if it is the only server, otherwise when the lease ends', async (t) => {
  const app = await startTestApp(t, { startAt })
  const database = failingDatabase()
  const rest = watchQuiescence()
  await app.restart({ wrapDatabase: (dialect) => database.wrap(rest.wrap(dialect)) })
  const { client, clock, recorder, lines } = app
  rest.rule(clock)
  recorder.answer = forever
  await client.createTask(due)
  await clock.advance(0)
  const claimedAt = clock.now()
  assert.equal(recorder.messages.length, 1)
  database.die()
  await stopWithFakeClock(clock, app.stop(), database)

  recorder.answer = () => 'sent'
  const startedAt = clock.now()
  await app.restart()
  const { isShared } = app.app.store.dialect
  if (isShared) await clock.advanceTo(claimedAt + 30 * secondMs - 1)
  else await app.app.idle()
  assert.equal(recorder.messages.length, isShared ? 1 : 2, 'another server may be at it until then')
  if (!isShared) assert.equal(clock.now(), startedAt)
  await clock.advanceTo(claimedAt + 30 * secondMs)
  const [first, second] = recorder.messages
  assert.deepEqual([second?.deliveryId, second?.attempt, recorder.messages.length], [first?.deliveryId, 2, 2])
  if (!isShared)
    assert.ok(lines.some((line) => /WARN.*1 deliveries were in flight when the server last stopped/.test(line)))
})

test('pending deliveries of a channel that is removed from the configuration are cancelled with the reason', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { clock, recorder, lines } = app
  recorder.answer = () => unavailable
  const { id } = await app.client.createTask(due)
  await clock.advance(0)
  await app.restart({ channels: [] })
  const gone = await deliveryOf(app, id)
  assert.deepEqual([gone.state, gone.error], ['cancelled', 'the channel was removed from the configuration'])
  assert.ok(lines.some((line) => /WARN.*«recording» is no longer in the configuration; 1 notifications/.test(line)))
  await app.client.createTask({ ...due, title: 'Meanwhile' })
  await clock.advance(24 * hourMs)

  recorder.answer = () => 'sent'
  await app.restart()
  const { id: next } = await app.client.createTask({ ...due, title: 'Next' })
  await clock.advance(24 * hourMs)
  assert.deepEqual(
    recorder.messages.map(({ task }) => task.id),
    [id, next],
    'once it is back it is told what rings from then on',
  )
})

test('an unavailable database while an outcome is recorded causes no second message', async (t) => {
  let isAway = false
  const rest = watchQuiescence()
  const app = await startTestApp(t, {
    startAt,
    wrapDatabase: (dialect) =>
      wrapConnections(rest.wrap(dialect), (_, run) => (isAway ? Promise.reject(new Error('away')) : run())),
  })
  const { client, clock, recorder, lines } = app
  rest.rule(clock)
  recorder.answer = () => {
    isAway = true
    return 'sent'
  }
  const { id } = await client.createTask({ ...due, expiry_dt: '2026-12-01T09:15:01Z' })
  await clock.advance(2 * minuteMs) // longer than the lease
  isAway = false
  recorder.answer = () => 'sent'
  await clock.advance(2 * minuteMs)
  const delivery = await deliveryOf(app, id)
  assert.deepEqual([delivery.state, delivery.attempts, recorder.messages.length], ['sent', 1, 1])
  assert.ok(lines.some((line) => /INFO.*loop recovered/.test(line)))
})
