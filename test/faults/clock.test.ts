import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '#clock.ts'
import { watchQuiescence } from '#support/quiescence.ts'
import { startTestApp } from '#support/test-app.ts'

/** Clocks that are set, time zones that change to summer time, and times further ahead than a timer can count. */
const startAt = '2026-12-01T09:00:00Z'
const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000]

/** A clock step wakes no loop, so the app, asleep until a time that has passed, does not count as idle. */
async function startApp(t: TestContext, startAt: string) {
  const rest = watchQuiescence()
  const app = await startTestApp(t, { startAt, wrapDatabase: rest.wrap })
  rest.rule(app.clock)
  return app
}

test('after a forward step of the clock the skipped reminders fire, once for each task and marked late, and no later ones', async (t) => {
  const { client, clock, recorder } = await startApp(t, startAt)
  const missed = await client.createTask({
    title: 'Missed',
    expiry_dt: '2026-12-01T10:00:00Z',
    reminders: ['PT45M', 'PT15M'],
  })
  await client.createTask({ title: 'Ahead', expiry_dt: '2026-12-01T11:00:00Z' })
  clock.set('2026-12-01T10:10:00Z')
  await clock.advance(clock.maxSleepMs)
  const [notification, ...others] = (await client.listTaskNotifications(missed.id)).notifications
  assert.deepEqual([notification?.timing, notification?.due_dt, others.length], ['late', '2026-12-01T09:45:00.000Z', 0])
  assert.deepEqual(
    recorder.messages.map(({ task, notification: { dueAt } }) => [task.title, dueAt]),
    [
      ['Missed', Date.parse('2026-12-01T09:45:00Z')],
      ['Ahead', Date.parse('2026-12-01T10:45:00Z')],
    ],
  )
})

test('after a backward step of the clock no reminder fires early, and none fires twice', async (t) => {
  const { client, clock, recorder } = await startApp(t, startAt)
  await client.createTask({ title: 'Fired', expiry_dt: '2026-12-01T09:20:00Z' })
  await client.createTask({ title: 'Ahead', expiry_dt: '2026-12-01T10:00:00Z' })
  await clock.advanceTo('2026-12-01T09:10:00Z')
  assert.deepEqual(
    recorder.messages.map(({ task }) => task.title),
    ['Fired'],
  )
  clock.set('2026-12-01T07:10:00Z')
  await clock.advanceTo('2026-12-01T09:44:59.999Z')
  assert.equal(recorder.messages.length, 1)
  await clock.advanceTo('2026-12-01T09:45:00Z')
  assert.deepEqual(
    recorder.messages.map(({ task }) => task.title),
    ['Fired', 'Ahead'],
  )
  await clock.advance(dayMs)
  assert.equal(recorder.messages.length, 2)
})

test('a reminder created after a backward step fires, although a later instant has fired already', async (t) => {
  const { client, clock, recorder } = await startApp(t, startAt)
  const snoozed = await client.createTask({ title: 'Snoozed', expiry_dt: '2026-12-01T09:20:00Z' })
  const changed = await client.createTask({ title: 'Changed', expiry_dt: '2026-12-01T09:20:00Z' })
  await clock.advanceTo('2026-12-01T09:05:00Z')
  assert.equal(recorder.messages.length, 2)
  clock.set('2026-12-01T07:00:00Z')
  await client.snoozeTask(snoozed.id, { for: 'PT30M' })
  await client.updateTask(changed.id, { reminders: ['2026-12-01T07:40:00Z', 'PT15M'] })
  await clock.advanceTo('2026-12-01T07:45:00Z')
  assert.deepEqual(
    recorder.messages.slice(2).map(({ task, sentAt }) => [task.title, new Date(sentAt).toISOString()]),
    [
      ['Snoozed', '2026-12-01T07:30:00.000Z'],
      ['Changed', '2026-12-01T07:40:00.000Z'],
    ],
  )
  await clock.advance(dayMs)
  assert.equal(recorder.messages.length, 4, 'and what has fired does not ring again')
})

test('a forward step of 400 days, and back again, loses and repeats nothing', async (t) => {
  const { client, clock, recorder } = await startApp(t, startAt)
  const in10Days = await client.createTask({ title: 'In 10 days', expiry_dt: '2026-12-11T09:00:00Z' })
  const in500Days = await client.createTask({ title: 'In 500 days', expiry_dt: '2028-04-14T09:00:00Z' })
  clock.set('2028-01-05T09:00:00Z')
  await clock.advance(hourMs)
  assert.deepEqual(
    recorder.messages.map(({ task, kind }) => [task.id, kind]),
    [[in10Days.id, 'expired']],
  )
  clock.set('2026-12-01T10:00:00Z')
  await clock.advance(20 * dayMs)
  assert.equal(recorder.messages.length, 1)
  clock.set('2028-04-14T08:44:00Z')
  await clock.advance(2 * minuteMs + hourMs)
  assert.deepEqual(
    recorder.messages.map(({ task }) => task.id),
    [in10Days.id, in500Days.id],
  )
})

for (const [what, ahead] of [
  ['24.9 days, more than a timer of 32 bits can wait', 2 ** 31 + 60_000],
  ['10 years', 3_653 * dayMs],
] as const)
  test(`a notification in ${what} is neither early nor late`, async (t) => {
    const { client, clock, recorder } = await startApp(t, startAt)
    const dueAt = Date.parse(startAt) + ahead
    await client.createTask({ title: 'Far', expiry_dt: new Date(dueAt).toISOString(), reminders: ['PT0S'] })
    await clock.advance(3 * dayMs)
    assert.equal(recorder.messages.length, 0)
    clock.set(dueAt - 5 * hourMs) // the time between has no further case
    await clock.advance(5 * hourMs - 1)
    assert.equal(recorder.messages.length, 0)
    await clock.advance(1)
    assert.deepEqual(
      recorder.messages.map(({ sentAt, notification: { timing } }) => [sentAt, timing]),
      [[dueAt, 'on_time']],
    )
  })

test('the system clock does not return at once from a sleep that exceeds the maximum of timers', async () => {
  const waking = new AbortController()
  const sleep = systemClock.sleep(2 ** 31 + 1, waking.signal).then(() => 'awake')
  // setTimeout(2 ** 31) fires after 1 ms.
  assert.equal(await Promise.race([sleep, delay(30, 'asleep')]), 'asleep')
  waking.abort()
  assert.equal(await sleep, 'awake')
})

for (const expiry of ['2038-01-19T03:14:07Z', '2038-01-19T03:14:08Z', '2106-02-07T06:28:16Z', '9999-12-29T23:59:59Z'])
  test(`${expiry} is a valid time like any other`, async (t) => {
    const dueAt = Date.parse(expiry)
    const { client, clock, recorder } = await startApp(t, new Date(dueAt - 2 * hourMs).toISOString())
    const task = await client.createTask({ title: 'Late in history', expiry_dt: expiry })
    assert.equal(Date.parse(task.expiry_dt as string), dueAt)
    await clock.advance(2 * hourMs - 15 * minuteMs - 1)
    assert.equal(recorder.messages.length, 0)
    await clock.advance(1)
    assert.equal(recorder.messages.length, 1)
  })

/** Days on which clocks change, and the local time at which a task expires. */
const changes: [zone: string, day: string, eve: string, what: string][] = [
  ['Europe/Paris', '2027-03-28', '2027-03-27', 'an hour is left out'],
  ['Europe/Paris', '2027-10-31', '2027-10-30', 'an hour is there twice'],
  ['America/New_York', '2027-03-14', '2027-03-13', 'an hour is left out'],
  ['America/New_York', '2027-11-07', '2027-11-06', 'an hour is there twice'],
  ['Australia/Lord_Howe', '2027-04-04', '2027-04-03', 'half an hour is there twice'],
  ['Australia/Lord_Howe', '2027-10-03', '2027-10-02', 'half an hour is left out'],
  ['America/Santiago', '2027-09-05', '2027-09-04', 'the day has no midnight'],
  ['America/Santiago', '2027-04-04', '2027-04-03', 'the eve has the last hour twice'],
  ['Africa/Cairo', '2027-04-30', '2027-04-29', 'the day has no midnight'],
  ['Africa/Cairo', '2027-10-29', '2027-10-28', 'the eve has the last hour twice'],
]

for (const [zone, day, eve, what] of changes)
  test(`${zone}, ${day}, where ${what}: a day before is the same local time of the previous day`, async (t) => {
    const { client, clock, recorder } = await startApp(t, `${eve}T00:00:00Z`)
    clock.set(clock.now() - dayMs)
    const draft = { expiry_dt: `${day}T10:00`, time_zone: zone, reminders: ['P1D'] }
    const { id } = await client.createTask({ title: 'The day before', ...draft })
    await client.createTask({ title: '24 hours before', ...draft, reminders: ['PT24H'] })
    await clock.advance(4 * dayMs)
    // Not by Temporal, which is under test.
    const onTheWall = new Intl.DateTimeFormat('sv', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' })
    const notified = recorder.messages.map(({ task, sentAt }) => [task.id === id, onTheWall.format(sentAt)] as const)
    assert.equal(notified.length, 2)
    assert.deepEqual(
      notified.filter(([isIt]) => isIt),
      [[true, `${eve} 10:00:00`]],
    )
    assert.notEqual(notified.find(([isIt]) => !isIt)?.[1], `${eve} 10:00:00`, 'the clocks did change')
  })

for (const [what, expiry, firedAt] of [
  ['does not exist on the eve rings an hour on', '2027-03-29T02:30', '2027-03-28T01:30:00.000Z'],
  ['is there twice on the eve rings the first time, and once', '2027-11-01T02:30', '2027-10-31T00:30:00.000Z'],
] as const)
  test(`a local time that ${what}`, async (t) => {
    const { client, clock, recorder } = await startApp(t, new Date(Date.parse(firedAt) - dayMs).toISOString())
    await client.createTask({ title: 'Odd', expiry_dt: expiry, time_zone: 'Europe/Paris', reminders: ['P1D'] })
    await clock.advance(3 * dayMs)
    assert.deepEqual(
      recorder.messages.map(({ sentAt }) => new Date(sentAt).toISOString()),
      [firedAt],
    )
  })
