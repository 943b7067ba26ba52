import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NewTask } from '#core/task.ts'
import * as taskWrites from '#store/task-writes.ts'
import * as tasks from '#store/tasks.ts'
import { moveToTrash, purgeOldTrash } from '#store/trash.ts'
import { testDatabase } from '#support/databases.ts'
import { draft, fresh, insert, me, now, open, other } from './open-store.ts'

describe(`${testDatabase}: tasks`, () => {
  test('a task is read as it was written, with each member', async (t) => {
    const store = await open(t)
    const full: NewTask = {
      ...draft({
        title: 'Ω «quotes» \' " \\ % _ 𝔘🎉 日本',
        key: 'key',
        description: 'x'.repeat(65_536),
        expiry: { at: Date.parse('9999-12-29T23:59:59.999Z') },
        timeZone: 'Europe/Paris',
        reminders: ['P1D', { at: now }, 'PT0S'],
        tags: ['a, b', '["c"]', '日本'],
        priority: 'high',
      }),
      completedAt: Date.parse('0001-01-02T00:00:00Z'),
      snoozedUntilAt: now + 1,
      version: 7,
      notifyAt: now + 2,
      firedUntilAt: now - 3,
    }
    const [task, plain] = await insert(store, full, draft())
    assert.ok(task && plain)
    assert.deepEqual(await tasks.findTask(store.db, me, task.id), { ...full, id: task.id })
    assert.deepEqual(await tasks.findTask(store.db, me, plain.id), plain)
  })

  test('another user finds, lists and locks none of my tasks', async (t) => {
    const store = await open(t)
    const [mine] = await insert(store, draft(), draft({}, other))
    assert.ok(mine)
    assert.equal(await tasks.findTask(store.db, other, mine.id), undefined)
    await assert.rejects(tasks.getTask(store.db, other, mine.id), { kind: 'not-found' })
    assert.equal((await tasks.listTasks(store.db, other, { after: 0, limit: 10, offset: 0 })).length, 1)
    assert.equal(await store.transact((tx) => tasks.lockTask(tx, other, mine.id)), undefined)
    assert.deepEqual(await tasks.findTask(store.db, me, mine.id), mine)
  })

  test('a list is in the order of ids, a page at a time', async (t) => {
    const store = await open(t)
    const inserted = await insert(store, ...Array.from({ length: 7 }, () => draft()))
    const ids = inserted.map(({ id }) => id)
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    )
    const page = async (after: number, limit: number, offset = 0) =>
      (await tasks.listTasks(store.db, me, { after, limit, offset })).map(({ id }) => id)
    assert.deepEqual(await page(0, 3), ids.slice(0, 3))
    assert.deepEqual(await page(ids[2] as number, 3), ids.slice(3, 6))
    assert.deepEqual(await page(0, 3, 5), ids.slice(5))
    assert.deepEqual(await page(0, 0), [])
  })

  test('a task is saved only over the version that it was made from', async (t) => {
    const store = await open(t)
    const [task] = await insert(store, draft())
    assert.ok(task)
    const changed = { ...task, title: 'Changed', version: 2 }
    await store.transact((tx) => taskWrites.saveTasks(tx, [{ before: task, after: changed }]))
    await assert.rejects(
      store.transact((tx) =>
        taskWrites.saveTasks(tx, [{ before: task, after: { ...task, title: 'Too late', version: 2 } }]),
      ),
      { name: 'Problem', kind: 'stale' },
    )
    assert.deepEqual(await tasks.findTask(store.db, me, task.id), changed)
  })

  test('saving an unchanged task counts as saved', async (t) => {
    const store = await open(t)
    const [task] = await insert(store, draft())
    assert.ok(task)
    await store.transact((tx) => taskWrites.saveTasks(tx, [{ before: task, after: task }]))
    assert.deepEqual(await tasks.findTask(store.db, me, task.id), task)
  })

  test('a uid and a key are unique for their user, on insert and on save', async (t) => {
    const store = await open(t)
    const [first, second] = await insert(store, draft({ uid: 'u', key: 'k' }), draft({ key: 'l' }))
    assert.ok(first && second)
    for (const again of [{ uid: 'u' }, { key: 'k' }])
      await assert.rejects(insert(store, draft(again)), { name: 'Problem', kind: 'conflict' })
    await assert.rejects(
      store.transact((tx) => taskWrites.saveTasks(tx, [{ before: second, after: { ...second, key: 'k' } }])),
      { name: 'Problem', kind: 'conflict' },
    )
    await insert(store, draft({ uid: 'u', key: 'k' }, other))
    assert.equal((await tasks.listTasks(store.db, me, { after: 0, limit: 10, offset: 0 })).length, 2)
  })

  test('keys differ by case, accent, width and trailing space; any number of tasks may have no key', async (t) => {
    const store = await open(t)
    const keys = ['key', 'KEY', 'kéy', 'ke\u0301y', 'key ', ' key', 'ｋｅｙ', 'ss', 'ß', '🎉', '🎊']
    const inserted = await insert(store, ...keys.map((key) => draft({ key })), draft(), draft())
    assert.deepEqual(
      inserted.map(({ key }) => key),
      [...keys, null, null],
    )
  })

  test('the id of a deleted task is not used again', async (t) => {
    const database = await fresh(t)
    let store = await database.open()
    const [, last] = await insert(store, draft(), draft())
    assert.ok(last)
    await store.transact((tx) => moveToTrash(tx, [last.id], 'batch', now))
    const [next] = await insert(store, draft())
    assert.ok(next && next.id > last.id)
    await store.transact((tx) => moveToTrash(tx, [next.id], 'batch', now))
    await store.transact((tx) => purgeOldTrash(tx, now, 10))
    await store[Symbol.asyncDispose]()
    store = await database.open()
    const [afterRestart] = await insert(store, draft())
    assert.ok(afterRestart && afterRestart.id > next.id)
    await store[Symbol.asyncDispose]()
  })

  test('many tasks are found by their ids at once', async (t) => {
    const store = await open(t)
    const inserted = await insert(store, ...Array.from({ length: 1_500 }, () => draft()))
    const found = await tasks.tasksByIds(store.db, [...inserted.map(({ id }) => id), 999_999])
    // Their order is up to the database.
    assert.deepEqual(new Map(found), new Map(inserted.map((task) => [task.id, task])))
    assert.equal((await tasks.tasksByIds(store.db, [])).size, 0)
  })
})
