import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { openStore } from '#store/engine/open.ts'
import { temporaryFolder } from '#support/databases.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { watchHealth } from './health.ts'

type State = { lookedAt: number; error: unknown }

async function watched(t: TestContext) {
  const clock = fakeClock(1e12)
  const store = await openStore(`sqlite:${temporaryFolder(t)}/test.db`, { clock, onBroken() {} })
  t.after(() => store[Symbol.asyncDispose]())
  const [fire, deliver] = [0, 1].map(() => ({ lookedAt: 1e12, error: undefined as unknown })) as [State, State]
  const loops = [fire, deliver]
  const look = watchHealth({
    db: store.db,
    storage: store.storage,
    clock,
    loops: loops.map((loop) => ({ health: () => loop })),
  })
  return { clock, store, fire, deliver, look }
}

test('the bell is ok while its loops look and nothing is overdue', async (t) => {
  const { look } = await watched(t)
  assert.deepEqual(await look(), { status: 'ok', error: null, overdueMs: 0, database: 'ok', fault: null })
})

test('it fails when either loop has met an error, or has not looked for long', async (t) => {
  const { clock, fire, deliver, look } = await watched(t)
  deliver.error = new Error('no such table')
  assert.deepEqual((await look()).status, 'failing')
  assert.equal((await look()).error, 'Error: no such table')
  deliver.error = undefined
  clock.set(1e12 + clock.maxSleepMs + 15_000)
  assert.equal((await look()).status, 'ok')
  clock.set(1e12 + clock.maxSleepMs + 15_001)
  assert.equal((await look()).status, 'failing')
  for (const loop of [fire, deliver]) loop.lookedAt = clock.now()
  assert.equal((await look()).status, 'ok')
})

test('a database that is away is told, and not taken for a late bell', async (t) => {
  const { store, look } = await watched(t)
  await store[Symbol.asyncDispose]()
  const { status, database, overdueMs } = await look()
  assert.deepEqual([status, overdueMs], ['ok', 0])
  assert.notEqual(database, 'ok')
})
