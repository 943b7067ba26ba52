import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { type CompiledQuery, sql } from 'kysely'
import type { Context } from '#actions/context.ts'
import { completeTask, createTask, snoozeTask, updateTask } from '#actions/tasks.ts'
import type { Task } from '#core/task.ts'
import { newTask } from '#core/task-changes.ts'
import { type Position, positionOf, type SortKey, type TaskFilter } from '#core/task-query.ts'
import type { DialectName } from '#store/dialects/dialect.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { adoptServerDefaults } from '#store/preferences.ts'
import { findCandidates, indexTask, removeFromIndex } from '#store/search.ts'
import { countTasks, listPage } from '#store/task-list.ts'
import { insertTask, saveTasks } from '#store/task-writes.ts'
import { lockToDelete, moveToTrash, purgeTrashed } from '#store/trash.ts'
import { freshDatabase, migratedDatabase, testDatabase } from '#support/databases.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { fakeClock } from '#support/fake-clock.ts'

/** How lists are read: by which index, by how many statements, and the cost and content of the index of words. */
const now = Date.parse('2026-12-01T09:00:00Z')
const me = 1
const defaults = { reminders: [], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }

async function open(t: TestContext, url?: string) {
  const executed: CompiledQuery[] = []
  const store = await openStore(url ?? (await migratedDatabase(t)), {
    clock: fakeClock(now),
    onBroken() {},
    wrap: (dialect) =>
      wrapConnections(dialect, (_, run, query) => {
        executed.push(query)
        return run()
      }),
  })
  t.after(() => store[Symbol.asyncDispose]())
  await store.transact((tx, at) => adoptServerDefaults(tx, defaults, at))
  executed.length = 0
  return { store, executed, ctx: { db: store.db, transact: store.transact, wake() {} } satisfies Context }
}

/** Tasks by the thousand, with the same rows as created ones, including words. */
async function fill(store: Store, howMany: number, make: (i: number) => { title: string; expiryAt: number | null }) {
  for (let i = 0; i < howMany; i += 1_000)
    await store.transact(async (tx) => {
      const rows = Array.from({ length: Math.min(1_000, howMany - i) }, (_, k) => {
        const { title, expiryAt } = make(i + k)
        return [i + k + 1, me, randomUUID(), title, '[]', 'none', now, now, 1, expiryAt]
      })
      const columns = [
        'id',
        'user_id',
        'uid',
        'title',
        'tags',
        'priority',
        'created_at',
        'updated_at',
        'version',
        'expiry_at',
      ]
      await store.dialect.insertRows(tx, 'tasks', columns as never[], rows, [])
      for (const [id, , , title] of rows)
        indexTask(tx, { id: id as number, title: title as string, description: null }, { isNew: true })
    })
}

const key = (by: SortKey['by'], isDescending = false): SortKey => ({ by, isDescending })
const page = (
  store: Store,
  sort: readonly SortKey[],
  more: { filter?: TaskFilter; after?: Position; limit?: number } = {},
) => listPage(store.db, me, { filter: {}, sort, limit: 50, offset: 0, now, ...more })

/** The query plan of a statement. */
const explain: Record<DialectName, (text: string) => string> = {
  sqlite: (text) => `explain query plan ${text}`,
  postgres: (text) => `explain ${text}`,
  mysql: (text) => `explain ${text}`,
}
const isByIndex: Record<DialectName, (plan: string) => boolean> = {
  sqlite: (plan) => /USING INDEX tasks_expiry/.test(plan) && !/TEMP B-TREE/.test(plan),
  // Tasks without an expiry, one in twenty, are also read by their ids: reading twenty for one match is no more expensive.
  postgres: (plan) => /Index Scan (Backward )?using tasks_(expiry|pkey)/.test(plan) && !/Sort/.test(plan),
  mysql: (plan) => /"key":"tasks_expiry"/.test(plan) && !/filesort/.test(plan),
}

test(`${testDatabase}: a page by expiry reads one range of the index, in both directions and from any position`, async (t) => {
  const { store, executed } = await open(t)
  await fill(store, 5_000, (i) => ({
    title: `Task ${i}`,
    expiryAt: i % 20 === 0 ? null : now + 1_000 * ((i * 7_919) % 1_000),
  }))
  if (testDatabase !== 'sqlite')
    await sql.raw(testDatabase === 'postgres' ? 'analyze' : 'analyze table tasks').execute(store.db)
  for (const isDescending of [false, true]) {
    const sort = [key('expiry', isDescending), key('id', isDescending)]
    const some = (await page(store, sort, { limit: 2_000 })).at(-1) as Task
    const never = (await page(store, sort, { limit: 4_800 })).at(-1) as Task
    assert.equal(never.expiryAt, null)
    const requests: [words: string, after: Position | undefined, statements: number][] = [
      ['from the start', undefined, 1],
      ['from the middle', positionOf(some, sort), 2],
      ['of those that never expire', positionOf(never, sort), 1],
    ]
    for (const [words, after, statements] of requests) {
      executed.length = 0
      const tasks = await page(store, sort, { ...(after && { after }) })
      assert.equal(tasks.length, 50)
      const asked = [...executed]
      assert.equal(asked.length, statements, words)
      for (const query of asked) {
        const { rows } = await store.db.executeQuery({ ...query, sql: explain[testDatabase](query.sql) })
        const plan = JSON.stringify(rows)
        assert.ok(isByIndex[testDatabase](plan), `${words}, ${isDescending ? 'down' : 'up'}: ${query.sql}\n${plan}`)
      }
    }
  }
})

test(`${testDatabase}: a word in very many tasks is found as well, in any order and combined with others`, async (t) => {
  const { store, executed } = await open(t)
  const howMany = 10_500
  await fill(store, howMany, (i) => ({
    title: `${i % 50 === 7 ? 'other' : 'Common'} word${i % 2_000 === 3 ? ' rare' : ''}`,
    expiryAt: i % 3 === 0 ? null : now + 1_000 * ((i * 7_919) % howMany),
  }))
  assert.equal(await findCandidates(store.db, ['common']), undefined, 'too many to look up')
  for (const sort of [
    [key('id')],
    [key('id', true)],
    [key('expiry'), key('id')],
    [key('expiry', true), key('id', true)],
  ]) {
    const all = (await page(store, sort, { limit: howMany })).filter(({ title }) => title.startsWith('Common'))
    const seen: Task[] = []
    for (let after: Position | undefined; ; ) {
      const found = await page(store, sort, { filter: { words: ['com'] }, ...(after && { after }), limit: 3_000 })
      seen.push(...found)
      if (found.length < 3_000) break
      after = positionOf(found.at(-1) as Task, sort)
    }
    assert.deepEqual(
      seen.map(({ id }) => id),
      all.map(({ id }) => id),
    )
  }
  assert.equal(await countTasks(store.db, me, { words: ['common'] }, now), null, 'too many to count one by one')
  assert.equal(await countTasks(store.db, me, {}, now), howMany)

  const rare = await page(store, [key('id')], { filter: { words: ['common', 'rare'] } })
  assert.deepEqual(
    rare.map(({ id }) => id),
    [4, 2_004, 4_004, 6_004, 8_004, 10_004],
  )
  assert.equal(await countTasks(store.db, me, { words: ['rare', 'common'] }, now), 6)
  executed.length = 0
  await page(store, [key('expiry'), key('id')], { filter: { words: ['rare'] } })
  assert.ok(executed.length <= 2, 'a few are looked up, by one statement')
  await page(store, [key('id')], { filter: { words: ['common'] }, limit: 50 })
  assert.ok(executed.length <= 8, 'and of many no more are read than the page needs')
})

/** Single statements; in a transaction `begin` and `commit` come in addition. */
const ofIndex = (executed: readonly CompiledQuery[]) => executed.filter(({ sql }) => /\bsearch\b/.test(sql))

test(`${testDatabase}: the index of words is written for a title or a description, once a transaction, and for nothing else`, async (t) => {
  const { executed, ctx } = await open(t)
  const actor = { userId: me }
  const target = { id: 1 }
  const writes = async (request: () => Promise<unknown>) => {
    executed.length = 0
    await request()
    return ofIndex(executed).length
  }
  assert.equal(await writes(() => createTask(ctx, actor, { title: 'Renew', expiry: { at: now + 1 } })), 1)
  const drafts = Array.from({ length: 20 }, (_, i) => ({ title: `Task ${i}` }))
  const together = await writes(() => Promise.all(drafts.map((draft) => createTask(ctx, actor, draft))))
  assert.ok(together <= 2, `${together} for 20 creates at once`)
  for (const request of [
    () => updateTask(ctx, actor, target, { expiry: { at: now + 2 } }),
    () => updateTask(ctx, actor, target, { tags: ['a'], priority: 'high', key: 'k', reminders: [] }),
    () => updateTask(ctx, actor, target, { title: 'Renew', description: null }),
    () => snoozeTask(ctx, actor, target, { forMs: 1_000 }),
    () => completeTask(ctx, actor, target),
  ])
    assert.equal(await writes(request), 0, String(request))
  assert.ok((await writes(() => updateTask(ctx, actor, target, { title: 'Extend' }))) >= 1)
  assert.ok((await writes(() => updateTask(ctx, actor, target, { description: 'x' }))) >= 1)
})

test(`${testDatabase}: the index has a task's current words, and none of purged tasks`, async (t) => {
  const { store } = await open(t)
  const insert = (title: string, userId = me) =>
    store.transact((tx) => insertTask(tx, newTask({ title }, userId, randomUUID(), defaults, now)))
  const [a, b] = [await insert('first word'), await insert('second word')]
  const theirs = await insert('third word', 2)
  const found = async (...words: string[]) => (await findCandidates(store.db, words))?.toSorted((x, y) => x - y)
  assert.deepEqual(await found('word'), [a.id, b.id, theirs.id])
  assert.deepEqual(await page(store, [key('id')], { filter: { words: ['third'] } }), [], 'of another user')

  await store.transact(async (tx) => {
    await saveTasks(tx, [{ before: a, after: { ...a, title: 'changed', version: 2 } }])
    indexTask(tx, { ...a, title: 'changed' })
    indexTask(tx, { ...a, title: 'changed twice' }) // two requests in one transaction
  })
  assert.deepEqual([await found('word'), await found('first'), await found('twice')], [[b.id, theirs.id], [], [a.id]])

  await store.transact((tx) => removeFromIndex(tx, [b.id, 999]))
  await store.transact((tx) => removeFromIndex(tx, []))
  assert.deepEqual(await found('word'), [theirs.id])
  // Tasks in the trash may be restored; purged ones may not.
  for (const { id, userId } of [a, theirs])
    await store.transact(async (tx, now) => {
      assert.deepEqual(await lockToDelete(tx, userId, [id], {}, now), [id])
      await moveToTrash(tx, [id], 'batch', now)
    })
  assert.deepEqual([await found('changed'), await found('word')], [[a.id], [theirs.id]])
  assert.equal(await store.transact((tx) => purgeTrashed(tx, me, [a.id, theirs.id])), 1)
  assert.equal(await store.transact((tx) => purgeTrashed(tx, 2, [theirs.id])), 1)
  assert.deepEqual([await found('changed'), await found('word')], [[], []])

  await assert.rejects(
    store.transact(async (tx) => {
      await insertTask(tx, newTask({ title: 'regretted' }, me, randomUUID(), defaults, now))
      throw new Error('on second thoughts')
    }),
  )
  assert.deepEqual(await found('regretted'), [])
})

test(`${testDatabase}: titles and descriptions of the maximum length are written and found`, async (t) => {
  const { store, ctx } = await open(t)
  const many = Array.from({ length: 9_000 }, (_, i) => (i * 7_919).toString(36)).join(' ')
  const texts = [many, 'ﷺ'.repeat(21_000), '日本'.repeat(10_000), '𐐨'.repeat(16_000), `${'x'.repeat(60_000)} end`]
  for (const description of texts) await createTask(ctx, { userId: me }, { title: 'long', description })
  for (const [i, word] of [(8_999 * 7_919).toString(36), 'صلى', '日', '𐐨'.repeat(60), 'end'].entries()) {
    const found = await page(store, [key('id')], { filter: { words: [word] } })
    assert.deepEqual(
      found.map(({ id }) => id).filter((id) => id === i + 1),
      [i + 1],
      word,
    )
  }
})

test(`${testDatabase}: tasks from before the index are in it after the start`, async (t) => {
  const url = await freshDatabase(t)
  const { store } = await open(t, url)
  await fill(store, 1_200, (i) => ({ title: `Task w${i}`, expiryAt: null }))
  await sql`drop table search`.execute(store.db)
  if (testDatabase === 'sqlite') await sql`drop table search_words`.execute(store.db)
  if (testDatabase !== 'mysql') await sql`drop index tasks_tagged`.execute(store.db)
  await sql`delete from kysely_migration`.execute(store.db)
  await store[Symbol.asyncDispose]()
  const { store: next } = await open(t, url)
  assert.deepEqual(await findCandidates(next.db, ['w1199']), [1_200])
  assert.equal((await findCandidates(next.db, ['task']))?.length, 1_200)
})
