import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import mysql2 from 'mysql2/promise'
import pg from 'pg'
import type { Context } from '#actions/context.ts'
import { createTask, deleteTask, updateTask } from '#actions/tasks.ts'
import { systemClock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { changesSince, type NumberedChange } from '#store/changes.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { adoptServerDefaults } from '#store/preferences.ts'
import { freshDatabase, migratedDatabase, testDatabase } from '#support/databases.ts'

/** Readers that follow the numbered list during concurrent writes; several writers of the same version. */
const actor = { userId: 1 }
const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
const contextOf = ({ db, transact }: Store): Context => ({ db, transact, wake() {} })

/** Two replicas on one database. An embedded database has one. */
async function openReplicas(t: TestContext): Promise<[Store, Store]> {
  const url = await migratedDatabase(t)
  const open = async () => {
    const store = await openStore(url, { clock: systemClock, onBroken() {} })
    t.after(() => store[Symbol.asyncDispose]())
    return store
  }
  const first = await open()
  await first.transact((tx, now) => adoptServerDefaults(tx, defaults, now))
  return [first, first.dialect.isShared ? await open() : first]
}

test('a reader that follows the changes while 16 clients write to two replicas misses none, and sees no gap', async (t) => {
  const stores = await openReplicas(t)
  const [writers, rounds] = [16, 15]
  let isWriting = true

  /** Reads in pages after the last seen number. A number that became visible late would leave a gap here, and be missed. */
  async function follow({ db }: Store, limit: number): Promise<{ seen: NumberedChange[]; looks: number }> {
    const seen: NumberedChange[] = []
    for (let looks = 1; ; looks++) {
      const wasWriting = isWriting
      const page = await changesSince(db, actor.userId, seen.length, limit)
      for (const change of page) {
        assert.equal(change.number, seen.length + 1, 'the next one, without a gap')
        seen.push(change)
      }
      if (!wasWriting && page.length === 0) return { seen, looks }
      await turn() // an embedded database responds without a turn of the event loop, so no other client would ever run
    }
  }

  /** Creates, edits and deletes, and is refused in between: a refused write must not use a number. */
  async function write(writer: number): Promise<{ taskId: number; kind: string }[]> {
    const done: { taskId: number; kind: string }[] = []
    for (let round = 0; round < rounds; round++) {
      const ctx = contextOf(stores[(writer + round) % 2] as Store)
      const { id } = await createTask(ctx, actor, { title: `${writer}.${round}`, uid: `${writer}.${round}` })
      const [refused, edited] = await Promise.allSettled([
        createTask(ctx, actor, { title: 'Taken', uid: `${writer}.${round}` }),
        updateTask(ctx, actor, { id }, { title: `${writer}.${round} edited` }),
      ])
      assert.ok(refused.status === 'rejected' && refused.reason.kind === 'conflict')
      assert.equal(edited.status, 'fulfilled')
      await deleteTask(ctx, actor, { id })
      for (const kind of ['created', 'updated', 'deleted']) done.push({ taskId: id, kind })
    }
    return done
  }

  const following = [follow(stores[0], 7), follow(stores[1], 1_000)]
  const written = (await Promise.all(Array.from({ length: writers }, (_, i) => write(i)))).flat()
  isWriting = false
  for (const { seen, looks } of await Promise.all(following)) {
    assert.equal(seen.length, writers * rounds * 3)
    const bySeen = Map.groupBy(seen, ({ taskId }) => taskId)
    for (const [taskId, changes] of Map.groupBy(written, (change) => change.taskId))
      assert.deepEqual(
        bySeen.get(taskId)?.map(({ kind }) => kind),
        changes.map(({ kind }) => kind),
        'in the order in which they were answered',
      )
    t.diagnostic(`${seen.length} changes followed in ${looks} looks`)
  }
})

test('two replicas edit the same version of a task, and exactly one wins, each time', async (t) => {
  const [a, b] = (await openReplicas(t)).map(contextOf) as [Context, Context]
  let task = await createTask(a, actor, { title: 'Contended' })
  const rounds = 300
  const wins = { a: 0, b: 0 }
  for (let round = 0; round < rounds; round++) {
    const { id, version } = task
    const outcomes = await Promise.allSettled([
      updateTask(a, actor, { id, version }, { title: `a ${round}` }),
      updateTask(b, actor, { id, version }, { title: `b ${round}` }),
    ])
    const won = outcomes.filter((outcome) => outcome.status === 'fulfilled')
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
    assert.deepEqual([won.length, lost.length], [1, 1])
    const [{ value: winner }, { reason }] = [won[0], lost[0]] as [
      PromiseFulfilledResult<typeof task>,
      PromiseRejectedResult,
    ]
    assert.ok(reason instanceof Problem && reason.kind === 'stale', `${reason}`)
    assert.deepEqual([winner.version, reason.extras.current], [version + 1, winner], 'the loser is shown what won')
    wins[winner.title.startsWith('a') ? 'a' : 'b']++
    task = winner
  }
  assert.equal(task.version, rounds + 1)
  t.diagnostic(`${wins.a} to ${wins.b}`)
})

/** Two connections and a table with numbers that the database generates. */
async function openNumbered(t: TestContext): Promise<Record<'first' | 'second', (text: string) => Promise<number[]>>> {
  const url = await freshDatabase(t)
  const open = async () => {
    if (testDatabase === 'postgres') {
      const client = new pg.Client({ connectionString: url })
      client.on('error', () => {}) // the database is dropped while it is open
      await client.connect()
      t.after(() => client.end())
      return async (text: string) => (await client.query(text)).rows.map(({ id }) => Number(id))
    }
    const connection = await mysql2.createConnection({ uri: url })
    t.after(() => connection.end())
    return async (text: string) => {
      const [rows] = await connection.query(text)
      return Array.isArray(rows) ? rows.map((row) => Number((row as { id: number }).id)) : []
    }
  }
  const id = testDatabase === 'postgres' ? 'bigint generated always as identity' : 'bigint not null auto_increment'
  const [first, second] = [await open(), await open()]
  await first(`create table numbered (id ${id} primary key, text varchar(10))`)
  return { first, second }
}

if (testDatabase !== 'sqlite')
  test('premise: with numbers generated by the database, a reader misses late commits', async (t) => {
    const { first, second } = await openNumbered(t)
    await first('begin')
    await first(`insert into numbered (text) values ('first')`)
    await second(`insert into numbered (text) values ('second')`) // commits before the first one has
    const seen = await second('select id from numbered where id > 0 order by id')
    assert.deepEqual(seen, [2])
    await first('commit')
    assert.deepEqual(await second('select id from numbered where id > 2 order by id'), [], 'the reader goes on from 2')
    assert.deepEqual(await second('select id from numbered order by id'), [1, 2], 'and has missed 1, for good')
  })
