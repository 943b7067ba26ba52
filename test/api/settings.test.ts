import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventWire } from '#api/schemas/event.ts'
import type { DuebellClient } from '#client/client.ts'
import { nextReminder } from '#core/reminder.ts'
import { assertProblem, wireTo } from '#kit/http-requests.ts'
import { startReceiver } from '#kit/webhook-receiver.ts'
import type { Store } from '#store/engine/open.ts'
import { listTasks } from '#store/tasks.ts'
import { getUser } from '#store/users.ts'
import { clientWith, startReplicasWithLogin, startWithLogin } from '#support/accounts.ts'
import { testDatabase } from '#support/databases.ts'
import { insertMany } from '#support/many-tasks.ts'
import { startTestApp } from '#support/test-app.ts'

/** The settings for all tasks of a user: the time zone, and the reminders of tasks without their own. */
const startAt = '2026-12-01T09:00:00Z'
const hourMs = 3_600_000

/** The number of tasks of a user, each of which fires by the settings. */
async function followed({ db }: Pick<Store, 'db'>, userId: number): Promise<number> {
  const { defaults } = await getUser(db, userId)
  const tasks = await listTasks(db, userId, { after: 0, limit: 10_000, offset: 0 })
  for (const task of tasks)
    assert.equal(task.notifyAt, nextReminder(task, defaults), `the alarm of task ${task.id} does not follow`)
  return tasks.length
}

const firesAt = async (client: DuebellClient) =>
  (await client.listUpcoming({ until: '2026-12-10' })).upcoming.map(
    ({ title, due_dt }) => `${title} ${due_dt.slice(0, 16)}`,
  )

test('each setting is the server’s until the user sets one, and again after the user clears it', async (t) => {
  const app = await startTestApp(t, { flags: ['--time-zone=Europe/Paris', '--default-reminders=P1D,PT15M'] })
  const { client } = app
  const chosen = async () => {
    const { time_zone, default_reminders, is_own } = await client.getSettings()
    return [time_zone, default_reminders, is_own.time_zone, is_own.default_reminders]
  }
  assert.deepEqual(await chosen(), ['Europe/Paris', ['P1D', 'PT15M'], false, false])
  const answer = await client.updateSettings({ time_zone: 'america/new_york' })
  assert.deepEqual(answer, await client.getSettings())
  assert.deepEqual(await chosen(), ['America/New_York', ['P1D', 'PT15M'], true, false])
  await client.updateSettings({ default_reminders: [] })
  assert.deepEqual(await chosen(), ['America/New_York', [], true, true], 'none is a choice')
  await client.updateSettings(await client.getSettings()) // as it was read
  assert.deepEqual(await chosen(), ['America/New_York', [], true, true])
  await client.updateSettings({ time_zone: null, default_reminders: null })
  assert.deepEqual(await chosen(), ['Europe/Paris', ['P1D', 'PT15M'], false, false])
})

test('an invalid time zone, lead or hour is refused, and changes nothing', async (t) => {
  const { client, url } = await startTestApp(t)
  const before = await client.getSettings()
  for (const [body, pointer] of [
    [{ time_zone: '' }, '/time_zone'],
    [{ time_zone: 'Mars/Olympus' }, '/time_zone'],
    [{ time_zone: '+01:00' }, '/time_zone'],
    [{ time_zone: 7 }, '/time_zone'],
    [{ default_reminders: ['PT15M', 'soon'] }, '/default_reminders/1'],
    [{ default_reminders: ['2026-12-01T09:00:00Z'] }, '/default_reminders/0'],
    [{ default_reminders: ['--PT15M'] }, '/default_reminders/0'],
    [{ default_day_reminders: ['PT0S', 'PT1H@09:00'] }, '/default_day_reminders/1'],
    [{ default_day_reminders: ['2026-12-01'] }, '/default_day_reminders/0'],
    [{ day_time: '9:00' }, '/day_time'],
    [{ day_time: '24:00' }, '/day_time'],
    [{ default_reminders: ['PT15M', 'PT15M'] }, '/default_reminders'],
    [{ default_reminders: Array.from({ length: 21 }, (_, i) => `PT${i}M`) }, '/default_reminders'],
    [{ quiet_hours: { from: '22:00' } }, '/quiet_hours/until'],
    [{ quiet_hours: { from: '24:00', until: '07:00' } }, '/quiet_hours/from'],
    [{ time_zone: 'UTC', defaults: [] }, '/defaults'],
    [{ time_zone: 'Europe/Paris', default_reminders: ['x'] }, '/default_reminders/0'],
  ] as const)
    assertProblem(await wireTo(url)('PATCH', '/v1/settings', { body }), 422, pointer)
  assert.deepEqual(await client.getSettings(), before)
})

test('all alarms that depend on the settings are recomputed before the response', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client } = app
  const expiry_dt = '2026-12-05T10:00:00Z'
  await client.createTask({ title: 'default', expiry_dt })
  await client.createTask({ title: 'own lead', expiry_dt, reminders: ['PT1H'] })
  await client.createTask({ title: 'local day', expiry_dt: '2026-12-06T00:00:00+01:00', reminders: ['P1D'] })
  const done = await client.createTask({ title: 'done', expiry_dt })
  await client.completeTask(done.id)
  const before = (await client.listTasks()).tasks

  await client.updateSettings({ default_reminders: ['PT2H', 'PT5M'] })
  assert.deepEqual(await firesAt(client), [
    'local day 2026-12-04T23:00',
    'default 2026-12-05T08:00',
    'own lead 2026-12-05T09:00',
    'default 2026-12-05T09:55',
  ])
  assert.deepEqual(
    (await client.listTasks()).tasks,
    before,
    'of the tasks themselves nothing has changed, nor their versions',
  )
  assert.equal((await client.createTask({ title: 'another', expiry_dt })).reminders, null)
  await client.updateSettings({ default_reminders: [] })
  assert.deepEqual(await firesAt(client), ['local day 2026-12-04T23:00', 'own lead 2026-12-05T09:00'])
  await client.updateSettings({ default_reminders: null })
  assert.ok((await firesAt(client)).includes('another 2026-12-05T09:45'), 'as the server has it')
  assert.equal(await followed(app.app.store, 1), 5)
})

test('including those of 2,500 tasks, and of no other user', async (t) => {
  const { app, root, add } = await startWithLogin(t, { startAt })
  const ada = await add('ada')
  const { store } = app.app
  const expiry_at = app.clock.now() + 100 * hourMs
  const alarm = { expiry_at, notify_at: expiry_at - hourMs / 4 }
  await insertMany(store, 2_500, { user_id: ada.id, ...alarm })
  await insertMany(store, 10, alarm)
  const countFiringAt = async (at: number) =>
    (await store.db.selectFrom('tasks').select('id').where('notify_at', '=', at).execute()).length
  await ada.client.updateSettings({ default_reminders: ['PT1H'] })
  assert.deepEqual([await countFiringAt(expiry_at - hourMs), await countFiringAt(alarm.notify_at)], [2_500, 10])
  // The day before, in a zone with another offset by then.
  await ada.client.updateSettings({ default_reminders: ['P1D'], time_zone: 'Europe/Paris' })
  assert.deepEqual([await followed(store, ada.id), await followed(store, root.id)], [2_500, 10])
})

test('reminders that have fired do not fire again, and those due by the new settings fire at once', async (t) => {
  const { client, clock, recorder, app } = await startTestApp(t, { startAt })
  await client.createTask({ title: 'fired', expiry_dt: '2026-12-01T09:20:00Z' })
  await client.createTask({ title: 'not yet', expiry_dt: '2026-12-01T09:40:00Z' })
  await clock.advanceTo('2026-12-01T09:10:00Z')
  const notified = () =>
    recorder.messages.map(({ task, sentAt }) => `${task.title} ${new Date(sentAt).toISOString().slice(11, 19)}`)
  assert.deepEqual(notified(), ['fired 09:05:00'])
  await client.updateSettings({ default_reminders: ['PT45M', 'PT5M'] })
  await app.idle()
  assert.deepEqual(notified().slice(1), ['not yet 09:10:00'], 'as if it had been created so')
  await clock.advanceTo('2026-12-01T09:40:00Z')
  assert.deepEqual(notified().slice(2), ['fired 09:15:00', 'not yet 09:35:00'])
  await client.updateSettings({ default_reminders: null })
  await clock.advance(hourMs)
  assert.equal(recorder.messages.length, 4)
})

test('each user gets times in their own zone, on the console, by webhook and in the stream', async (t) => {
  // A receiver of webhooks refuses timestamps that are not current.
  const now = Math.floor(Date.now() / 60_000) * 60_000
  const flags = ['--member-hosts=127.0.0.1']
  const { app, root, add } = await startWithLogin(t, { startAt: new Date(now).toISOString(), flags, channels: [] })
  const receiver = await startReceiver(t)
  const options = { url: receiver.url, secret: receiver.secret }
  const expiryAt = now + 16 * 60_000
  const people = [
    { person: await add('ada'), zone: 'Asia/Kolkata' },
    { person: await add('bob'), zone: 'America/New_York' },
    { person: root, zone: null },
  ]
  for (const { person, zone } of people) {
    const { client, name } = person
    await client.updateSettings({ time_zone: zone })
    await client.createChannel({ name: 'Hook', kind: 'webhook', options })
    await client.createTask({ title: `of ${name}`, expiry_dt: new Date(expiryAt).toISOString() })
  }
  await app.clock.advance(60_000)
  assert.deepEqual([receiver.receipts.length, receiver.faults], [3, []])

  for (const { person, zone } of people) {
    const { client, name } = person
    const local = Temporal.Instant.fromEpochMilliseconds(expiryAt).toZonedDateTimeISO(zone ?? 'UTC')
    const time = local.toString({ timeZoneName: 'never', smallestUnit: 'second' })
    const mentions = (text: string | undefined) => text?.includes(`"of ${name}") will be expired at ${time}!`)
    assert.equal(app.lines.filter((line) => mentions(line)).length, 1, `the console: ${name}`)
    assert.equal(receiver.receipts.filter(({ message }) => mentions(message)).length, 1, `the webhook: ${name}`)
    const stopping = new AbortController()
    const events = client.followEvents({ after: '0', types: ['task.expiring'] }, { signal: stopping.signal })
    const event = (await events.next()).value as EventWire
    assert.ok(mentions(event.data.message), `the stream: ${event.data.message}`)
    stopping.abort()
  }
})

test('a time without an offset is in the user’s zone', async (t) => {
  const { client } = await startTestApp(t, { startAt })
  await client.updateSettings({ time_zone: 'Asia/Kolkata' })
  const { id, expiry_dt } = await client.createTask({ title: 'a', expiry_dt: '2026-12-02T00:00' })
  assert.equal(expiry_dt, '2026-12-01T18:30:00.000Z')
  assert.equal((await client.listTasks({ expires_before: '2026-12-02T00:00' })).tasks.length, 0)
  assert.equal((await client.listTasks({ expires_before: '2026-12-02T00:01' })).tasks[0]?.id, id)
  await client.updateSettings({ time_zone: null })
  assert.equal((await client.getTask(id)).expiry_dt, expiry_dt, 'what was read so stays')
})

test('a repeated request, after a lost response, is completed', async (t) => {
  const { client, app } = await startTestApp(t, { startAt })
  const { store } = app
  const expiry_at = Date.parse(startAt) + 100 * hourMs
  await insertMany(store, 10, { expiry_at, notify_at: expiry_at - hourMs / 4 })
  await client.updateSettings({ default_reminders: ['PT1H'] })
  // The state that a killed server leaves: some alarms are not recomputed.
  await store.transact(async (tx) => {
    await tx.updateTable('users').set({ alarms_stale: 1 }).execute()
    await tx.updateTable('tasks').set({ notify_at: expiry_at }).where('id', '>', 5).execute()
  })
  await client.updateSettings({ default_reminders: ['PT1H'] })
  assert.equal(await followed(store, 1), 10)
})

test('of two concurrent changes one wins, and all alarms follow it', async (t) => {
  const { client, app } = await startTestApp(t, { startAt })
  const expiry_at = Date.parse(startAt) + 100 * hourMs
  await insertMany(app.store, 2_500, { expiry_at, notify_at: expiry_at - hourMs / 4 })
  for (let round = 0; round < 3; round++) {
    await Promise.all(
      [1, 2, 3, 4].map((hours) => client.updateSettings({ default_reminders: [`PT${hours + 4 * round}H`] })),
    )
    assert.equal(await followed(app.store, 1), 2_500)
  }
})

test('a task created during a change, on any replica, fires by the new settings', {
  skip: testDatabase === 'sqlite' && 'of an embedded database there is one server',
}, async (t) => {
  const { clock, here, there, token } = await startReplicasWithLogin(t)
  const [a, b] = [clientWith(here.url, token), clientWith(there.url, token)]
  const expiry_dt = new Date(clock.now() + 100 * hourMs).toISOString()
  let isChanging = true
  let created = 0
  const create = async (client: DuebellClient) => {
    for (; isChanging; created++) await client.createTask({ title: 'one of many', expiry_dt })
  }
  const creating = [a, b, a, b, a, b].map(create)
  for (let i = 1; i <= 6; i++) {
    const before = created
    await Promise.all([a, b].map((client, j) => client.updateSettings({ default_reminders: [`PT${2 * i + j}H`] })))
    while (created < before + 12) await a.getHealth()
  }
  isChanging = false
  await Promise.all(creating)
  assert.equal(await followed(here.store, 1), created)
})
