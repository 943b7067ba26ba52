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
  /** A store, and the text of every statement from here on, with what the test adds. */
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

  test('wishes that come together share one transaction; one that throws leaves no trace of itself', async (t) => {
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
    // They are run together without savepoints first, and again with them once one has thrown.
    assert.equal(executed.filter((text) => text === store.dialect.begin).length, 2)
    assert.equal(executed.filter((text) => text === 'commit').length, 1)
    assert.deepEqual(await titles(store), ['first', 'third', 'last'])
  })

  test('one that is refused before it has changed anything costs those beside it nothing, where that can be known', async (t) => {
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

  test('what the database refuses is never taken for a wish that has changed nothing', async (t) => {
    const { store } = await watched(t)
    const results = await Promise.allSettled([
      insert(store, draft({ title: 'first' })),
      store.transact(async (tx) => {
        // As SQLite does by itself where it has no room, or no memory: whatever came before is gone.
        await sql`rollback`.execute(tx)
        throw new Error('no room')
      }),
      insert(store, draft({ title: 'last' })),
    ])
    const done = results.filter(({ status }) => status === 'fulfilled').length
    assert.equal((await titles(store)).length, done, 'none is told that it was done, and was not')
  })

  test('what is wrong with one wish is told to no other, however long all of them have waited for a lock', async (t) => {
    const clock = fakeClock(now)
    const store = await open(t, { clock })
    let tries = 0
    const held = Object.assign(new Error('held'), { code: '40P01', errno: 1213, errcode: 5 })
    const good = store.transact(async (tx) => {
      // A lock that somebody holds for almost as long as it is waited for.
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

  test('a wish that is alone and throws is rolled back', async (t) => {
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

  test('nothing is answered before the commit has been', async (t) => {
    const { store, executed } = await watched(t, async () => {
      for (let i = 0; i < 5; i++) await turn() // an answer that leaves early has the time to
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

  test('when the commit fails nobody is told that it was done, and it was not', async (t) => {
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

  test('all in a transaction are at one time, whatever the clock does meanwhile', async (t) => {
    let time = now
    const store = await open(t, { clock: { ...fakeClock(now), now: () => time++ } })
    const request = () => store.transact(async (_, at) => at)
    const times = await Promise.all([request(), request(), request()])
    assert.equal(new Set(times).size, 1)
    assert.ok((await request()) > (times[0] as number), 'and the next is later')
  })

  test('a thousand wishes at once are all done, each once, and where one transaction runs at a time in their order', async (t) => {
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
