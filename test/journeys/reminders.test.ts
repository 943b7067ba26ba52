import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestApp } from '#support/test-app.ts'

const startAt = '2026-12-01T09:00:00Z'
const tenOClock = '2026-12-01T10:00:00Z'
const will = (id: number, title: string, expiry = '10:00:00') =>
  `Your task (id:${id},title:"${title}") will be expired at 2026-12-01T${expiry}+00:00!`
const already = (id: number, title: string, expiry = '10:00:00') =>
  `Your task (id:${id},title:"${title}") is expired already at 2026-12-01T${expiry}+00:00!`

test('a task fires 15 minutes before its expiry, not a second earlier, once', async (t) => {
  const { client, clock, recorder, lines } = await startTestApp(t, { startAt })
  const { id } = await client.createTask({ title: 'Renew passport', expiry_dt: tenOClock })

  await clock.advanceTo('2026-12-01T09:44:59.999Z')
  assert.deepEqual(recorder.take(), [])
  await clock.advanceTo('2026-12-01T09:45:00Z')
  assert.deepEqual(recorder.take(), [will(id, 'Renew passport')])
  assert.equal(
    lines.filter((line) => line.endsWith(` ${will(id, 'Renew passport')}\n`)).length,
    1,
    'one line on the console',
  )

  await clock.advance(24 * 3_600_000)
  assert.deepEqual(recorder.take(), [], 'and never again')
})

test('within 15 minutes of its expiry, or after it, a task fires as soon as it is saved', async (t) => {
  const { client, app, recorder } = await startTestApp(t, { startAt })
  const soon = await client.createTask({ title: 'Soon', expiry_dt: '2026-12-01T09:10:00Z' })
  await app.idle()
  assert.deepEqual(recorder.take(), [will(soon.id, 'Soon', '09:10:00')])
  const past = await client.createTask({ title: 'Past', expiry_dt: '2026-12-01T08:00:00Z' })
  await app.idle()
  assert.deepEqual(recorder.take(), [already(past.id, 'Past', '08:00:00')])
  const [notification] = (await client.listTaskNotifications(past.id)).notifications
  assert.deepEqual([notification?.kind, notification?.timing], ['expired', 'immediate'])
})

test('several due reminders are one notification, and later ones stay', async (t) => {
  const { client, app, clock, recorder } = await startTestApp(t, { startAt })
  const { id } = await client.createTask({
    title: 'Visa',
    expiry_dt: tenOClock,
    reminders: ['P7D', 'P1D', 'PT2H', 'PT10M', 'PT0S'],
  })
  await app.idle()
  assert.deepEqual(recorder.take(), [will(id, 'Visa')])
  await clock.advanceTo('2026-12-01T09:50:00Z')
  assert.deepEqual(recorder.take(), [will(id, 'Visa')])
  await clock.advanceTo(tenOClock)
  assert.deepEqual(recorder.take(), [already(id, 'Visa')])
  const { notifications } = await client.listTaskNotifications(id)
  assert.deepEqual(
    notifications.map(({ reminder }) => reminder),
    ['PT0S', 'PT10M', 'PT2H'],
  )
})

test('a moved expiry moves the notification; a cleared expiry or a deletion cancels it', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt })
  const moved = await client.createTask({ title: 'Moved', expiry_dt: tenOClock })
  const cleared = await client.createTask({ title: 'Cleared', expiry_dt: tenOClock })
  const deleted = await client.createTask({ title: 'Deleted', expiry_dt: tenOClock })
  await clock.advanceTo('2026-12-01T09:44:59Z')
  await client.updateTask(moved.id, { expiry_dt: '2026-12-01T11:00:00Z' })
  await client.updateTask(cleared.id, { expiry_dt: null })
  await client.deleteTask(deleted.id)
  await clock.advanceTo('2026-12-01T10:44:59Z')
  assert.deepEqual(recorder.take(), [])
  await clock.advanceTo('2026-12-01T10:45:00Z')
  assert.deepEqual(recorder.take(), [will(moved.id, 'Moved', '11:00:00')])
})

test('moved away and back, an expiry that has fired does not fire again; one that has not, does', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt })
  const { id } = await client.createTask({ title: 'Rent', expiry_dt: tenOClock })
  await client.updateTask(id, { expiry_dt: '2026-12-01T12:00:00Z' })
  await client.updateTask(id, { expiry_dt: tenOClock })
  await clock.advanceTo('2026-12-01T09:45:00Z')
  assert.deepEqual(recorder.take(), [will(id, 'Rent')])
  await client.updateTask(id, { expiry_dt: '2026-12-01T12:00:00Z' })
  await client.updateTask(id, { expiry_dt: tenOClock })
  await clock.advanceTo('2026-12-02T00:00:00Z')
  assert.deepEqual(recorder.take(), [])
})

test('another title never fires again; the message has the title at the time of sending', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt })
  const { id } = await client.createTask({ title: 'Passport', expiry_dt: tenOClock })
  await client.updateTask(id, { title: 'Renew passport' })
  await clock.advanceTo('2026-12-01T09:45:00Z')
  assert.deepEqual(recorder.take(), [will(id, 'Renew passport')])
  await client.updateTask(id, { title: 'Passport!' })
  await clock.advance(3_600_000)
  assert.deepEqual(recorder.take(), [])
})

test('a completed task does not fire; reopened in time it fires as planned, reopened too late at once', async (t) => {
  const { client, app, clock, recorder } = await startTestApp(t, { startAt })
  const { id } = await client.createTask({ title: 'Contract', expiry_dt: tenOClock })
  await client.completeTask(id)
  await client.reopenTask(id)
  await clock.advanceTo('2026-12-01T09:44:58Z')
  await client.completeTask(id)
  await clock.advanceTo('2026-12-01T09:45:03Z')
  assert.deepEqual(recorder.take(), [])
  await client.reopenTask(id)
  await app.idle()
  assert.deepEqual(recorder.take(), [will(id, 'Contract')], 'nobody had been told')
  await client.completeTask(id)
  await client.reopenTask(id)
  await clock.advance(3_600_000)
  assert.deepEqual(recorder.take(), [], 'told is told')
})

test('a snooze fires once more, even after the expiry, unless the task is completed or moved', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt })
  const snoozed = await client.createTask({ title: 'Snoozed', expiry_dt: tenOClock })
  const done = await client.createTask({ title: 'Done', expiry_dt: tenOClock })
  const moved = await client.createTask({ title: 'Moved', expiry_dt: tenOClock })
  await clock.advanceTo('2026-12-01T09:45:00Z')
  assert.equal(recorder.take().length, 3)
  for (const { id } of [snoozed, done, moved]) await client.snoozeTask(id, { for: 'PT30M' })
  await client.completeTask(done.id)
  await client.updateTask(moved.id, { expiry_dt: '2026-12-02T10:00:00Z' })
  await clock.advanceTo('2026-12-01T10:14:59Z')
  assert.deepEqual(recorder.take(), [])
  await clock.advanceTo('2026-12-01T10:15:00Z')
  assert.deepEqual(recorder.take(), [already(snoozed.id, 'Snoozed')])
  await client.snoozeTask(snoozed.id, { until: '2026-12-01T11:00:00Z' })
  await clock.advanceTo('2026-12-01T11:00:00Z')
  assert.deepEqual(recorder.take(), [already(snoozed.id, 'Snoozed')])
  const { notifications } = await client.listTaskNotifications(snoozed.id)
  assert.deepEqual(
    notifications.map(({ kind, reminder }) => [kind, reminder]),
    [
      ['snooze', null],
      ['snooze', null],
      ['expiring', 'PT15M'],
    ],
  )
})

test('reminders missed during downtime fire at startup, once for each task, the longest due first, marked late', async (t) => {
  const server = await startTestApp(t, { startAt })
  const { client, clock, recorder } = server
  const second = await client.createTask({
    title: 'Second',
    expiry_dt: '2026-12-01T09:40:00Z',
    reminders: ['PT15M', 'PT5M', 'PT0S'],
  })
  const first = await client.createTask({ title: 'First', expiry_dt: '2026-12-01T09:35:00Z' })
  const ahead = await client.createTask({ title: 'Ahead', expiry_dt: '2026-12-01T12:00:00Z' })
  await server.stop()
  clock.set('2026-12-01T11:30:00Z')
  await server.restart()
  await server.app.idle()
  assert.deepEqual(recorder.take(), [already(first.id, 'First', '09:35:00'), already(second.id, 'Second', '09:40:00')])
  const [notification] = (await server.client.listTaskNotifications(first.id)).notifications
  assert.deepEqual([notification?.timing, notification?.lateness_ms], ['late', 130 * 60_000])
  assert.ok(
    server.lines.some((line) => line.endsWith(`(late by 2 h 10 min) ${already(first.id, 'First', '09:35:00')}\n`)),
  )
  await clock.advanceTo('2026-12-01T11:45:00Z')
  assert.deepEqual(recorder.take(), [will(ahead.id, 'Ahead', '12:00:00')])
})

test('a restart loses nothing and repeats nothing', async (t) => {
  const server = await startTestApp(t, { startAt })
  const { id } = await server.client.createTask({ title: 'Rent', expiry_dt: tenOClock, reminders: ['PT15M', 'PT0S'] })
  await server.clock.advanceTo('2026-12-01T09:45:00Z')
  assert.deepEqual(server.recorder.take(), [will(id, 'Rent')])
  await server.restart()
  await server.app.idle()
  assert.deepEqual(server.recorder.take(), [])
  await server.clock.advanceTo(tenOClock)
  assert.deepEqual(server.recorder.take(), [already(id, 'Rent')])
})

test("[] means never; null means the server's default, even when that changes", async (t) => {
  const server = await startTestApp(t, { startAt })
  const { client, clock, recorder } = server
  await client.createTask({ title: 'Never', expiry_dt: tenOClock, reminders: [] })
  const own = await client.createTask({ title: 'Own', expiry_dt: tenOClock, reminders: ['PT15M'] })
  const theirs = await client.createTask({ title: 'Default', expiry_dt: tenOClock })
  await server.restart({ flags: ['--default-reminders=PT5M,PT0S'] })
  await clock.advanceTo('2026-12-01T09:54:59Z')
  assert.deepEqual(recorder.take(), [will(own.id, 'Own')])
  await clock.advanceTo('2026-12-01T09:55:00Z')
  assert.deepEqual(recorder.take(), [will(theirs.id, 'Default')])
  await clock.advanceTo(tenOClock)
  assert.deepEqual(recorder.take(), [already(theirs.id, 'Default')])
})

test('a day before is a calendar day in the zone of the task', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt: '2026-03-27T00:00:00Z' })
  await client.createTask({ title: 'Paris', expiry_dt: '2026-03-29T10:00[Europe/Paris]', reminders: ['P1D'] })
  await clock.advanceTo('2026-03-28T08:59:59Z')
  assert.deepEqual(recorder.take(), [])
  await clock.advanceTo('2026-03-28T09:00:00Z')
  assert.equal(recorder.take().length, 1)
})

test('a title cannot forge a line of the console', async (t) => {
  const { client, app, lines } = await startTestApp(t, { startAt })
  await client.createTask({ title: 'a"\r\nYour task (id:1,title:"b\x1b[2J', expiry_dt: '2026-12-01T09:01:00Z' })
  await app.idle()
  const [line = ''] = lines.filter((text) => text.includes('Your task'))
  assert.equal(line.trimEnd().split(/[\r\n]/).length, 1)
  assert.ok(!line.includes('\x1b'))
})

test('where the log is JSON, a notification is a line of JSON, whatever the log level', async (t) => {
  const flags = ['--log-format=json', '--log-level=silent']
  const { client, app, lines } = await startTestApp(t, { startAt, flags })
  const { id } = await client.createTask({ title: 'Quoted "x"', expiry_dt: '2026-12-01T09:01:00Z' })
  await app.idle()
  assert.equal(lines.length, 1)
  const entry = JSON.parse(lines[0] as string)
  assert.equal(entry.msg, will(id, 'Quoted "x"', '09:01:00'))
  assert.equal(entry.task_id, id)
})

test('a corrupt row delays no other task, and is logged', async (t) => {
  const { client, app, clock, recorder, lines } = await startTestApp(t, { startAt })
  const damaged = await client.createTask({ title: 'Damaged', expiry_dt: tenOClock })
  const sound = await client.createTask({ title: 'Sound', expiry_dt: tenOClock })
  await app.store.transact((tx) =>
    tx.updateTable('tasks').set({ reminders: '{half' }).where('id', '=', damaged.id).execute(),
  )
  await clock.advanceTo('2026-12-01T09:45:00Z')
  assert.deepEqual(recorder.take(), [will(sound.id, 'Sound')])
  assert.ok(lines.some((line) => line.includes('a task cannot fire')))
})
