import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TaskWire } from '#api/schemas/task.ts'
import { refusal, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'
import { full, now, startAt } from './tasks.ts'

/** The members of a task that does not recur. */
const oneOff = { recurrence: null, recurrence_text: null, occurrence: null, previous_id: null, next_id: null }

test('a new task', async (t) => {
  const { client, url } = await startTestApp(t, { startAt })

  await t.test('has every given member, and every other as null, empty or counted', async () => {
    const task = await client.createTask({ ...full, reminders: [...full.reminders], tags: [...full.tags] })
    assert.deepEqual(task, {
      id: task.id,
      ...full,
      expiry_dt: '2026-12-24T17:00:00.000Z',
      expiry_date: null,
      reminders: ['P1D', 'PT15M', '2026-12-20T09:00:00.000Z'],
      completed_dt: null,
      snoozed_until_dt: null,
      ...oneOff,
      create_dt: now,
      update_dt: now,
      version: 1,
    })
    assert.deepEqual(await client.getTask(task.id), task)
  })

  await t.test('needs no more than a title', async () => {
    const { id, uid, ...rest } = await client.createTask({ title: 'Something' })
    assert.ok(Number.isInteger(id))
    assert.match(uid, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'a UUIDv7')
    assert.deepEqual(rest, {
      key: null,
      title: 'Something',
      description: null,
      expiry_dt: null,
      expiry_date: null,
      time_zone: null,
      reminders: null,
      tags: [],
      priority: 'none',
      completed_dt: null,
      snoozed_until_dt: null,
      ...oneOff,
      create_dt: now,
      update_dt: now,
      version: 1,
    })
  })

  await t.test('is returned with Location and ETag', async () => {
    const { headers, body } = await wireTo(url)('POST', '/v1/tasks', { body: { title: 'x' } })
    assert.equal(headers.get('location'), `/v1/tasks/${body.id}`)
    assert.equal(headers.get('etag'), '"1"')
  })

  await t.test('may already be completed', async () => {
    const task = await client.createTask({ title: 'Done', completed_dt: '2026-11-30T10:00:00Z' })
    assert.equal(task.completed_dt, '2026-11-30T10:00:00.000Z')
  })

  await t.test('keeps its texts byte for byte', async () => {
    const title = ' \t"Ünï\r\n👩‍👩‍👧 <b>\u202e\u0001 e\u0301 '
    const { id } = await client.createTask({ title, description: '', key: title, tags: [title.trim()] })
    const { key, tags, description, ...rest } = await client.getTask(id)
    assert.deepEqual([rest.title, description, key, tags], [title, '', title, [title.trim()]])
  })

  await t.test('ignores the members that only the server sets', async () => {
    const draft = { title: 'x', id: 77, version: 9, create_dt: 'then', update_dt: null, snoozed_until_dt: 5 }
    const task = await client.createTask(draft)
    assert.notEqual(task.id, 77)
    assert.deepEqual([task.version, task.create_dt, task.update_dt, task.snoozed_until_dt], [1, now, now, null])
  })

  await t.test('may have any priority of the four', async () => {
    for (const priority of ['none', 'low', 'medium', 'high'] as const)
      assert.equal((await client.createTask({ title: 'x', priority })).priority, priority)
  })
})

test('a uid and a key', async (t) => {
  const { client } = await startTestApp(t, { startAt })
  const first = await client.createTask({ title: 'first', uid: 'uid-1', key: 'key-1' })
  const second = await client.createTask({ title: 'second', uid: 'uid-2', key: 'key-2' })
  const count = async () => (await client.listTasks()).tasks.length

  await t.test('are unique: a second task with one of them is a conflict that names it', async () => {
    for (const draft of [{ uid: 'uid-1' }, { key: 'key-1' }]) {
      const { status, problem } = await refusal(client.createTask({ title: 'again', ...draft }))
      assert.equal(status, 409)
      assert.match(problem.detail, /(uid|key)-1/)
    }
    assert.equal(await count(), 2)
  })

  await t.test('cannot be changed to those of another task', async () => {
    const { status } = await refusal(client.updateTask(second.id, { key: 'key-1' }))
    assert.equal(status, 409)
    assert.equal((await refusal(client.updateTasks({ tasks: [{ id: second.id, key: 'key-1' }] }))).status, 409)
    assert.deepEqual(await client.getTask(second.id), second)
  })

  await t.test('a key can be changed, cleared, and then be used by another task; a uid stays', async () => {
    assert.equal((await client.updateTask(first.id, { key: null, uid: 'other' })).key, null)
    assert.equal((await client.getTask(first.id)).uid, 'uid-1')
    assert.equal((await client.updateTask(second.id, { key: 'key-1' })).key, 'key-1')
  })

  await t.test('many tasks may have no key', async () => {
    await client.createTask({ title: 'a' })
    await client.createTask({ title: 'b', key: null })
    assert.equal(await count(), 4)
  })

  await t.test('are free again after their task was deleted', async () => {
    await client.deleteTask(second.id)
    assert.equal((await client.createTask({ title: 'x', uid: 'uid-2', key: 'key-1' })).uid, 'uid-2')
  })
})

test('ids are not reused even after a restart', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { id } = await app.client.createTask({ title: 'last' })
  await app.client.deleteTasks()
  await app.restart()
  assert.ok((await app.client.createTask({ title: 'next' })).id > id)
})

test('paging', async (t) => {
  const { client, url } = await startTestApp(t, { startAt })
  const send = wireTo(url)
  const ids = (page: { tasks: TaskWire[] }) => page.tasks.map(({ id }) => id)
  for (let i = 1; i <= 10; i++) await client.createTask({ title: `Task ${i}` })

  await t.test('continues by next_cursor until that is null', async () => {
    const first = await client.listTasks({ limit: 4 })
    assert.deepEqual(ids(first), [1, 2, 3, 4])
    assert.ok(first.next_cursor)
    const second = await client.listTasks({ limit: 4, cursor: first.next_cursor })
    assert.deepEqual(ids(second), [5, 6, 7, 8])
    assert.ok(second.next_cursor)
    const third = await client.listTasks({ limit: 4, cursor: second.next_cursor })
    assert.deepEqual(ids(third), [9, 10])
    assert.equal(third.next_cursor, null)
  })

  await t.test('has next_cursor: null and no Link on the last page, even if it is full', async () => {
    for (const query of ['', '?limit=10', '?limit=10&offset=0', '?offset=5&limit=5']) {
      const { body, headers } = await send('GET', `/v1/tasks${query}`)
      assert.equal(body.next_cursor, null, query)
      assert.equal(headers.get('link'), null, query)
    }
  })

  await t.test('continues by the Link header', async () => {
    const seen: number[] = []
    for (let path: string | undefined = '/v1/tasks?limit=3'; path; ) {
      const { body, headers } = await send('GET', path)
      seen.push(...ids(body))
      path = /^<(.+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]
    }
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  await t.test('continues by offset, and from there by cursor', async () => {
    assert.deepEqual(ids(await client.listTasks({ limit: 4, offset: 8 })), [9, 10])
    const { next_cursor } = await client.listTasks({ limit: 2, offset: 5 })
    assert.deepEqual(ids(await client.listTasks({ limit: 2, cursor: next_cursor ?? '' })), [8, 9])
  })

  await t.test('of no tasks is empty', async () => {
    assert.deepEqual(await client.listTasks({ limit: 0 }), { tasks: [], next_cursor: null })
  })

  await t.test('a cursor and an offset exclude each other', async () => {
    const { next_cursor } = await client.listTasks({ limit: 1 })
    const { status } = await refusal(client.listTasks({ cursor: next_cursor ?? '', offset: 1 }))
    assert.equal(status, 400)
  })

  await t.test('the client walks through all pages', async () => {
    const seen: number[] = []
    for await (const { id } of client.iterateTasks({}, { pageSize: 3 })) seen.push(id)
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  await t.test('by cursor is stable under writes: no task twice, none left out', async () => {
    const { next_cursor } = await client.listTasks({ limit: 4 })
    await client.deleteTask(2)
    await client.deleteTask(5)
    await client.createTask({ title: 'new' })
    const rest = await client.listTasks({ cursor: next_cursor ?? '' })
    assert.deepEqual(ids(rest), [6, 7, 8, 9, 10, 11])
  })
})

test('concurrent writes each get their own response', async (t) => {
  const { client } = await startTestApp(t, { startAt })
  const drafts = Array.from({ length: 100 }, (_, i) => ({
    title: `Task ${i}`,
    key: i % 10 === 9 ? 'taken' : `key ${i}`,
  }))
  const outcomes = await Promise.allSettled(drafts.map((draft) => client.createTask(draft)))
  const created = outcomes.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value)
  assert.equal(created.length, 91, 'ten wanted one key: one got it')
  const { tasks } = await client.listTasks()
  assert.deepEqual(
    tasks,
    created.sort((a, b) => a.id - b.id),
  )
})

test('health tells a client its state in JSON', async (t) => {
  const { client } = await startTestApp(t)
  const health = await client.getHealth()
  assert.equal(health.status, 'healthy')
  assert.match(health.version, /^\d+\.\d+\.\d+/)
})
