import assert from 'node:assert/strict'
import { test } from 'node:test'
import { saveHealth } from '#store/channel-health.ts'
import { testDatabase } from '#support/databases.ts'
import { createRecorder } from '#support/recording-channel.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

const hourMs = 3_600_000

/** Two channels of users: `recording`, and another one that works. */
async function start(t: Parameters<typeof startTestApp>[0]) {
  const other = createRecorder('other')
  const app = await startTestApp(t, { channels: [], kinds: [other.kind] })
  const { id } = await app.client.createChannel({ name: 'Phone', kind: 'recording' })
  await app.client.createChannel({ name: 'Mail', kind: 'other' })
  return { ...app, app, id, other }
}

const soon = ({ clock }: Pick<TestApp, 'clock'>) => new Date(clock.now() + 600_000).toISOString()
const words = (messages: readonly { task: { title: string } }[]) => messages.map(({ task }) => task.title)

test('a channel with a failed delivery is failing, until something is sent again', async (t) => {
  const { client, clock, recorder, app, id } = await start(t)
  recorder.answer = () => ({ retry: false, reason: '401 Unauthorized' })
  await client.createTask({ title: 'A', expiry_dt: soon(app) })
  await clock.advance(1_000)
  const failing = await client.getChannel(id)
  assert.deepEqual(
    [failing.status, failing.last_error, failing.failing_since_dt],
    ['failing', '401 Unauthorized', '2026-12-01T09:00:00.000Z'],
  )
  recorder.answer = () => undefined
  await client.createTask({ title: 'B', expiry_dt: soon(app) })
  await clock.advance(1_000)
  const well = await client.getChannel(id)
  assert.deepEqual([well.status, well.last_error, well.failing_since_dt], ['ok', null, null])
  assert.equal(well.last_sent_dt, '2026-12-01T09:00:01.000Z')
})

test('a channel that is gone is switched off at once, and every other channel says so', async (t) => {
  const { client, clock, recorder, app, id, other, lines } = await start(t)
  recorder.answer = () => ({ retry: false, reason: '410 Gone', status: 410, isGone: true })
  await client.createTask({ title: 'A', expiry_dt: soon(app) })
  await clock.advance(1_000)
  const { enabled, status, disabled_reason } = await client.getChannel(id)
  assert.deepEqual([enabled, status, disabled_reason], [false, 'disabled', '410 Gone'])
  assert.deepEqual(words(other.messages), ['A', 'Channel «Phone» is switched off: 410 Gone'])
  assert.ok(lines.some((line) => line.includes('Channel «Phone» is switched off: 410 Gone')))
  assert.equal(recorder.messages.length, 1)
  const task = (await client.listTasks({ status: 'open' })).tasks.find(({ title }) => title.startsWith('Channel'))
  assert.equal(task?.priority, 'high', 'it stands in the list until somebody has seen to it')
})

test('after the first failed delivery every other channel says so, once until the channel works again', async (t) => {
  const { client, clock, recorder, app, id, other } = await start(t)
  const failure = 'Channel «Phone» could not deliver a notification: 401 Unauthorized'
  const titles = () => words(other.messages).filter((title) => title.startsWith('Channel'))
  recorder.answer = () => ({ retry: false, reason: '401 Unauthorized' })
  for (const title of ['A', 'B', 'C']) {
    await client.createTask({ title, expiry_dt: soon(app) })
    await clock.advance(60_000)
  }
  assert.deepEqual(titles(), [failure])
  const task = (await client.listTasks({ status: 'open' })).tasks.find(({ title }) => title === failure)
  assert.equal(task?.priority, 'high')
  assert.match(task?.description ?? '', new RegExp(`/v1/notifications/retry and \\{"channel_id": ${id}\\}`))
  await app.restart()
  await app.client.createTask({ title: 'D', expiry_dt: soon(app) })
  await clock.advance(60_000)
  assert.deepEqual(titles(), [failure], 'a restart is no news')

  recorder.answer = () => undefined
  await app.client.createTask({ title: 'E', expiry_dt: soon(app) })
  await clock.advance(60_000)
  recorder.answer = () => ({ retry: false, reason: '401 Unauthorized' })
  await app.client.createTask({ title: 'F', expiry_dt: soon(app) })
  await clock.advance(60_000)
  assert.deepEqual(titles(), [failure, failure], 'it worked in between')
})

test('two failures with a quiet day between them cause no message', async (t) => {
  const { client, clock, recorder, app, other } = await start(t)
  for (let day = 0; day < 2; day++) {
    recorder.answer = () => ({ retry: true, reason: '503 Service Unavailable' })
    const { id } = await client.createTask({ title: `Day ${day}`, expiry_dt: soon(app) })
    await clock.advance(1_000)
    await client.completeTask(id)
    await clock.advance(25 * hourMs)
  }
  assert.deepEqual(words(other.messages), ['Day 0', 'Day 1'])
})

test('a channel that has delivered nothing for a day is reported on the others, although no delivery has failed yet', async (t) => {
  const { client, clock, recorder, app, id, other } = await start(t)
  // While the first attempt is queued, its time does not run.
  recorder.answer = () => ({ retry: true, reason: '429 Too Many Requests', status: 429, afterMs: hourMs })
  for (let i = 0; i < 40; i++) await client.createTask({ title: `Task ${i}`, expiry_dt: soon(app) })
  await clock.advance(26 * hourMs)
  const titles = words(other.messages).filter((title) => title.startsWith('Channel'))
  assert.deepEqual(titles, ['Channel «Phone» has delivered nothing for a day: 429 Too Many Requests'])
  assert.equal((await client.getChannel(id)).status, 'failing')
})

test('a channel that has only failed for three days is switched off; when switched on again its time restarts', async (t) => {
  const { client, clock, recorder, app, id, other } = await start(t)
  recorder.answer = () => ({ retry: true, reason: '503 Service Unavailable' })
  for (let day = 0; day < 3; day++) {
    await client.createTask({ title: `Day ${day}`, expiry_dt: soon(app) })
    await clock.advance(24 * hourMs - (day === 2 ? 1_000 : 0))
  }
  assert.equal((await client.getChannel(id)).enabled, true)
  await client.createTask({ title: 'Day 3', expiry_dt: soon(app) })
  await clock.advance(10_000)
  const { enabled, disabled_reason } = await client.getChannel(id)
  assert.equal(enabled, false)
  assert.equal(disabled_reason, 'it has only failed for three days (503 Service Unavailable)')
  assert.match(
    words(other.messages).at(-1) ?? '',
    /^Channel «Phone» is switched off: it has only failed for three days/,
  )
  const { notifications } = await client.listNotifications({ channel_id: id, status: 'pending' })
  assert.deepEqual(notifications, [], 'nothing waits for it')

  await client.updateChannel(id, { enabled: true })
  await client.createTask({ title: 'Once more', expiry_dt: soon(app) })
  await clock.advance(1_000)
  assert.deepEqual([(await client.getChannel(id)).enabled, (await client.getChannel(id)).disabled_reason], [true, null])
  recorder.answer = () => undefined
  await clock.advance(10_000)
  assert.equal((await client.getChannel(id)).status, 'ok')
})

test('one success in three days keeps it on', async (t) => {
  const { client, clock, recorder, app, id } = await start(t)
  for (let day = 0; day < 6; day++) {
    recorder.answer = () => (day === 2 ? undefined : { retry: false, reason: '403 Forbidden' })
    await client.createTask({ title: `Day ${day}`, expiry_dt: soon(app) })
    await clock.advance(23 * hourMs)
  }
  assert.equal((await client.getChannel(id)).enabled, true)
})

test('a lock on the record of a channel delays no result of a delivery; its health follows', {
  skip: testDatabase === 'sqlite' && 'of an embedded database there is one server',
}, async (t) => {
  const { client, clock, app, id, lines } = await start(t)
  const [held, freed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holding = app.app.store.transact(async (tx) => {
    await saveHealth(tx, id, { lastError: null })
    held.resolve()
    await freed.promise
  })
  await held.promise
  const { id: taskId } = await client.createTask({ title: 'A', expiry_dt: soon({ clock }) })
  await clock.advance(1_000)
  const { notifications } = await client.listTaskNotifications(taskId)
  const sentWhileHeld = notifications[0]?.deliveries.map(({ state }) => state)
  const before = (await client.getChannel(id)).last_sent_dt
  freed.resolve()
  await holding
  assert.deepEqual(sentWhileHeld, ['sent', 'sent', 'sent'])
  assert.equal(before, null)
  await clock.advance(clock.maxSleepMs)
  assert.notEqual((await client.getChannel(id)).last_sent_dt, null)
  assert.ok(!lines.some((line) => line.includes('storing the health of a channel failed')))
})
