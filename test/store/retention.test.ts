import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { newTask } from '#core/task-changes.ts'
import { changesSince, lockLastChange, recordChange, trimChangeLog, usersWithChanges } from '#store/changes.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { insertTask } from '#store/task-writes.ts'
import { listTrash, moveToTrash, purgeOldTrash, takeFromTrash } from '#store/trash.ts'
import { migratedDatabase } from '#support/databases.ts'
import { fakeClock } from '#support/fake-clock.ts'

/** Purging: by age, by number, permanently, and by several replicas at once. */
const now = Date.parse('2026-12-01T09:00:00Z')
const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
const [me, other] = [1, 2]
const clock = () => fakeClock(now)

async function open(t: TestContext, url?: string): Promise<Store> {
  const store = await openStore(url ?? (await migratedDatabase(t)), { clock: clock(), onBroken() {} })
  t.after(() => store[Symbol.asyncDispose]())
  return store
}

const numbers = async ({ db }: Store, userId = me) =>
  (await changesSince(db, userId, 0, 10_000)).map(({ number }) => number)
const forgotten = async ({ db }: Store, userId = me) =>
  (await db.selectFrom('counters').select('forgotten').where('user_id', '=', userId).executeTakeFirst())?.forgotten
const change = ({ transact }: Store, userId = me) =>
  transact(async (tx) => recordChange(tx, { userId, taskId: 1, kind: 'updated' }))
const forget = ({ transact }: Store, more: object) =>
  transact((tx) => trimChangeLog(tx, me, { before: 0, keep: 1_000, limit: 1_000, ...more }))

test('changes are purged from the beginning: too old, too many, or without a reader', async (t) => {
  const store = await open(t)
  for (let i = 0; i < 6; i++) await change(store)
  await change(store, other)
  assert.equal(await forget(store, {}), 0)
  assert.equal(await forget(store, { keep: 4 }), 2)
  assert.deepEqual([await numbers(store), await forgotten(store)], [[3, 4, 5, 6], 2])
  assert.equal(await forget(store, { keep: 1, limit: 2 }), 2, 'at most as many as it was told')
  assert.deepEqual([await numbers(store), await forgotten(store)], [[5, 6], 4])

  await store.db
    .updateTable('changes')
    .set({ changed_at: now - 5 })
    .where('number', '=', 6)
    .execute()
  assert.equal(await forget(store, { before: now - 4 }), 0, 'one that is young keeps those behind it')
  await store.db
    .updateTable('changes')
    .set({ changed_at: now - 5 })
    .where('number', '=', 5)
    .execute()
  assert.equal(await forget(store, { before: now - 4 }), 2)
  assert.deepEqual([await numbers(store), await forgotten(store)], [[], 6])
  assert.equal(await forget(store, { before: now }), 0)
  assert.deepEqual([await numbers(store, other), await forgotten(store, other)], [[1], 0])
  assert.deepEqual((await usersWithChanges(store.db)).sort(), [me, other])
})

test('a change of many tasks makes every reader start again, and earlier changes are purged', async (t) => {
  const store = await open(t)
  for (let i = 0; i < 3; i++) await change(store)
  await store.transact(async (tx) => {
    recordChange(tx, { userId: me, taskId: null, kind: 'cleared', batch: 'b', count: 2_000 })
    recordChange(tx, { userId: me, taskId: 7, kind: 'created' })
  })
  assert.equal(await forgotten(store), 4)
  const [last] = await changesSince(store.db, me, 3, 1)
  assert.ok(last)
  assert.deepEqual(last, {
    userId: me,
    number: 4,
    taskId: null,
    kind: 'cleared',
    at: last.at,
    batch: 'b',
    count: 2_000,
  })
  assert.equal(await forget(store, {}), 4)
  assert.deepEqual(await numbers(store), [5])
})

test('replicas that purge at once keep the rows that must stay, and agree on the purged ones', async (t) => {
  const url = await migratedDatabase(t)
  const first = await open(t, url)
  const stores = first.dialect.isShared ? [first, await open(t, url)] : [first, first]
  for (let i = 0; i < 60; i++) await change(first)
  let counts: number[]
  do {
    counts = await Promise.all([...stores, ...stores].map((store) => forget(store, { keep: 10, limit: 7 })))
  } while (counts.some((count) => count > 0))
  assert.deepEqual([(await numbers(first))[0], await forgotten(first)], [51, 50])
})

test('the number of the last change includes changes recorded in this transaction', async (t) => {
  const store = await open(t)
  await change(store)
  const seen = await store.transact(async (tx) => {
    recordChange(tx, { userId: me, taskId: 1, kind: 'updated' })
    recordChange(tx, { userId: other, taskId: 2, kind: 'updated' })
    return lockLastChange(tx, me)
  })
  assert.equal(seen, 2)
})

test('a task in the trash is restored with each member unchanged', async (t) => {
  const store = await open(t)
  const draft = {
    title: 'Ω «quotes» \' " \\ % _ 𝔘🎉 日本',
    key: 'key',
    description: 'x'.repeat(65_536),
    expiry: { at: Date.parse('9999-12-29T23:59:59.999Z') },
    timeZone: 'Europe/Paris',
    reminders: ['P1D', { at: now }],
    tags: ['a, b', '["c"]', '日本'],
    priority: 'high' as const,
  }
  const more = { snoozedUntilAt: now + 1, version: 7, notifyAt: now + 2, firedUntilAt: now - 3 }
  const task = await store.transact((tx) =>
    insertTask(tx, { ...newTask(draft, me, randomUUID(), defaults, now), ...more }),
  )
  await store.transact((tx) => moveToTrash(tx, [task.id], 'batch', now + 9))
  const [trashed] = await listTrash(store.db, me, { limit: 10 })
  assert.deepEqual(trashed, { task: { ...task, notifyAt: null }, deletedAt: now + 9, batch: 'batch' })
  assert.deepEqual(await listTrash(store.db, other, { limit: 10 }), [])
  const back = { ...task, version: 8, updatedAt: now + 10, notifyAt: now + 11, firedUntilAt: now - 2 }
  await store.transact((tx) => takeFromTrash(tx, [back]))
  const row = await store.db.selectFrom('tasks').selectAll().executeTakeFirstOrThrow()
  assert.deepEqual([row.version, row.updated_at, row.notify_at, row.fired_until_at], [8, now + 10, now + 11, now - 2])
  assert.deepEqual([row.description, row.title, row.uid], [draft.description, draft.title, task.uid])
  assert.deepEqual(await listTrash(store.db, me, { limit: 10 }), [])
})

test('the oldest in the trash are purged first, of all users, by several replicas at once', async (t) => {
  const url = await migratedDatabase(t)
  const first = await open(t, url)
  const stores = first.dialect.isShared ? [first, await open(t, url)] : [first, first]
  for (let i = 0; i < 40; i++) {
    const draft = newTask({ title: `${i}` }, i % 2 === 0 ? me : other, randomUUID(), defaults, now)
    await first.transact(async (tx) => moveToTrash(tx, [(await insertTask(tx, draft)).id], 'b', now + i))
  }
  assert.equal(await first.transact((tx) => purgeOldTrash(tx, now - 1, 10)), 0)
  assert.equal(await first.transact((tx) => purgeOldTrash(tx, now + 9, 3)), 3)
  let total = 3
  for (let round = 0; round < 10; round++) {
    const purged = stores.map((store) => store.transact((tx) => purgeOldTrash(tx, now + 29, 7)))
    for (const count of await Promise.all(purged)) total += count
  }
  assert.equal(total, 30, 'each once')
  const left = [...(await listTrash(first.db, me, { limit: 99 })), ...(await listTrash(first.db, other, { limit: 99 }))]
  assert.equal(Math.min(...left.map(({ deletedAt }) => deletedAt)), now + 30)
})
