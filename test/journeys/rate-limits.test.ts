import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from '#core/delivery.ts'
import { createRecorder } from '#support/recording-channel.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

const startAt = '2026-12-01T09:00:00Z'
const [secondMs, minuteMs, hourMs] = [1_000, 60_000, 3_600_000]
const count = 60

/** Slack's response to more than one message a second (api.slack.com, «Rate limits»). */
const tooMany: Outcome = { retry: true, reason: '429 Too Many Requests', status: 429, afterMs: secondMs }
const deploying: Outcome = { retry: true, reason: '503 Service Unavailable', status: 503, afterMs: 2 * secondMs }

const due = (i: number) => ({ title: `Task ${i}`, expiry_dt: '2026-12-01T09:30:00Z', reminders: ['PT20M'] })

async function createDue({ client }: TestApp, howMany = count) {
  return Promise.all(Array.from({ length: howMany }, (_, i) => client.createTask(due(i))))
}

async function statesOf({ client }: TestApp, kind = 'recording') {
  const { notifications } = await client.listNotifications({ limit: 1_000 })
  const states = notifications.map(({ deliveries }) => deliveries.find((one) => one.kind === kind)?.state ?? 'none')
  return Object.fromEntries(
    Map.groupBy(states, (state) => state)
      .entries()
      .map(([state, all]) => [state, all.length]),
  )
}

test('a receiver that takes one message a second gets all 60 within minutes, and each once', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { clock, recorder } = app
  let takesAt = 0
  const accepted: number[] = []
  recorder.answer = ({ task }) => {
    if (clock.now() < takesAt) return tooMany
    takesAt = clock.now() + secondMs
    accepted.push(task.id)
    return 'sent'
  }
  await createDue(app)
  await clock.advanceTo('2026-12-01T09:10:00Z')
  await clock.advance(5 * minuteMs)
  assert.deepEqual(await statesOf(app), { sent: count })
  assert.equal(new Set(accepted).size, count)
  assert.equal(accepted.length, count)
  assert.ok(recorder.messages.length <= 4 * count, `${recorder.messages.length} attempts for ${count} messages`)
})

test('a receiver that is unavailable for 40 s and asks for 2 s gets all 60 after it', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { clock, recorder } = app
  const backAt = Date.parse('2026-12-01T09:10:00Z') + 40 * secondMs
  recorder.answer = () => (clock.now() < backAt ? deploying : 'sent')
  await createDue(app)
  await clock.advanceTo(backAt)
  assert.deepEqual(await statesOf(app), { pending: count })
  await clock.advance(3 * minuteMs)
  assert.deepEqual(await statesOf(app), { sent: count })
})

test('a rate limit holds the whole queue of its channel, and of no other', async (t) => {
  const other = createRecorder('other')
  const app = await startTestApp(t, {
    startAt,
    kinds: [other.kind],
    channels: [
      { name: 'recording', kind: 'recording' },
      { name: 'other', kind: 'other' },
    ],
  })
  const { clock, recorder, client } = app
  recorder.answer = () => ({ ...tooMany, afterMs: 10 * minuteMs })
  await client.createTask({ title: 'First', expiry_dt: '2026-12-01T09:10:00Z' })
  await clock.advance(0)
  const { id } = await client.createTask({ title: 'Second', expiry_dt: '2026-12-01T09:10:00Z' })
  recorder.answer = () => 'sent'
  await clock.advance(10 * minuteMs - 1)
  assert.deepEqual(recorder.take().length, 1, 'one attempt, and none before the instant it asked for')
  assert.equal(other.messages.length, 2)
  const [second] = (await client.listTaskNotifications(id)).notifications
  const waiting = second?.deliveries.find(({ kind }) => kind === 'recording')
  assert.deepEqual([waiting?.state, waiting?.attempts, waiting?.error], ['pending', 0, null])
  await clock.advance(minuteMs)
  assert.deepEqual(await statesOf(app), { sent: 2 })
  assert.equal(recorder.take().length, 2)
})

for (const [what, answer] of [
  ['ten years', { ...tooMany, afterMs: 10 * 365 * 24 * hourMs }],
  ['no time at all', { retry: true, reason: '429', status: 429 }],
  ['a time before now', { ...tooMany, afterMs: -hourMs }],
  ['no number', { ...tooMany, afterMs: Number.NaN }],
] as const)
  test(`a rate limit that asks for ${what} holds a channel for an hour at most`, async (t) => {
    const app = await startTestApp(t, { startAt })
    const { clock, recorder, client } = app
    recorder.answer = () => answer
    await client.createTask(due(0))
    await clock.advanceTo('2026-12-01T09:10:00Z')
    recorder.answer = () => 'sent'
    const { id } = await client.createTask({ title: 'Next', expiry_dt: '2026-12-01T09:12:00Z' })
    await clock.advance(hourMs)
    const [next] = (await client.listTaskNotifications(id)).notifications
    assert.equal(next?.deliveries.find(({ kind }) => kind === 'recording')?.state, 'sent')
  })

test('a receiver that always responds with 429 gets an attempt an hour, not one a second', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { clock, recorder } = app
  recorder.answer = () => tooMany
  await createDue(app, 5)
  await clock.advanceTo('2026-12-01T09:10:00Z')
  await clock.advance(20 * hourMs)
  assert.ok(recorder.messages.length <= 40, `${recorder.messages.length} attempts in 20 hours`)
})

test('waiting for a queue, a hold or a server that is down does not count as time of the delivery', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { clock, recorder, client } = app
  recorder.answer = () => deploying
  const { id } = await client.createTask({ title: 'Due', expiry_dt: '2026-12-01T09:10:00Z' })
  await clock.advance(minuteMs)
  await app.stop()
  await clock.advance(2 * 24 * hourMs)
  await app.restart()
  await clock.advance(0)
  const [notification] = (await app.client.listTaskNotifications(id)).notifications
  assert.equal(notification?.deliveries.find(({ kind }) => kind === 'recording')?.state, 'pending')
  recorder.answer = () => 'sent'
  await clock.advance(hourMs)
  const [later] = (await app.client.listTaskNotifications(id)).notifications
  assert.equal(later?.deliveries.find(({ kind }) => kind === 'recording')?.state, 'sent')
})

test('the time that a receiver asked for is kept over a restart', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { clock, recorder, client } = app
  recorder.answer = () => ({ ...tooMany, afterMs: 30 * minuteMs })
  await client.createTask({ title: 'First', expiry_dt: '2026-12-01T09:10:00Z' })
  await clock.advance(secondMs)
  recorder.answer = () => 'sent'
  await app.restart()
  await app.client.createTask({ title: 'Second', expiry_dt: '2026-12-01T09:10:00Z' })
  await clock.advance(29 * minuteMs)
  assert.equal(recorder.messages.length, 1)
  await clock.advance(2 * minuteMs)
  assert.deepEqual(await statesOf(app), { sent: 2 })
})

test('a channel that the user has changed is not held by the rate limit of its former receiver', async (t) => {
  const app = await startTestApp(t, { startAt, channels: [] })
  const { clock, recorder, client } = app
  const { id } = await client.createChannel({ name: 'Phone', kind: 'recording' })
  recorder.answer = () => ({ ...tooMany, afterMs: 30 * minuteMs })
  await client.createTask({ title: 'First', expiry_dt: '2026-12-01T09:10:00Z' })
  await clock.advance(secondMs)
  recorder.answer = () => 'sent'
  await client.updateChannel(id, { options: {} })
  await client.createTask({ title: 'Second', expiry_dt: '2026-12-01T09:10:00Z' })
  await clock.advance(secondMs)
  assert.equal(recorder.messages.length, 2)
})
