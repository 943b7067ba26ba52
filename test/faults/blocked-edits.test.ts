import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dialectOf } from '#store/dialects/dialect.ts'
import type { Db } from '#store/schema.ts'
import { testDatabase } from '#support/databases.ts'
import { insertMany } from '#support/many-tasks.ts'
import { startTestApp } from '#support/test-app.ts'

test('edits that wait for a lock delay no reminder', { skip: testDatabase === 'sqlite' }, async (t) => {
  const { client, clock, recorder, app } = await startTestApp(t, { startAt: '2026-12-01T09:00:00Z' })
  const { id } = await client.createTask({ title: 'Locked' })
  await client.createTask({ title: 'Due', expiry_dt: '2026-12-01T09:15:01Z' })
  // MariaDB reads a table of a few rows completely, and so would wait for the locked one.
  await insertMany(app.store, 2_000)
  const { db, transact } = app.store
  const lock = (tx: Db) => tx.selectFrom('tasks').select('id').where('id', '=', id).forUpdate().execute()

  // Another replica has frozen in the middle of an edit.
  const held = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const holding = db.transaction().execute(async (tx) => {
    await lock(tx)
    held.resolve()
    await released.promise
  })
  await held.promise
  // Edits of the same task occupy every transaction of their queue.
  const editing: Promise<unknown>[] = []
  for (let i = 0; i < dialectOf(db).maxTransactions; i++) {
    const started = Promise.withResolvers<void>()
    const edit = transact((tx) => {
      started.resolve()
      return lock(tx)
    })
    editing.push(edit.catch(() => {}))
    await started.promise
  }
  const advancing = clock.advance(1_000)
  const isFirst = await Promise.race([advancing.then(() => true), Promise.all(editing).then(() => false)])
  released.resolve()
  await Promise.allSettled([holding, advancing, ...editing])
  assert.deepEqual([isFirst, recorder.messages.length], [true, 1])
})
