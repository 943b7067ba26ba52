import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TaskPatchWire } from '#api/schemas/task.ts'
import { refusal, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'
import { startAt } from './tasks.ts'

/** Changes of many tasks in one request, and deletion. */

test('a change of many', async (t) => {
  const { client, url } = await startTestApp(t, { startAt })
  const [one, two, three] = await Promise.all(
    ['one', 'two', 'three'].map((title) => client.createTask({ title, key: title })),
  )
  assert.ok(one && two && three)
  const all = async () => (await client.listTasks()).tasks

  await t.test('returns the tasks in the order of the request, and lists unknown ids', async () => {
    const { tasks, missing } = await client.updateTasks({
      tasks: [{ id: three.id, title: 'THREE' }, { id: 4_711, title: '?' }, { id: one.id, tags: ['x'] }, { id: 4_712 }],
    })
    assert.deepEqual(tasks, [
      { ...three, title: 'THREE', version: 2 },
      { ...one, tags: ['x'], version: 2 },
    ])
    assert.deepEqual(missing, [4_711, 4_712])
    assert.deepEqual(await client.getTask(two.id), two)
  })

  await t.test('an empty list changes nothing', async () => {
    assert.deepEqual(await client.updateTasks({ tasks: [] }), { tasks: [], missing: [] })
  })

  const bad: [why: string, status: number, item: Omit<TaskPatchWire, 'id' | 'version'>, pointer?: string][] = [
    ['a time that is none', 422, { expiry_dt: '2026-02-30' }, '/tasks/1/expiry_dt'],
    ['a zone that is none', 422, { time_zone: 'Mars/Phobos' }, '/tasks/1/time_zone'],
    ['NUL in a tag', 422, { tags: ['a\0'] }, '/tasks/1/tags/0'],
    ['an empty title', 422, { title: '' }, '/tasks/1/title'],
    ['a key that is taken', 409, { key: 'three' }],
  ]
  for (const [why, status, item, pointer] of bad) {
    await t.test(`with one bad item changes nothing: ${why}`, async () => {
      const before = await all()
      const request = client.updateTasks({
        tasks: [
          { id: one.id, title: 'changed' },
          { id: two.id, ...item },
          { id: three.id, title: 'changed too' },
        ],
      })
      const { status: actual, problem } = await refusal(request)
      assert.equal(actual, status)
      if (pointer)
        assert.deepEqual(
          problem.errors?.map((error) => error.pointer),
          [pointer],
        )
      assert.deepEqual(await all(), before)
    })
  }

  await t.test('with a repeated id is 422, whether it exists or not', async () => {
    const before = await all()
    for (const id of [one.id, 4_711]) {
      const { status, problem } = await refusal(
        client.updateTasks({ tasks: [{ id, title: 'a' }, { id: two.id }, { id, title: 'b' }] }),
      )
      assert.equal(status, 422)
      assert.equal(problem.errors?.[0]?.pointer, '/tasks/2/id')
    }
    assert.deepEqual(await all(), before)
  })

  await t.test('accepts 1,000 items and no more', async () => {
    const items = Array.from({ length: 1_001 }, (_, i) => ({ id: 10_000 + i }))
    assert.equal((await client.updateTasks({ tasks: items.slice(1) })).missing.length, 1_000)
    const { status, problem } = await refusal(client.updateTasks({ tasks: items }))
    assert.deepEqual([status, problem.errors?.[0]?.pointer], [422, '/tasks'])
  })

  await t.test('may be the whole list as it was read: GET → PUT changes nothing', async () => {
    const { body: list } = await wireTo(url)('GET', '/v1/tasks')
    assert.deepEqual((await client.updateTasks({ tasks: list.tasks })).tasks, list.tasks)
    assert.deepEqual(await all(), list.tasks)
  })
})

test('deleting', async (t) => {
  const { client, clock } = await startTestApp(t, { startAt })

  await t.test('returns the id and the time, and the task is gone', async () => {
    const { id } = await client.createTask({ title: 'x' })
    const { id: deleted, deleted_dt } = await client.deleteTask(id)
    assert.equal(deleted, id)
    assert.equal(Date.parse(deleted_dt), clock.now())
    assert.equal((await refusal(client.getTask(id))).status, 404)
    assert.equal((await refusal(client.deleteTask(id))).status, 404)
  })

  await t.test('all tasks returns their number', async () => {
    await client.deleteTasks()
    for (const title of ['a', 'b', 'c']) await client.createTask({ title })
    assert.equal((await client.deleteTasks()).deleted, 3)
    assert.deepEqual(await client.deleteTasks(), { deleted: 0, batch: null, restore_until_dt: null })
    assert.deepEqual((await client.listTasks()).tasks, [])
  })

  await t.test('never frees an id: the next task gets a new one, even after the last or all are gone', async () => {
    const last = await client.createTask({ title: 'last' })
    await client.deleteTask(last.id)
    const next = await client.createTask({ title: 'next' })
    assert.ok(next.id > last.id)
    await client.deleteTasks()
    assert.ok((await client.createTask({ title: 'after all' })).id > next.id)
  })
})
