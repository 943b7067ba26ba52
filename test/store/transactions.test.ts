import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { sql } from 'kysely'
import { Problem } from '#core/problem.ts'
import { changesSince, recordChange } from '#store/changes.ts'
import type { Store } from '#store/engine/open.ts'
import * as taskWrites from '#store/task-writes.ts'
import * as tasks from '#store/tasks.ts'
import { testDatabase } from '#support/databases.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { draft, insert, me, now, open } from './open-store.ts'

describe(`${testDatabase}: transactions`, () => {
  /** A store, and the text of every later statement, with the additions of the test. */
  async function watched(t: TestContext, onCommit: () => Promise<void> | void = () => {}) {
    const executed: string[] = []
    const store = await open(t, {
      wrap: (dialect) =>
        wrapConnections(dialect, async (text, run) => {
          executed.push(text)
          if (text === 'commit') await onCommit()
          const result = await run()
          if (text === 'commit') executed.push('committed')
          return result
        }),
    })
    executed.length = 0
    return { store, executed }
  }
  const titles = async ({ db }: Store) =>
    (await tasks.listTasks(db, me, { after: 0, limit: 1_000, offset: 0 })).map(({ title }) => title)

  test('writes that arrive together share one transaction; one that throws leaves no trace', async (t) => {
    const { store, executed } = await watched(t)
    const results = await Promise.allSettled([
      insert(store, draft({ title: 'first' })),
      store.transact(async (tx) => {
        await taskWrites.insertTask(tx, draft({ title: 'regretted' }))
        throw new Problem('invalid', 'on second thoughts')
      }),
      insert(store, draft({ title: 'third', key: 'k' })),
      insert(store, draft({ title: 'taken', key: 'k' })),
      insert(store, draft({ title: 'last' })),
    ])
    assert.deepEqual(
      results.map((result) => (result.status === 'fulfilled' ? 'done' : result.reason.kind)),
      ['done', 'invalid', 'done', 'conflict', 'done'],
    )
    // They run together without savepoints first, and again with them after one has thrown.
    assert.equal(executed.filter((text) => text === store.dialect.begin).length, 2)
    assert.equal(executed.filter((text) => text === 'commit').length, 1)
    assert.deepEqual(await titles(store), ['first', 'third', 'last'])
  })

  test('a write refused before it changed anything causes no rerun of the others, if that can be known', async (t) => {
    const { store, executed } = await watched(t)
    let runs = 0
    const results = await Promise.allSettled([
      insert(store, draft({ title: 'first' })),
      store.transact(async (tx) => {
        runs++
        recordChange(tx, { userId: me, taskId: 1, kind: 'deleted' })
        throw new Problem('not-found', 'There is no task 99.')
      }),
      insert(store, draft({ title: 'last' })),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    const isKnown = store.dialect.rowsChanged !== undefined
    assert.deepEqual([runs, executed.includes('savepoint unit_of_work')], isKnown ? [1, false] : [2, true])
    assert.deepEqual(await titles(store), ['first', 'last'])
    assert.deepEqual(await changesSince(store.db, me, 0, 10), [], 'nor is anything told that it was about to do')
  })

  test('an error of the database is never taken for a write that changed nothing', async (t) => {
    const { store } = await watched(t)
    const results = await Promise.allSettled([
      insert(store, draft({ title: 'first' })),
      store.transact(async (tx) => {
        // SQLite does so if it has no space or no memory: all earlier writes are rolled back.
        await sql`rollback`.execute(tx)
        throw new Error('no room')
      }),
      insert(store, draft({ title: 'last' })),
    ])
    const done = results.filter(({ status }) => status === 'fulfilled').length
    assert.equal((await titles(store)).length, done, 'none is told that it was done, and was not')
  })

  test('the error of one write affects no other, however long all of them have waited for a lock', async (t) => {
    const clock = fakeClock(now)
    const store = await open(t, { clock })
    let tries = 0
    const held = Object.assign(new Error('held'), { code: '40P01', errno: 1213, errcode: 5 })
    const good = store.transact(async (tx) => {
      // A lock that is held for almost as long as a transaction waits for it.
      if (++tries === 1) {
        clock.set(now + 1_400)
        throw held
      }
      clock.set(now + 1_600)
      return taskWrites.insertTask(tx, draft())
    })
    const wrong = store.transact(async () => {
      throw new Problem('conflict', 'of this one alone')
    })
    const [done, refused] = await Promise.allSettled([good, wrong])
    assert.equal(done.status, 'fulfilled', `${(done as PromiseRejectedResult).reason}`)
    assert.equal((await tasks.listTasks(store.db, me, { after: 0, limit: 10, offset: 0 })).length, 1)
    assert.equal((refused as PromiseRejectedResult).reason?.message, 'of this one alone')
  })

  test('a single write that throws is rolled back', async (t) => {
    const { store, executed } = await watched(t)
    const failing = store.transact(async (tx) => {
      await taskWrites.insertTask(tx, draft())
      throw new Error('on second thoughts')
    })
    await assert.rejects(failing, { message: 'on second thoughts' })
    assert.equal(executed.at(-1), 'rollback')
    assert.deepEqual(await titles(store), [])
    await insert(store, draft({ title: 'next' }))
    assert.deepEqual(await titles(store), ['next'])
  })

  test('nothing is acknowledged before the commit', async (t) => {
    const { store, executed } = await watched(t, async () => {
      for (let i = 0; i < 5; i++) await turn() // a premature acknowledgement has time to arrive
    })
    const request = async (title: string) => {
      await insert(store, draft({ title }))
      executed.push(`answered ${title}`)
    }
    await Promise.all([request('a'), request('b')])
    assert.deepEqual(executed.slice(-4), ['commit', 'committed', 'answered a', 'answered b'])
    await assert.rejects(
      Promise.all([
        request('c'),
        store
          .transact(() => Promise.reject(new Error('no')))
          .catch((error) => {
            executed.push('answered no')
            throw error
          }),
      ]),
    )
    assert.ok(executed.lastIndexOf('answered no') > executed.lastIndexOf('committed'), 'a refusal neither')
  })

  test('if the commit fails no write is acknowledged, and none was stored', async (t) => {
    let fails = false
    const { store } = await watched(t, () => {
      if (fails) throw new Error('no room')
    })
    fails = true
    const both = await Promise.allSettled([insert(store, draft()), insert(store, draft())])
    assert.deepEqual(
      both.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    assert.deepEqual(await titles(store), [])
    fails = false
    await insert(store, draft({ title: 'next' }))
    assert.deepEqual(await titles(store), ['next'])
  })

  test('all writes in a transaction have the same time, whatever the clock does meanwhile', async (t) => {
    let time = now
    const store = await open(t, { clock: { ...fakeClock(now), now: () => time++ } })
    const request = () => store.transact(async (_, at) => at)
    const times = await Promise.all([request(), request(), request()])
    assert.equal(new Set(times).size, 1)
    assert.ok((await request()) > (times[0] as number), 'and the next is later')
  })

  test('a thousand concurrent writes are all done, each once, and in order if one transaction runs at a time', async (t) => {
    const { store, executed } = await watched(t)
    const expected = Array.from({ length: 1_000 }, (_, i) => `task ${i}`)
    await Promise.all(expected.map((title) => insert(store, draft({ title }))))
    const done = await titles(store)
    if (store.dialect.maxTransactions === 1) assert.deepEqual(done, expected)
    assert.deepEqual(done.toSorted(), expected.toSorted())
    const commits = executed.filter((text) => text === 'commit').length
    assert.ok(commits >= 2 && commits <= 20, `${commits} commits`)
  })
})
