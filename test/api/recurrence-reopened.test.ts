import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusal } from '#kit/http-requests.ts'
import { taskChangesSince } from '#store/changes.ts'
import { builtInUserId } from '#store/users.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

/** Completed recurring tasks that are reopened, or come back from the trash. */

const rent = { title: 'Pay rent', expiry_dt: '2026-12-01T18:00[Europe/Paris]', recurrence: { rule: 'FREQ=DAILY' } }

/** The kind and task of the last two changes, without notifications. */
async function lastChanges({ app }: TestApp) {
  const changes = await taskChangesSince(app.store.db, builtInUserId, 0, 1_000)
  return changes.slice(-2).map(({ kind, taskId }) => [kind, taskId])
}

test('reopening takes the next task back while it is unchanged', async (t) => {
  const app = await startTestApp(t)
  const { client, clock } = app
  const create = async () => (await client.createTask({ ...rent, key: 'rent' })).id

  await t.test('it is gone for good, and the key is back', async () => {
    const id = await create()
    const { next_id } = await client.completeTask(id)
    const reopened = await client.reopenTask(id)
    assert.deepEqual([reopened.next_id, reopened.key, reopened.version], [null, 'rent', 3])
    assert.equal((await refusal(client.getTask(next_id as number))).status, 404)
    assert.deepEqual((await client.listTrash()).tasks, [])
    assert.deepEqual(await lastChanges(app), [
      ['reopened', id],
      ['deleted', next_id],
    ])
    const again = await client.completeTask(id)
    assert.notEqual(again.next_id, next_id)
    assert.equal((await client.getTask(again.next_id as number)).key, 'rent')
    await client.deleteTasks()
  })

  await t.test('not after a change, a completion or a deletion: then completing again creates none', async () => {
    const changes: ((id: number) => Promise<unknown>)[] = [
      (id) => client.updateTask(id, { title: 'other' }),
      (id) => client.completeTask(id),
      (id) => client.deleteTask(id),
    ]
    for (const change of changes) {
      const id = await create()
      const { next_id } = await client.completeTask(id)
      await change(next_id as number)
      const reopened = await client.reopenTask(id)
      assert.deepEqual([reopened.next_id, reopened.key], [next_id, null])
      const count = (await client.listTasks()).tasks.length
      assert.equal((await client.completeTask(id)).next_id, next_id)
      assert.equal((await client.listTasks()).tasks.length, count)
      await client.deleteTasks()
    }
  })

  await t.test('a next task that has fired is deleted too, and its pending deliveries are cancelled', async () => {
    const { id } = await client.createTask({ ...rent, expiry_dt: new Date(clock.now() - 86_000_000).toISOString() })
    const { next_id } = await client.completeTask(id)
    await clock.whenIdle()
    const { notifications } = await client.listNotifications()
    assert.equal(notifications[0]?.task_id, next_id)
    await client.reopenTask(id)
    await clock.advance(60_000)
    assert.equal((await client.getTask(id)).next_id, null)
  })

  await t.test('one request may reopen and change both: then both stay', async () => {
    const id = await create()
    const next_id = (await client.completeTask(id)).next_id as number
    const { tasks } = await client.updateTasks({
      tasks: [
        { id: next_id, priority: 'high' },
        { id, completed_dt: null },
      ],
    })
    assert.deepEqual(
      tasks.map((task) => [task.id, task.next_id]),
      [
        [next_id, null],
        [id, next_id],
      ],
    )
  })
})

test('the trash keeps a completed task with its next one', async (t) => {
  const { client } = await startTestApp(t)
  const { id } = await client.createTask({ ...rent, key: 'rent' })
  const { next_id } = await client.completeTask(id)
  const before = await client.getTask(id)
  await client.deleteTask(id)
  await client.restoreTasks({ ids: [id] })
  const restored = await client.getTask(id)
  assert.deepEqual({ ...restored, version: 2, update_dt: before.update_dt }, before)
  assert.equal((await client.reopenTask(id)).key, 'rent', 'and reopening takes that back')
  assert.equal((await refusal(client.getTask(next_id as number))).status, 404)
})
