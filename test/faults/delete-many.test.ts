import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusal } from '#kit/http-requests.ts'
import { failingDatabase, wrapConnections } from '#support/failing-database.ts'
import { insertMany } from '#support/many-tasks.ts'
import { stopWithFakeClock } from '#support/stop-with-fake-clock.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

/** An operation in chunks may stop between two of them: then each task is in one place, and a repeated request does the rest. */
const startAt = '2026-12-01T09:00:00Z'
const many = 6_500
/** The size of the first chunk; later sizes follow from the time that it takes. */
const chunk = 1_000

/** The number of tasks in each place, and the number of batches. */
async function places({ app }: TestApp) {
  const ids = async (table: 'tasks' | 'trash') =>
    (await app.store.db.selectFrom(table).select('id').execute()).map(({ id }) => id)
  const [tasks, trash] = [await ids('tasks'), await ids('trash')]
  assert.equal(new Set([...tasks, ...trash]).size, many, 'each is somewhere')
  assert.equal(tasks.length + trash.length, many, 'and nowhere else')
  const batches = await app.store.db.selectFrom('trash').select('batch').distinct().execute()
  return { tasks: tasks.length, trash: trash.length, batches: batches.length }
}

test('a crash while deleting many leaves whole chunks; a repeated request does the rest', async (t) => {
  const database = failingDatabase()
  let chunks = 0
  const app = await startTestApp(t, {
    startAt,
    wrapDatabase: (dialect) =>
      database.wrap(
        wrapConnections(dialect, async (text, run) => {
          const result = await run()
          if (/^insert into .trash./.test(text) && ++chunks === 2) database.die()
          return result
        }),
      ),
  })
  await insertMany(app.app.store, many)
  await refusal(app.client.deleteTasks())
  await stopWithFakeClock(app.clock, app.stop(), database)
  await app.restart({ wrapDatabase: (dialect) => dialect })
  assert.deepEqual(await places(app), { tasks: many - chunk, trash: chunk, batches: 1 })
  assert.equal((await app.client.deleteTasks()).deleted, many - chunk)
  assert.deepEqual(await places(app), { tasks: 0, trash: many, batches: 2 })
})

test('a stop halfway is answered, and the response says how far it came', async (t) => {
  let stop = () => {}
  const app = await startTestApp(t, {
    startAt,
    wrapDatabase: (dialect) =>
      wrapConnections(dialect, async (text, run) => {
        if (/^insert into .trash./.test(text)) stop()
        return run()
      }),
  })
  await insertMany(app.app.store, many)
  let stopping: Promise<void> | undefined
  stop = () => {
    stopping ??= app.stop()
  }
  const { status, message } = await refusal(app.client.deleteTasks())
  assert.equal(status, 503)
  const [, done] = /stopping\. (\d+) tasks are in the trash by now, as batch/.exec(message) ?? []
  await stopping
  stop = () => {}
  await app.restart()
  const { trash } = await places(app)
  assert.deepEqual([trash, trash >= chunk, trash < many], [Number(done), true, true])
})

test('a task deleted and restored by two concurrent requests is in one place', async (t) => {
  const app = await startTestApp(t, { startAt })
  await insertMany(app.app.store, many)
  const { batch } = await app.client.deleteTasks()
  const which = { batch: batch as string }
  const [first, second] = await Promise.all([app.client.restoreTasks(which), app.client.restoreTasks(which)])
  assert.equal(first.count + second.count, many)
  const deleted = await Promise.all([
    app.client.deleteTasks(),
    app.client.deleteTasks(),
    app.client.deleteTasks({ status: 'open' }),
  ])
  assert.equal(
    deleted.reduce((sum, one) => sum + one.deleted, 0),
    many,
  )
  assert.equal((await places(app)).trash, many)
})
