import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Dialect as KyselyDialect } from 'kysely'
import { sql } from 'kysely'
import { Problem } from '#core/problem.ts'
import type { Store } from '#store/engine/open.ts'
import * as tasks from '#store/tasks.ts'
import { testDatabase } from '#support/databases.ts'
import { failingDatabase, wrapConnections } from '#support/failing-database.ts'
import { parseSample, statementsOf } from '../crashes/sample.ts'
import { draft, fire, fresh, insert, me, notification, now } from './open-store.ts'

describe(`${testDatabase}: migrations`, () => {
  type Applied = { kysely_migration: { name: string; timestamp: string } }
  const applied = ({ db }: Store) =>
    sql<Applied['kysely_migration']>`select name, timestamp from kysely_migration order by name`.execute(db)

  test('they are applied once', async (t) => {
    const database = await fresh(t)
    const first = await database.open()
    const { rows } = await applied(first)
    assert.ok(rows.length >= 1)
    await insert(first, draft({ title: 'kept' }))
    await first[Symbol.asyncDispose]()
    const second = await database.open()
    assert.deepEqual((await applied(second)).rows, rows)
    assert.equal((await tasks.listTasks(second.db, me, { after: 0, limit: 10, offset: 0 }))[0]?.title, 'kept')
    await second[Symbol.asyncDispose]()
  })

  test('a database of a newer version is refused with a sentence, and is not changed', async (t) => {
    const database = await fresh(t)
    const store = await database.open()
    await sql`insert into kysely_migration (name, timestamp) values ('9999-future', '2099-01-01')`.execute(store.db)
    await store[Symbol.asyncDispose]()
    const executed: string[] = []
    const wrap = (dialect: KyselyDialect) =>
      wrapConnections(dialect, (text, run) => {
        executed.push(text)
        return run()
      })
    await assert.rejects(database.open({ wrap }), (error: Error) => {
      assert.ok(error instanceof Problem)
      assert.match(error.message, /used by a newer Duebell: it has 9999-future, .* Nothing was changed/)
      return true
    })
    assert.deepEqual(
      executed.filter((text) => !/^\s*(select|with|show)/i.test(text)),
      [],
      'it was only read',
    )
  })

  for (const when of ['before', 'after'] as const)
    test(`killed ${when} any of their statements, they are completed by the next start`, async (t) => {
      const database = await fresh(t)
      const sample = parseSample(process.env.CRASH_SAMPLE)
      let kills = 0
      for (const n of statementsOf(sample)) {
        await database.empty()
        const failing = failingDatabase()
        failing.dieAt(n, when)
        const opened = await database.open({ wrap: failing.wrap }).catch(() => undefined)
        await opened?.[Symbol.asyncDispose]()
        const store = await database.open()
        const [task] = await insert(store, draft({ expiry: { at: now } }))
        assert.ok(task)
        assert.deepEqual(await tasks.findTask(store.db, me, task.id), task)
        assert.equal((await fire(store, notification(task.id))).length, 1)
        await store[Symbol.asyncDispose]()
        if (failing.isFailed) {
          kills++
          continue
        }
        t.diagnostic(`killed at ${kills} statements, part ${sample.part} of ${sample.of}`)
        assert.ok(kills * sample.of > 5, 'it hardly ever died: what does this test?')
        return
      }
    })
})
