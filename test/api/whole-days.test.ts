import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

/** Tasks that expire on a day, reminders at a time of day and after the expiry, and local times under new rules of a zone. */

const startAt = '2027-02-20T09:00:00Z'
const flags = ['--time-zone=Europe/Paris']

test('a task that expires on a day reminds at nine that morning, and expires as the day ends', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt, flags })
  const task = await client.createTask({ title: 'Passport', expiry_date: '2027-03-01' })
  assert.deepEqual([task.expiry_date, task.expiry_dt], ['2027-03-01', '2027-03-01T22:59:59.000Z'])
  await clock.advanceTo('2027-03-01T07:59:59Z')
  assert.equal(recorder.messages.length, 0)
  await clock.advanceTo('2027-03-01T08:00:00Z')
  const [message] = recorder.messages
  assert.deepEqual([message?.notification.reminder, message?.kind], ['PT0S', 'expiring'])
  const expired = async () => (await client.listTasks({ status: 'expired' })).tasks.length
  await clock.advanceTo('2027-03-01T22:59:58Z')
  assert.equal(await expired(), 0)
  await clock.advanceTo('2027-03-01T22:59:59Z')
  assert.equal(await expired(), 1)
})

test('leads count from the time of day of the user, and may name one themselves', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt, flags })
  await client.updateSettings({ day_time: '07:30', default_day_reminders: ['P1D', 'P2D@18:00', '-P1D'] })
  await client.createTask({ title: 'Day', expiry_date: '2027-03-01' })
  await client.createTask({ title: 'Time', expiry_dt: '2027-03-01T20:00', reminders: ['P3D@08:00', '-PT2H'] })
  const { upcoming } = await client.listUpcoming({ until: '2027-04-01' })
  assert.deepEqual(
    upcoming.map(({ title, reminder, due_dt, kind }) => `${title} ${reminder} ${due_dt.slice(0, 16)} ${kind}`),
    [
      'Time P3D@08:00 2027-02-26T07:00 expiring',
      'Day P2D@18:00 2027-02-27T17:00 expiring',
      'Day P1D 2027-02-28T06:30 expiring',
      'Time -PT2H 2027-03-01T21:00 expired',
      'Day -P1D 2027-03-02T06:30 expired',
    ],
  )
  await clock.advanceTo('2027-03-02T06:30:00Z')
  assert.deepEqual(
    recorder.messages.map(({ task, notification, kind }) => `${task.title} ${notification.reminder} ${kind}`),
    ['Time P3D@08:00 expiring', 'Day P2D@18:00 expiring', 'Day P1D expiring', 'Time -PT2H expired', 'Day -P1D expired'],
  )
})

test('a day that was read can be sent back, and a time takes its place', async (t) => {
  const { client, url } = await startTestApp(t, { startAt, flags })
  const task = await client.createTask({ title: 'Passport', expiry_date: '2027-03-01' })
  assert.deepEqual(await client.putTask(task.id, { ...task, completed_dt: null }), task)
  const timed = await client.updateTask(task.id, { expiry_dt: '2027-03-01T10:00' })
  assert.deepEqual([timed.expiry_date, timed.expiry_dt], [null, '2027-03-01T09:00:00.000Z'])
  assert.equal((await client.updateTask(task.id, { expiry_date: '2027-03-05' })).expiry_dt, '2027-03-05T22:59:59.000Z')
  assert.equal((await client.updateTask(task.id, { expiry_date: null })).expiry_dt, null)
  const midnight = await client.updateTask(task.id, { expiry_dt: '2027-03-01' })
  assert.deepEqual(
    [midnight.expiry_date, midnight.expiry_dt],
    [null, '2027-02-28T23:00:00.000Z'],
    'as with the original',
  )

  const send = wireTo(url)
  for (const [body, pointer] of [
    [{ expiry_date: '2027-02-29' }, '/expiry_date'],
    [{ expiry_date: '01.03.2027' }, '/expiry_date'],
    [{ expiry_date: 20270301 }, '/expiry_date'],
    [{ expiry_date: '2027-03-01', expiry_dt: '2027-03-01T10:00' }, '/expiry_dt'],
    [{ reminders: ['PT1H@09:00'] }, '/reminders/0'],
  ] as const)
    assertProblem(await send('PATCH', `/v1/tasks/${task.id}`, { body }), 422, pointer)
})

test('a move of the user to another zone moves the end of the day, and the day stays', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt, flags })
  const { id, version } = await client.createTask({ title: 'Passport', expiry_date: '2027-03-01' })
  const own = await client.createTask({ title: 'Visa', expiry_date: '2027-03-01', time_zone: 'Europe/Paris' })
  await client.updateSettings({ time_zone: 'Asia/Tokyo' })
  const moved = await client.getTask(id)
  assert.deepEqual([moved.expiry_date, moved.expiry_dt], ['2027-03-01', '2027-03-01T14:59:59.000Z'])
  assert.ok(moved.version > version, 'its ETag is another, since its expiry_dt is')
  assert.deepEqual(await client.getTask(own.id), own)
  await clock.advanceTo('2027-03-01T00:00:00Z')
  assert.deepEqual(
    recorder.messages.map(({ task }) => task.title),
    ['Passport'],
  )
})

test('a notification that waits for its channel is not cancelled by the move', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt, flags })
  recorder.answer = () => ({ retry: true, reason: 'not now' })
  const { id } = await client.createTask({ title: 'Passport', expiry_date: '2027-03-01' })
  await clock.advanceTo('2027-03-01T08:00:00Z')
  await client.updateSettings({ time_zone: 'Europe/Athens' })
  recorder.answer = () => 'sent'
  await clock.advanceTo('2027-03-01T09:00:00Z')
  const { notifications } = await client.listTaskNotifications(id)
  assert.deepEqual(
    notifications.map(({ expiry_dt, deliveries }) => [expiry_dt, deliveries.map(({ state }) => state)]),
    [['2027-03-01T21:59:59.000Z', ['sent', 'sent']]],
  )
})

test('a day that is reopened in another zone delivers what was cancelled while it was completed', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt: '2027-03-01T10:00:00Z', flags })
  recorder.answer = () => ({ retry: true, reason: 'down' })
  const { id } = await client.createTask({ title: 'Passport', expiry_date: '2027-03-01' })
  await clock.whenIdle()
  await client.completeTask(id)
  await clock.advance(60 * 60_000)
  const stateOf = async () => {
    const { notifications } = await client.listNotifications()
    assert.equal(notifications.length, 1)
    return notifications[0]?.deliveries.find(({ kind }) => kind === 'recording')?.state
  }
  assert.equal(await stateOf(), 'cancelled')
  await client.updateSettings({ time_zone: 'Asia/Kolkata' })
  await client.reopenTask(id)
  recorder.answer = () => undefined
  await clock.advance(60 * 60_000)
  assert.equal(await stateOf(), 'sent')
})

test('under new rules of a zone local times keep their hour, once, and the log says which tasks moved', async (t) => {
  const app = await startTestApp(t, { startAt, flags, zoneRules: '2026a' })
  const local = await app.client.createTask({ title: 'Local', expiry_dt: '2027-07-01T09:00' })
  const day = await app.client.createTask({ title: 'Day', expiry_date: '2027-07-02' })
  const instant = await app.client.createTask({ title: 'Instant', expiry_dt: '2027-07-01T09:00:00+02:00' })
  assert.equal(local.expiry_dt, '2027-07-01T07:00:00.000Z')
  // The state as if the earlier rules of the zone had no summer time.
  const hourMs = 3_600_000
  for (const { id, expiry_dt } of [local, day]) {
    const at = Date.parse(expiry_dt as string) + hourMs
    const values = { expiry_at: at, notify_at: at - 900_000 }
    await app.app.store.db.updateTable('tasks').set(values).where('id', '=', id).execute()
  }

  await app.restart({ flags, zoneRules: '2026a' })
  assert.notEqual((await app.client.getTask(local.id)).expiry_dt, local.expiry_dt, 'the same rules change nothing')
  await app.restart({ flags, zoneRules: '2025c' })
  assert.notEqual((await app.client.getTask(local.id)).expiry_dt, local.expiry_dt, 'nor do older ones')
  await app.restart({ flags, zoneRules: '2026b' })
  await app.app.idle()
  for (const task of [local, day])
    assert.deepEqual((await app.client.getTask(task.id)).expiry_dt, task.expiry_dt, task.title)
  assert.deepEqual(await app.client.getTask(instant.id), instant)
  const moved = app.lines.filter((line) => /tasks expire at another instant/.test(line))
  assert.equal(moved.length, 1)
  assert.match(moved[0] ?? '', new RegExp(`${local.id},.*${day.id}|count.*2`, 's'))
  const { upcoming } = await app.client.listUpcoming({ until: '2027-08-01' })
  assert.deepEqual(
    upcoming.map(({ title, due_dt }) => `${title} ${due_dt.slice(0, 16)}`),
    ['Local 2027-07-01T06:45', 'Instant 2027-07-01T06:45', 'Day 2027-07-02T07:00'],
  )
})
