import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { openStore } from '#store/engine/open.ts'
import { temporaryFolder } from '#support/databases.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { createHealthCheck } from './health.ts'

type State = { checkedAt: number; error: unknown }

async function watched(t: TestContext) {
  const clock = fakeClock(1e12)
  const store = await openStore(`sqlite:${temporaryFolder(t)}/test.db`, { clock, onBroken() {} })
  t.after(() => store[Symbol.asyncDispose]())
  const [fire, deliver] = [0, 1].map(() => ({ checkedAt: 1e12, error: undefined as unknown })) as [State, State]
  const loops = [fire, deliver]
  const check = createHealthCheck({
    db: store.db,
    storage: store.storage,
    clock,
    loops: loops.map((loop) => ({ health: () => loop })),
  })
  return { clock, store, fire, deliver, check }
}

test('the status is ok while the loops run and nothing is overdue', async (t) => {
  const { check } = await watched(t)
  assert.deepEqual(await check(), { status: 'ok', error: null, overdueMs: 0, database: 'ok', fault: null })
})

test('the status is failing after an error of either loop, or when one has not run for long', async (t) => {
  const { clock, fire, deliver, check } = await watched(t)
  deliver.error = new Error('no such table')
  assert.deepEqual((await check()).status, 'failing')
  assert.equal((await check()).error, 'Error: no such table')
  deliver.error = undefined
  clock.set(1e12 + clock.maxSleepMs + 15_000)
  assert.equal((await check()).status, 'ok')
  clock.set(1e12 + clock.maxSleepMs + 15_001)
  assert.equal((await check()).status, 'failing')
  for (const loop of [fire, deliver]) loop.checkedAt = clock.now()
  assert.equal((await check()).status, 'ok')
})

test('a database that is away is reported, and not taken for late reminders', async (t) => {
  const { store, check } = await watched(t)
  await store[Symbol.asyncDispose]()
  const { status, database, overdueMs } = await check()
  assert.deepEqual([status, overdueMs], ['ok', 0])
  assert.notEqual(database, 'ok')
})
