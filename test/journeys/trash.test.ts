import assert from 'node:assert/strict'
import { test } from 'node:test'
import { restoreTasks } from '#actions/trash.ts'
import { createClient } from '#client/client.ts'
import type { Outcome } from '#core/delivery.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { startTestApp } from '#support/test-app.ts'

/** Deleted tasks do not fire. Restored ones fire once for reminders that nothing was delivered for. Old data is purged. */
const startAt = '2026-12-01T09:00:00Z'
const tenOClock = '2026-12-01T10:00:00Z'
const dayMs = 86_400_000
const unavailable: Outcome = { retry: true, reason: '503 Service Unavailable' }

const notified = (messages: readonly { task: { title: string }; notification: { dueAt: number; timing: string } }[]) =>
  messages.map(
    ({ task, notification }) =>
      `${task.title} ${new Date(notification.dueAt).toISOString().slice(11, 16)} ${notification.timing}`,
  )

test('a task deleted and restored a second before it is due fires on time, once', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt })
  const { id } = await client.createTask({ title: 'Passport', expiry_dt: tenOClock })
  await clock.advanceTo('2026-12-01T09:44:59Z')
  await client.deleteTask(id)
  await clock.advanceTo('2026-12-01T09:44:59.999Z')
  await client.restoreTasks({ ids: [id] })
  await clock.advanceTo('2026-12-01T09:45:00Z')
  assert.deepEqual(notified(recorder.messages), ['Passport 09:45 on_time'])
  await clock.advance(dayMs)
  assert.equal(recorder.messages.length, 1)
})

test('a reminder that came due in the trash fires once after the restore; later ones stay', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt })
  const { id } = await client.createTask({
    title: 'Visa',
    expiry_dt: tenOClock,
    reminders: ['PT45M', 'PT30M', 'PT15M', 'PT5M'],
  })
  await clock.advanceTo('2026-12-01T09:15:00Z')
  assert.deepEqual(notified(recorder.messages), ['Visa 09:15 on_time'])
  await client.deleteTasks({ ids: [id] })
  await clock.advanceTo('2026-12-01T09:50:00Z')
  assert.equal(recorder.messages.length, 1, 'nothing rings from the trash')
  await client.restoreTasks({ ids: [id] })
  await clock.advance(0)
  await clock.advanceTo(tenOClock)
  assert.deepEqual(notified(recorder.messages), ['Visa 09:15 on_time', 'Visa 09:45 immediate', 'Visa 09:55 on_time'])
  assert.equal((await client.listTaskNotifications(id)).notifications.length, 3, 'with its history')
})

test('reminders that have fired do not fire again; tasks that are completed or have no alarm are restored silently', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt })
  const fired = await client.createTask({ title: 'Fired', expiry_dt: tenOClock })
  await clock.advanceTo('2026-12-01T09:45:00Z')
  const done = await client.createTask({ title: 'Done', expiry_dt: tenOClock, completed_dt: startAt })
  const silent = await client.createTask({ title: 'Silent' })
  const { batch } = await client.deleteTasks()
  await clock.advanceTo('2026-12-01T11:00:00Z')
  assert.equal((await client.restoreTasks({ batch: batch as string })).count, 3)
  await clock.advance(dayMs)
  assert.deepEqual(notified(recorder.messages), ['Fired 09:45 on_time'])
  assert.deepEqual(
    (await client.listTasks()).tasks.map(({ id }) => id),
    [fired.id, done.id, silent.id],
  )
})

test('a notification in flight when its task was deleted is cancelled; after a restore it is delivered, under its own id', async (t) => {
  const { client, clock, recorder } = await startTestApp(t, { startAt })
  const { id } = await client.createTask({ title: 'Passport', expiry_dt: tenOClock })
  recorder.answer = () => unavailable
  await clock.advanceTo('2026-12-01T09:45:00Z')
  const { batch } = await client.deleteTasks()
  recorder.answer = () => undefined
  await clock.advance(60_000)
  const delivery = async () => {
    const [notification] = (await client.listNotifications()).notifications
    return notification?.deliveries.find(({ kind }) => kind === 'recording')
  }
  assert.deepEqual([(await delivery())?.state, (await delivery())?.error], ['cancelled', 'the task was deleted'])
  assert.equal(recorder.messages.length, 1, 'no attempt began after the answer')
  await client.restoreTasks({ batch: batch as string })
  await clock.advance(0)
  assert.equal((await delivery())?.state, 'sent')
  const [first, second, third] = recorder.messages
  assert.deepEqual([second?.deliveryId, third], [first?.deliveryId, undefined])
  assert.equal((await client.listTaskNotifications(id)).notifications.length, 1)
})

test('a task that is restored while its notification is being cancelled still gets it', async (t) => {
  let restore: (() => Promise<unknown>) | undefined
  let restoring: Promise<unknown> | undefined
  const app = await startTestApp(t, {
    startAt,
    wrapDatabase: (dialect) =>
      wrapConnections(dialect, async (text, run) => {
        const result = await run()
        // Not found by the check before an attempt; and checked once more, under a lock, before the result is recorded.
        if (!/^select \* from .tasks. where .id. (in|= any)/.test(text)) return result
        if (restore && text.includes('order by')) restoring ??= restore()
        // If another connection can, it restores the task completely between the two statements.
        if (app.app.store.dialect.isShared) await restoring
        return result
      }),
  })
  const { client, clock, recorder } = app
  recorder.answer = () => unavailable
  const { id } = await client.createTask({ title: 'Due', expiry_dt: '2026-12-01T09:10:00Z' })
  await clock.advance(0)
  await client.deleteTask(id)
  recorder.answer = () => undefined
  const { transact, db } = app.app.store
  const ctx = { transact, db, wake() {} }
  const signal = new AbortController().signal
  restore = () => restoreTasks({ ...ctx, signal }, { userId: 1 }, { ids: [id] })
  await clock.advance(60_000)
  assert.ok(restoring)
  await restoring
  await clock.advance(3_600_000)
  const [notification] = (await client.listTaskNotifications(id)).notifications
  assert.equal(notification?.deliveries.find(({ kind }) => kind === 'recording')?.state, 'sent')
  assert.equal(recorder.messages.length, 2)
})

test('tasks in the trash stay there over a restart, and are purged after thirty days', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { clock } = app
  const { id } = await app.client.createTask({ title: 'x' })
  await app.client.deleteTask(id)
  const deletedAt = clock.now()
  const inTrash = async () => (await createClient(app.url).listTrash()).tasks.length
  await clock.advance(15 * dayMs)
  await app.restart()
  await clock.advanceTo(deletedAt + 29.99 * dayMs)
  assert.equal(await inTrash(), 1)
  await clock.advanceTo(deletedAt + 30.01 * dayMs)
  assert.equal(await inTrash(), 0)
  assert.deepEqual((await app.client.restoreTasks({ ids: [id] })).missing, [id])
})

for (const [days, remaining, gone] of [
  [0, 60_000, 65 * 60_000],
  [1, 0.99 * dayMs, 1.01 * dayMs],
  [3_650, 31 * dayMs, undefined],
] as const)
  test(`with --trash-days=${days} they are purged after that time, and the response has its end`, async (t) => {
    const { client, clock } = await startTestApp(t, { startAt, flags: [`--trash-days=${days}`] })
    const { id } = await client.createTask({ title: 'x' })
    const { deleted_dt, restore_until_dt } = await client.deleteTask(id)
    assert.equal(Date.parse(restore_until_dt) - Date.parse(deleted_dt), days * dayMs)
    await clock.advance(remaining)
    assert.equal((await client.listTrash()).tasks.length, 1)
    if (gone === undefined) return
    await clock.advance(gone - remaining)
    assert.equal((await client.listTrash()).tasks.length, 0)
  })

test('changes are kept for seven days, and an older cursor gets an error that says so', async (t) => {
  const { client, clock, app } = await startTestApp(t, { startAt })
  const changes = () => app.store.db.selectFrom('changes').select('number').orderBy('number').execute()
  const forgotten = async () =>
    (await app.store.db.selectFrom('counters').select('forgotten').where('user_id', '=', 1).executeTakeFirstOrThrow())
      .forgotten
  await client.createTask({ title: 'old' })
  await client.createTask({ title: 'old' })
  await clock.advance(3 * dayMs)
  await client.createTask({ title: 'young' })
  await clock.advance(3.99 * dayMs)
  assert.deepEqual([(await changes()).length, await forgotten()], [3, 0])
  await clock.advance(0.02 * dayMs)
  assert.deepEqual([(await changes()).map(({ number }) => number), await forgotten()], [[3], 2])
  await clock.advance(30 * dayMs)
  assert.deepEqual([await changes(), await forgotten()], [[], 3])
  await client.createTask({ title: 'next' })
  assert.deepEqual(
    (await changes()).map(({ number }) => number),
    [4],
    'numbers go on',
  )
})
