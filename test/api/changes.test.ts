import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TaskWire } from '#api/schemas/task.ts'
import type { DuebellClient } from '#client/client.ts'
import { refusal } from '#kit/http-requests.ts'
import { recordChange } from '#store/changes.ts'
import { builtInUserId } from '#store/users.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

/** The guarantees for a client that follows the changes of tasks. */

/** Reads all available changes. */
async function sync(client: DuebellClient, since?: string, limit?: number) {
  const tasks: TaskWire[] = []
  const deleted: number[] = []
  let pages = 0
  for (let cursor = since, more = true; ; pages++) {
    if (!more) return { tasks, deleted, cursor: cursor as string, pages }
    const page = await client.listChanges({ ...(cursor && { since: cursor }), ...(limit && { limit }) })
    tasks.push(...page.tasks)
    deleted.push(...page.deleted)
    ;({ cursor, more } = page)
  }
}

const createSome = (client: DuebellClient, count: number) =>
  Promise.all(Array.from({ length: count }, (_, i) => client.createTask({ title: `Task ${i}` })))

/** Removes changes from the list, as maintenance does with old ones. */
const forget = ({ app }: TestApp, until: number) =>
  app.store.transact(async (tx) => {
    await tx.deleteFrom('changes').where('number', '<=', until).execute()
    await tx.updateTable('counters').set({ forgotten: until }).where('user_id', '=', 1).execute()
  })

test('a reader without a cursor gets the whole state in pages, each task once, and then the changes', async (t) => {
  const { client } = await startTestApp(t)
  assert.deepEqual((await sync(client)).tasks, [])
  const created = await createSome(client, 7)
  const first = await sync(client, undefined, 3)
  assert.deepEqual(first.tasks, (await client.listTasks()).tasks)
  assert.equal(first.pages, 3)
  assert.deepEqual(await client.listChanges({ since: first.cursor }), {
    tasks: [],
    deleted: [],
    cursor: first.cursor,
    more: false,
  })

  const [a, b, c] = created as [TaskWire, TaskWire, TaskWire]
  await client.updateTask(a.id, { title: 'Once' })
  await client.updateTask(a.id, { title: 'Twice' })
  await client.completeTask(b.id)
  await client.deleteTask(c.id)
  const { id } = await client.createTask({ title: 'Here and gone' })
  await client.deleteTask(id)
  const next = await sync(client, first.cursor)
  assert.deepEqual(next.tasks, [await client.getTask(a.id), await client.getTask(b.id)], 'as they are now, each once')
  assert.deepEqual(next.deleted, [c.id, id])
  assert.deepEqual((await sync(client, next.cursor)).deleted, [])
})

test('changes made while the pages of the initial state are read come after them', async (t) => {
  const { client } = await startTestApp(t)
  const created = await createSome(client, 6)
  const [a, , c] = created.sort((one, other) => one.id - other.id) as [TaskWire, TaskWire, TaskWire]
  const first = await client.listChanges({ limit: 2 })
  assert.equal(first.more, true)
  await client.updateTask(a.id, { title: 'Behind the reader' })
  await client.deleteTask(c.id) // before the reader's position
  const added = await client.createTask({ title: 'At the end' })
  const rest = await sync(client, first.cursor, 2)
  const copy = new Map([...first.tasks, ...rest.tasks].map((task) => [task.id, task]))
  for (const id of rest.deleted) copy.delete(id)
  assert.deepEqual(
    [...copy.values()].sort((one, other) => one.id - other.id),
    (await client.listTasks()).tasks,
  )
  assert.ok(copy.has(added.id))
})

test('pages have the requested length, and reminders that fire in between cost no change', async (t) => {
  const { client, clock } = await startTestApp(t)
  const { cursor } = await sync(client)
  const fired = await client.createTask({ title: 'Rings', expiry_dt: '2026-12-01T10:00:00Z' })
  const { cursor: beforeFiring } = await client.listChanges({ since: cursor })
  await clock.advanceTo('2026-12-01T09:45:00Z')
  const afterFiring = await client.listChanges({ since: beforeFiring })
  assert.deepEqual([afterFiring.tasks, afterFiring.deleted, afterFiring.more], [[], [], false])
  assert.notEqual(afterFiring.cursor, beforeFiring, 'the reader has passed over it')
  await createSome(client, 4)
  const one = await client.listChanges({ since: cursor, limit: 2 })
  assert.equal(one.more, true)
  assert.equal(one.tasks[0]?.id, fired.id)
  const { tasks, pages } = await sync(client, one.cursor, 2)
  assert.deepEqual([tasks.length, pages], [3, 2])
})

test('an impossible cursor is refused with 400', async (t) => {
  const { client } = await startTestApp(t)
  await createSome(client, 3)
  const encode = (text: string) => Buffer.from(text).toString('base64url')
  const { cursor } = await client.listChanges()
  assert.equal(Buffer.from(cursor, 'base64url').toString(), 'changes:1:3', 'what the others are made after')
  for (const since of [
    '',
    'x',
    '3',
    encode('changes:1:4'),
    encode('changes:2:3'),
    encode('tasks:1:3'),
    encode('tasks:1:4:1'),
  ]) {
    const { status, problem } = await refusal(client.listChanges({ since }))
    assert.deepEqual([status, problem.errors?.[0]?.parameter], [400, 'since'], since)
  }
  for (const limit of [0, 1_001, 1.5]) assert.equal((await refusal(client.listChanges({ limit }))).status, 400)
})

test('a reader whose cursor is older than the list gets 410, and starts again', async (t) => {
  const app = await startTestApp(t)
  const { client } = app
  await createSome(client, 3)
  const { cursor } = await sync(client)
  const unfinished = await client.listChanges({ limit: 1 })
  const later = await createSome(client, 2)
  const remaining = await sync(client, cursor)
  await forget(app, 4)
  for (const since of [cursor, unfinished.cursor]) {
    const { status, problem } = await refusal(client.listChanges({ since }))
    assert.deepEqual([status, problem.type], [410, '/problems/gone'])
  }
  assert.deepEqual((await sync(client, remaining.cursor)).tasks, [], 'who has seen what was forgotten goes on')
  assert.equal((await sync(client)).tasks.length, 3 + later.length)
})

test('a change of many tasks at once is not listed task by task: a reader starts again', async (t) => {
  const { client, app } = await startTestApp(t)
  const [, b] = await createSome(client, 3)
  const { cursor } = await sync(client)
  await app.store.transact(async (tx) => {
    await tx
      .deleteFrom('tasks')
      .where('id', '<>', b?.id as number)
      .execute()
    recordChange(tx, { userId: builtInUserId, taskId: null, kind: 'cleared', batch: 'b', count: 2 })
  })
  assert.equal((await refusal(client.listChanges({ since: cursor }))).status, 410)
  const { tasks, cursor: fresh } = await sync(client)
  assert.deepEqual(tasks, [b])
  assert.deepEqual((await sync(client, fresh)).deleted, [])
})
