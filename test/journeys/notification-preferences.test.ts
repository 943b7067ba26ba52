import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRecorder } from '#support/recording-channel.ts'
import { startTestApp } from '#support/test-app.ts'

/** Preferences of a channel: quiet hours, several notifications in one message, repeats until acknowledgement. */
const titles = (messages: readonly { task: { title: string } }[]) => messages.map(({ task }) => task.title)

test('in quiet hours nothing is delivered; at their end it is, and never after the expiry', async (t) => {
  const { client, clock, recorder, lines } = await startTestApp(t, { startAt: '2026-12-01T20:00:00Z' })
  await client.updateSettings({ quiet_hours: { from: '22:00', until: '07:00' } })
  await client.createTask({ title: 'In the morning', expiry_dt: '2026-12-02T12:00Z', reminders: ['PT10H'] })
  await client.createTask({ title: 'At midnight', expiry_dt: '2026-12-02T00:00Z', reminders: ['PT1H', 'PT0S'] })
  await clock.advanceTo('2026-12-01T23:59:59.999Z')
  assert.deepEqual(titles(recorder.messages), [])
  assert.equal(lines.filter((line) => line.includes('At midnight')).length, 1, 'the console wakes nobody')
  await clock.advanceTo('2026-12-02T00:00:00Z')
  assert.deepEqual(new Set(titles(recorder.messages)), new Set(['At midnight']), 'what expires is told before')
  const atMidnight = recorder.messages.length
  await clock.advanceTo('2026-12-02T06:59:59.999Z')
  assert.equal(recorder.messages.length, atMidnight)
  await clock.advanceTo('2026-12-02T07:00:00Z')
  assert.deepEqual(titles(recorder.messages.slice(atMidnight)), ['In the morning'])
})

test('a channel may ignore quiet hours, and a task completed by their end is delivered nowhere', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt: '2026-12-01T23:00:00Z', channels: [] })
  await client.createChannel({ name: 'Pager', kind: 'recording', ignore_quiet_hours: true })
  await client.createChannel({ name: 'Phone', kind: 'recording' })
  await client.updateSettings({ quiet_hours: { from: '22:00', until: '07:00' } })
  const { id } = await client.createTask({ title: 'Backup', expiry_dt: '2026-12-02T12:00Z', reminders: ['PT12H'] })
  await clock.advanceTo('2026-12-02T03:00:00Z')
  assert.equal(recorder.messages.length, 1)
  await client.completeTask(id)
  await clock.advanceTo('2026-12-02T08:00:00Z')
  assert.equal(recorder.messages.length, 1)
  const [notification] = (await client.listTaskNotifications(id)).notifications
  assert.deepEqual(
    notification?.deliveries.map(({ state, error }) => [state, error]),
    [
      ['sent', null],
      ['sent', null],
      ['cancelled', 'the task was completed'],
    ],
  )
})

test('reminders that fire within the window are one message, and have one result', async (t) => {
  const { client, app, clock, recorder } = await startTestApp(t, { channels: [] })
  await client.createChannel({ name: 'Digest', kind: 'recording', group_wait: 'PT30S' })
  await client.createTask({ title: 'A', expiry_dt: '2026-12-01T09:15:10Z' })
  await client.createTask({ title: 'B', expiry_dt: '2026-12-01T09:15:20Z' })
  await client.createTask({ title: 'C', expiry_dt: '2026-12-01T09:15:39.999Z' })
  await client.createTask({ title: 'D', expiry_dt: '2026-12-01T09:15:50Z' })
  await clock.advanceTo('2026-12-01T09:00:39.999Z')
  assert.equal(recorder.messages.length, 0)
  let attempts = 0
  recorder.answer = () => (++attempts === 1 ? { retry: true, reason: '503 Service Unavailable' } : undefined)
  await clock.advanceTo('2026-12-01T09:00:40Z')
  assert.equal(recorder.messages.length, 1)
  await clock.advanceTo('2026-12-01T09:01:20Z')
  const notified = recorder.messages.map(
    ({ deliveryId, task, others }) => [deliveryId, titles([{ task }, ...others])] as const,
  )
  assert.deepEqual(
    notified.map(([, names]) => names.toSorted()),
    [['A', 'B', 'C'], ['A', 'B', 'C'], ['D']],
  )
  assert.equal(notified[0]?.[0], notified[1]?.[0], 'under one id over all attempts, in which nothing else is said')
  assert.notEqual(notified[1]?.[0], notified[2]?.[0])
  await app.idle()
  const { notifications } = await client.listNotifications()
  for (const { deliveries } of notifications)
    assert.deepEqual(
      deliveries.map(({ state }) => state),
      ['sent', 'sent'],
    )
})

test('a notification cancelled from a group and true again is delivered by itself, under a new id', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { channels: [] })
  await client.createChannel({ name: 'Digest', kind: 'recording', group_wait: 'PT30S' })
  const { id } = await client.createTask({ title: 'A', expiry_dt: '2026-12-01T09:10:00Z' })
  await client.createTask({ title: 'B', expiry_dt: '2026-12-01T09:10:00Z' })
  recorder.answer = () => ({ retry: true, reason: '503 Service Unavailable' })
  await clock.advance(30_000)
  await client.completeTask(id)
  recorder.answer = () => undefined
  await clock.advance(10_000)
  await client.reopenTask(id)
  await clock.advance(1_000)
  const notified = recorder.messages.map(
    ({ deliveryId, task, others }) => [deliveryId, titles([{ task }, ...others])] as const,
  )
  assert.deepEqual(
    notified.map(([, names]) => names.toSorted()),
    [['A', 'B'], ['B'], ['A']],
  )
  assert.equal(notified[0]?.[0], notified[1]?.[0])
  assert.notEqual(notified[1]?.[0], notified[2]?.[0])
})

test('on a channel with fewer slots than notifications in the group, too', async (t) => {
  const narrow = createRecorder('narrow')
  const { client, clock } = await startTestApp(t, { channels: [], kinds: [{ ...narrow.kind, concurrency: 2 }] })
  await client.createChannel({ name: 'Digest', kind: 'narrow', group_wait: 'PT30S' })
  for (const title of ['A', 'B', 'C', 'D', 'E']) await client.createTask({ title, expiry_dt: '2026-12-01T09:10:00Z' })
  await clock.advance(30_000)
  assert.deepEqual(
    narrow.messages.map(({ others }) => others.length),
    [4],
  )
})

test('a task of a group that is completed meanwhile is left out of it', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { channels: [] })
  await client.createChannel({ name: 'Digest', kind: 'recording', group_wait: 'PT30S' })
  const { id } = await client.createTask({ title: 'A', expiry_dt: '2026-12-01T09:10:00Z' })
  await client.createTask({ title: 'B', expiry_dt: '2026-12-01T09:10:00Z' })
  await clock.advance(10_000)
  await client.completeTask(id)
  await clock.advance(20_000)
  assert.deepEqual(
    recorder.messages.map(({ task, others }) => [task.title, others.length]),
    [['B', 0]],
  )
})

test('a notification repeats until it is acknowledged, each time as a message of its own', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { channels: [] })
  await client.createChannel({ name: 'Pager', kind: 'recording', repeat: { every: 'PT10M', max: 3 } })
  const { id } = await client.createTask({ title: 'Oven', expiry_dt: '2026-12-01T09:15:00Z' })
  await clock.advance(0)
  assert.equal(recorder.messages.length, 1)
  await clock.advance(599_999)
  assert.equal(recorder.messages.length, 1)
  await clock.advance(1)
  assert.equal(recorder.messages.length, 2)
  const [first, second] = recorder.messages
  assert.equal(second?.deliveryId, `${first?.deliveryId}-1`)
  const [notification] = (await client.listTaskNotifications(id)).notifications
  await client.acknowledgeNotification(notification?.id as number)
  await clock.advance(3_600_000)
  assert.equal(recorder.messages.length, 2)
})

for (const [how, act] of [
  ['completed', (client, id) => client.completeTask(id)],
  ['snoozed', (client, id) => client.snoozeTask(id, { for: 'PT24H' })],
  ['deleted', (client, id) => client.deleteTask(id)],
] as [string, (client: Awaited<ReturnType<typeof startTestApp>>['client'], id: number) => Promise<unknown>][])
  test(`nor does it repeat for a task that was ${how}; the first delivery stays sent`, async (t) => {
    const { client, clock, recorder } = await startTestApp(t, { channels: [] })
    await client.createChannel({ name: 'Pager', kind: 'recording', repeat: { every: 'PT10M', max: 3 } })
    const { id } = await client.createTask({ title: 'Oven', expiry_dt: '2026-12-01T09:15:00Z' })
    await clock.advance(1_000)
    await act(client, id)
    await clock.advance(3_600_000)
    assert.equal(recorder.messages.length, 1)
    const [{ deliveries } = assert.fail()] = (await client.listNotifications()).notifications
    assert.deepEqual(
      deliveries.map(({ state, next_attempt_dt }) => [state, next_attempt_dt]),
      [
        ['sent', null],
        ['sent', null],
      ],
    )
  })

test('and never more often than the channel allows; each repeat with all its attempts', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { channels: [] })
  await client.createChannel({ name: 'Pager', kind: 'recording', repeat: { every: 'PT1H', max: 2 } })
  await client.createTask({ title: 'Oven', expiry_dt: '2026-12-01T09:15:00Z' })
  recorder.answer = ({ attempt }) =>
    attempt % 2 === 1 ? { retry: true, reason: '503 Service Unavailable' } : undefined
  await clock.advance(24 * 3_600_000)
  assert.equal(recorder.messages.length, 6, 'three times, each at the second attempt')
  assert.equal(new Set(recorder.messages.map(({ deliveryId }) => deliveryId)).size, 3)
})

test('a channel gets only notifications of its tags and kinds', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { channels: [] })
  await client.createChannel({ name: 'Home', kind: 'recording', tags: ['home', 'garden'], notifications: ['expired'] })
  for (const [title, tags] of [
    ['Oven', ['home']],
    ['Roses', ['garden', 'x']],
    ['Contract', ['office']],
  ] as const)
    await client.createTask({ title, tags: [...tags], expiry_dt: '2026-12-01T10:00:00Z', reminders: ['PT15M', 'PT0S'] })
  await clock.advanceTo('2026-12-01T09:59:59Z')
  assert.deepEqual(recorder.messages, [])
  await clock.advanceTo('2026-12-01T10:00:00Z')
  assert.deepEqual(titles(recorder.messages).toSorted(), ['Oven', 'Roses'])
  const { upcoming } = await client.listUpcoming()
  assert.deepEqual(upcoming, [])
})
