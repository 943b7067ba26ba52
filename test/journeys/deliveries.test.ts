import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Outcome } from '#core/delivery.ts'
import type { Message } from '#core/notification.ts'
import { newTask } from '#core/task-changes.ts'
import { insertTask } from '#store/task-writes.ts'
import { pauseBefore } from '#support/failing-database.ts'
import { watchQuiescence } from '#support/quiescence.ts'
import { createRecorder } from '#support/recording-channel.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'
import { deliveryOf, due, forever, hourMs, minuteMs, secondMs, startAt, unavailable } from './deliveries.ts'

test('a failing channel is retried after 5 s, 30 s, 2, 10, 30 min, 1, 2, 4 and 8 h, within a fifth, for a day', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client, clock, recorder, lines } = app
  const { id } = await client.createTask(due)
  const attempts: { at: number; message: Message }[] = []
  recorder.answer = (message) => {
    if (message.task.id === id) attempts.push({ at: clock.now(), message })
    return unavailable
  }
  await clock.advance(3 * secondMs)
  const first = await deliveryOf(app, id)
  assert.deepEqual([first.state, first.attempts, first.error], ['pending', 1, '503 Service Unavailable'])
  const nextAt = Date.parse(first.next_attempt_dt as string) - Date.parse(startAt)
  assert.ok(nextAt >= 4 * secondMs && nextAt <= 6 * secondMs)

  await clock.advance(40 * hourMs)
  const waits = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800].map((seconds) => seconds * secondMs)
  const gaps = attempts.slice(1).map(({ at }, i) => at - (attempts[i] as { at: number }).at)
  for (const [i, wait] of waits.slice(0, 8).entries()) {
    const gap = gaps[i] as number
    assert.ok(gap >= wait * 0.8 - 1 && gap <= wait * 1.2 + 1, `wait ${i + 1} was ${gap} ms, about ${wait} expected`)
  }
  assert.notDeepEqual(gaps.slice(0, 8), waits.slice(0, 8), 'what failed together must not come back together')
  for (const gap of gaps.slice(8)) assert.ok(gap <= 8 * hourMs * 1.2 + 1, 'the last wait repeats until the day is over')
  const took = (attempts.at(-1)?.at ?? 0) - (attempts[0]?.at ?? 0)
  assert.ok(took >= 24 * hourMs && took <= 24 * hourMs + secondMs, `the last was ${took} ms after the first`)
  assert.deepEqual(
    attempts.map(({ message }) => message.attempt),
    attempts.map((_, i) => i + 1),
  )
  assert.equal(new Set(attempts.map(({ message }) => message.deliveryId)).size, 1, 'one id over all attempts')

  const failed = await deliveryOf(app, id)
  assert.deepEqual(
    [failed.state, failed.attempts, failed.next_attempt_dt, failed.error],
    ['failed', attempts.length, null, '503 Service Unavailable'],
  )
  const givenUp = lines.filter((line) => /ERROR.*notification delivery failed/.test(line))
  assert.equal(givenUp.length, 1)
  const count = attempts.length
  await clock.advance(10 * 24 * hourMs)
  assert.equal(attempts.length, count, 'and never again')
})

for (const [asked, least, max] of [
  [2 * minuteMs, 2 * minuteMs, 2 * minuteMs],
  [0, 4 * secondMs, 6 * secondMs],
  [Number.NaN, 4 * secondMs, 6 * secondMs],
  [30 * 24 * hourMs, 24 * hourMs, 24 * hourMs],
] as const)
  test(`a receiver with a Retry-After of ${asked} ms gets ${least} to ${max} ms: the longer of that and the back-off`, async (t) => {
    const app = await startTestApp(t, { startAt })
    const { client, clock, recorder } = app
    recorder.answer = () => (recorder.messages.length === 1 ? { ...unavailable, afterMs: asked } : 'sent')
    await client.createTask(due)
    await clock.advance(least - 1)
    assert.equal(recorder.messages.length, 1)
    await clock.advance(max - least + 1)
    assert.equal(recorder.messages.length, 2)
  })

test('a delivery that is refused permanently is not retried', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client, clock, recorder, lines } = app
  recorder.answer = () => ({ retry: false, reason: '400 Bad Request' })
  const { id } = await client.createTask(due)
  await clock.advance(100 * hourMs)
  assert.equal(recorder.messages.filter(({ task }) => task.id === id).length, 1)
  const delivery = await deliveryOf(app, id)
  assert.deepEqual([delivery.state, delivery.error], ['failed', '400 Bad Request'])
  assert.ok(lines.some((line) => line.includes('notification delivery failed')))
})

test('a channel that throws has failed temporarily; the error is the reason', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client, clock, recorder } = app
  recorder.answer = () => {
    if (recorder.messages.length === 1) throw new Error('socket hang up')
    if (recorder.messages.length === 2) throw 'not even an error'
    return 'sent'
  }
  const { id } = await client.createTask(due)
  await clock.advance(0)
  assert.deepEqual([(await deliveryOf(app, id)).error, recorder.messages.length], ['socket hang up', 1])
  await clock.advance(6 * secondMs)
  assert.equal((await deliveryOf(app, id)).error, 'not even an error')
  await clock.advance(36 * secondMs)
  const sent = await deliveryOf(app, id)
  assert.deepEqual([sent.state, sent.attempts, sent.error], ['sent', 3, null])
})

test('an attempt that hangs ends after 15 s, and delays no other', async (t) => {
  const hanging = createRecorder('hanging')
  const rest = watchQuiescence()
  const app = await startTestApp(t, {
    startAt,
    kinds: [hanging.kind],
    channels: [
      { name: 'hanging', kind: 'hanging' },
      { name: 'recording', kind: 'recording' },
    ],
    wrapDatabase: rest.wrap,
  })
  const { client, clock } = app
  rest.rule(clock)
  const signals: AbortSignal[] = []
  const { promise: lateAnswer, resolve: answerLate } = Promise.withResolvers<Outcome>()
  hanging.answer = (_, signal) => {
    signals.push(signal)
    return signals.length === 1 ? lateAnswer : forever()
  }
  const { id } = await client.createTask(due)
  const { id: later } = await client.createTask({ title: 'Later', expiry_dt: '2026-12-01T09:15:05Z' })
  await clock.advance(0)
  assert.equal((await deliveryOf(app, id)).state, 'sent', 'the healthy one is told at once')
  await clock.advance(5 * secondMs)
  assert.equal((await deliveryOf(app, later)).state, 'sent', 'and on time meanwhile')

  await clock.advance(9_999)
  const inFlight = await deliveryOf(app, id, 'hanging')
  assert.deepEqual([inFlight.state, inFlight.error, signals[0]?.aborted], ['pending', null, false])
  await clock.advance(1)
  const given = await deliveryOf(app, id, 'hanging')
  assert.deepEqual([given.state, given.error, signals[0]?.aborted], ['pending', 'timed out after 15 s', true])

  answerLate('sent')
  await clock.advance(1)
  assert.equal((await deliveryOf(app, id, 'hanging')).state, 'pending', 'an answer that comes after that is not heard')
  await clock.advance(6 * secondMs)
  assert.equal(hanging.messages.filter(({ task }) => task.id === id).length, 2, 'it is tried again')
  hanging.answer = () => 'sent'
  await clock.advance(minuteMs)
  assert.equal((await deliveryOf(app, id, 'hanging')).state, 'sent')
})

test('a sent delivery keeps its slot until its result is recorded: a kill repeats no more than a channel may have in flight', async (t) => {
  const outcome = pauseBefore(/\blatency_ms["`]? = /)
  const app = await startTestApp(t, { startAt, wrapDatabase: outcome.wrap })
  const { client, clock, recorder } = app
  const later = () => client.createTask({ title: 'Later', expiry_dt: '2026-12-01T09:20:00Z' })
  const made = await Promise.all(Array.from({ length: 150 }, later))
  const idle = clock.whenIdle
  // While the results cannot be recorded the app is never idle.
  clock.whenIdle = async () => {
    for (let i = 0; i < 25; i++) await turn()
  }
  outcome.close()
  await clock.advanceTo('2026-12-01T09:05:00Z')
  await outcome.isReached
  for (let i = 0; i < 2_000; i++) await turn()
  const sent = recorder.messages.length
  outcome.open()
  assert.equal(sent, recorder.kind.concurrency)
  clock.whenIdle = idle
  await clock.advance(0)
  assert.deepEqual(
    recorder.messages.map(({ task }) => task.id).sort((a, b) => a - b),
    made.map(({ id }) => id).sort((a, b) => a - b),
  )
})

test('10,000 deliveries due at one instant all arrive, each once, while one channel hangs; and there once it works', async (t) => {
  const hanging = createRecorder('hanging')
  const rest = watchQuiescence()
  const app = await startTestApp(t, {
    startAt,
    kinds: [hanging.kind],
    channels: [
      { name: 'hanging', kind: 'hanging' },
      { name: 'recording', kind: 'recording' },
    ],
    wrapDatabase: rest.wrap,
  })
  const { clock, recorder, lines, client } = app
  rest.rule(clock)
  hanging.answer = forever
  const count = 10_000
  const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
  const draft = { title: 'One of many', expiry: { at: Date.parse('2026-12-01T10:00:00Z') } }
  await app.app.store.transact(async (tx, now) => {
    for (let i = 1; i < count; i++) await insertTask(tx, newTask(draft, 1, randomUUID(), defaults, now))
  })
  await client.createTask({ title: 'One of many', expiry_dt: '2026-12-01T10:00:00Z' }) // which wakes the loop
  await clock.advanceTo('2026-12-01T09:44:59.999Z')
  assert.equal(recorder.messages.length, 0)
  await clock.advanceTo('2026-12-01T09:45:00Z')
  const distinct = (messages: readonly Message[]) => new Set(messages.map(({ task }) => task.id)).size
  assert.deepEqual([recorder.messages.length, distinct(recorder.messages)], [count, count])
  assert.equal(lines.filter((line) => line.includes('One of many')).length, count, 'a line each on the console')

  await clock.advance(65 * secondMs) // two leases
  assert.deepEqual([recorder.messages.length, distinct(recorder.messages)], [count, count], 'no lease ran out on them')
  const attempts = hanging.messages.length
  assert.ok(attempts >= 400 && attempts <= 600, `${attempts} attempts, 100 at a time, 15 s each`)

  hanging.answer = () => 'sent'
  await clock.advance(10 * minuteMs)
  assert.equal(distinct(hanging.messages), count)
  const all = await Array.fromAsync(allDeliveries(app, 'hanging'))
  assert.deepEqual([all.length, new Set(all.map(({ state }) => state))], [count, new Set(['sent'])])
  assert.equal(
    all.reduce((sum, delivery) => sum + delivery.attempts, 0),
    hanging.messages.length,
    'only what was tried counts as an attempt: who waits behind others is not given up for it',
  )
  assert.deepEqual((await client.getHealth()).status, 'healthy')
})

async function* allDeliveries({ client }: TestApp, kind: string) {
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await client.listNotifications({ limit: 1_000, ...(cursor !== undefined && { cursor }) })
    for (const { deliveries } of page.notifications) yield* deliveries.filter((one) => one.kind === kind)
    cursor = page.next_cursor
  }
}
