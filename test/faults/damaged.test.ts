import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { ProblemError } from '#client/client.ts'
import { spawnServer } from '#kit/server-process.ts'
import { temporaryFolder } from '#support/databases.ts'
import { insertMany } from '#support/many-tasks.ts'
import { startTestApp } from '#support/test-app.ts'
import { overwritePage, pagesOf, readableKeys } from './damage.ts'

/** A page of the file is overwritten, as a failing disk does it. Everything else keeps working, and the damage is reported once. */

const startAt = '2026-12-01T09:00:00Z'
const dueAt = Date.parse('2026-12-01T10:00:00Z')
const howMany = 500

async function startWithTasks(t: TestContext) {
  const path = join(temporaryFolder(t), 'duebell.db')
  const app = await startTestApp(t, { startAt, flags: [`--database-url=sqlite:${path}`] })
  await insertMany(app.app.store, howMany, { expiry_at: dueAt, notify_at: dueAt - 900_000 })
  const { tasks } = await app.client.listTasks({ limit: 1_000 })
  return { ...app, running: app, path, ids: tasks.map(({ id }) => id) }
}

const countOf = (lines: readonly string[], words: RegExp) => lines.filter((line) => words.test(line)).length

describe('a damaged page of the table of tasks', () => {
  for (const when of ['before a start', 'with tasks that are due at the start'] as const)
    test(`${when}: every readable task fires, the others are named once`, async (t) => {
      const { running, path, ids, clock, recorder, lines } = await startWithTasks(t)
      await running.stop()
      const { leaves, pageSize } = pagesOf(path, 'tasks')
      for (const page of [leaves[3], leaves[10], leaves[11]]) overwritePage(path, page as number, pageSize)
      const healthy = readableKeys(path, 'tasks', 'id', ids)
      const damaged = ids.filter((id) => !healthy.includes(id))
      assert.ok(damaged.length >= 10 && healthy.length > howMany / 2, `${damaged.length} damaged`)

      if (when !== 'before a start') clock.set(dueAt)
      await running.restart()
      await clock.advanceTo(dueAt + 300_000)
      const fired = recorder.messages.map(({ task }) => task.id)
      assert.deepEqual(
        fired.toSorted((a, b) => a - b),
        healthy.toSorted((a, b) => a - b),
        'each once',
      )
      assert.equal(countOf(lines, /tasks cannot fire, since the database is damaged/), 1)
      assert.equal(countOf(lines, /The database is damaged: /), 1)
      assert.ok(lines.join('').includes(String(damaged[0])))
      assert.equal(countOf(lines, /^broken/), 0, 'no reason to stop')
    })
})

test('a start with other default reminders skips damaged rows: every readable task fires by the new ones', async (t) => {
  const { running, path, ids, clock, recorder, lines } = await startWithTasks(t)
  await running.app.idle()
  await running.stop()
  const { leaves, pageSize } = pagesOf(path, 'tasks')
  for (const page of [leaves[3], leaves[10]]) overwritePage(path, page as number, pageSize)
  const healthy = readableKeys(path, 'tasks', 'id', ids)
  lines.length = 0
  await running.restart({ flags: [`--database-url=sqlite:${path}`, '--default-reminders=PT30M'] })
  await clock.advanceTo(dueAt - 31 * 60_000)
  assert.equal(countOf(lines, /alarm recompute finished/), 1)
  assert.equal(recorder.messages.length, 0)
  await clock.advanceTo(dueAt + 300_000)
  const fired = recorder.messages.map(({ task, sentAt }) => ({ id: task.id, at: dueAt - sentAt }))
  assert.deepEqual(
    fired.toSorted((a, b) => a.id - b.id),
    healthy.toSorted((a, b) => a - b).map((id) => ({ id, at: 1_800_000 })),
    'each once',
  )
})

test('a request for damaged data gets an error without a path; other requests succeed, and health says what to do', async (t) => {
  const { running, path, ids } = await startWithTasks(t)
  await running.stop()
  const { leaves, pageSize } = pagesOf(path, 'tasks')
  overwritePage(path, leaves[5] as number, pageSize)
  const healthy = readableKeys(path, 'tasks', 'id', ids)
  const damaged = ids.find((id) => !healthy.includes(id)) as number
  await running.restart()
  const { client, url, lines } = running
  const health = async () => {
    const response = await fetch(`${url}/v1/health`, { headers: { accept: 'application/json' } })
    const { status, database } = (await response.json()) as { status: string; database: string }
    return { code: response.status, ready: (await fetch(`${url}/readyz`)).status, status, database }
  }
  const requests = [
    () => client.getTask(damaged),
    () => client.updateTask(damaged, { title: 'Edited' }),
    () => client.listTasks({ limit: 1_000 }),
  ]
  for (const request of [...requests, ...requests]) {
    const error = await request().then(
      () => assert.fail('it was read'),
      (error: unknown) => error,
    )
    assert.ok(error instanceof ProblemError)
    assert.equal(error.status, 503)
    assert.match(error.message, /The database is damaged, and this part of it cannot be read or changed\./)
    assert.ok(!error.message.includes(path))
  }
  assert.equal((await client.getTask(healthy[0] as number)).id, healthy[0])
  await client.updateTask(healthy[0] as number, { title: 'Edited' })
  await client.createTask({ title: 'New' })
  const { code, ready, status, database } = await health()
  assert.deepEqual([code, ready, status], [503, 200, 'unhealthy'], 'one page takes no server out of service')
  assert.match(database, /Stop the server and copy .*duebell\.db with its -wal\. .*\.recover/)
  assert.equal(countOf(lines, /unavailable/), 1, 'one line for six requests')
  assert.equal(countOf(lines, /The database is damaged: .*duebell\.db/), 1)
  const metrics = await (await fetch(`${url}/metrics`)).text()
  assert.match(metrics, /duebell_database_fault\{kind="damaged"\} 1/)
})

test('edits of a damaged task delay and repeat no reminder whose transaction they share', async (t) => {
  const { running, path, ids, clock, recorder, lines } = await startWithTasks(t)
  await running.stop()
  const { leaves, pageSize } = pagesOf(path, 'tasks')
  overwritePage(path, leaves[3] as number, pageSize)
  const healthy = readableKeys(path, 'tasks', 'id', ids)
  const damaged = ids.find((id) => !healthy.includes(id)) as number
  await running.restart()

  const { store } = running.app
  let isOver = false
  let edits = 0
  // The next edit is queued in the turn in which the last one failed. So each transaction of the loops contains one.
  async function edit() {
    while (!isOver) {
      const edited = store.transact((tx) =>
        tx.updateTable('tasks').set({ title: 'x' }).where('id', '=', damaged).execute(),
      )
      await assert.rejects(edited, /The database is damaged/)
      edits++
    }
  }
  const editing = [edit(), edit()]
  await clock.advanceTo(dueAt - 900_000)
  isOver = true
  await Promise.all(editing)

  assert.ok(edits > 10, `${edits} edits`)
  const fired = () => recorder.messages.map(({ task }) => task.id).toSorted((a, b) => a - b)
  assert.deepEqual(fired(), healthy, 'each at its instant')
  assert.equal(countOf(lines, /the result of a delivery cannot be stored/), 0)
  await running.restart()
  await clock.advanceTo(dueAt)
  assert.deepEqual(fired(), healthy, 'each once')
})

test('unreadable notifications fail, and all others are delivered', async (t) => {
  const { running, path, clock, recorder, lines } = await startWithTasks(t)
  recorder.answer = () => ({ retry: true, reason: 'not now', afterMs: 3_600_000 })
  await clock.advanceTo(dueAt)
  assert.equal(recorder.messages.length, howMany)
  await running.stop()
  const { leaves, pageSize } = pagesOf(path, 'notifications')
  overwritePage(path, leaves[3] as number, pageSize)
  const healthy = new Set(
    readableKeys(
      path,
      'notifications',
      'id',
      Array.from({ length: howMany }, (_, i) => i + 1),
    ),
  )
  assert.ok(healthy.size > howMany / 2 && healthy.size < howMany)
  recorder.messages.length = 0
  recorder.answer = () => undefined
  await running.restart()
  await clock.advance(2 * 3_600_000)
  const sent = new Set(recorder.messages.map(({ task }) => task.id))
  assert.equal(sent.size, healthy.size)
  assert.equal(countOf(lines, /notification deliveries failed: the database is damaged/), 1)
  const { rows } = await sql<{ n: number }>`select count(*) as n from deliveries where state = 'failed'`.execute(
    running.app.store.db,
  )
  assert.equal(rows[0]?.n, howMany - healthy.size)
})

test('deliveries of unreadable tasks fail, and all others are delivered', async (t) => {
  const { running, path, ids, clock, recorder } = await startWithTasks(t)
  recorder.answer = () => ({ retry: true, reason: 'not now', afterMs: 3_600_000 })
  await clock.advanceTo(dueAt)
  await running.stop()
  const { leaves, pageSize } = pagesOf(path, 'tasks')
  overwritePage(path, leaves[3] as number, pageSize)
  const healthy = readableKeys(path, 'tasks', 'id', ids)
  assert.ok(healthy.length > howMany / 2 && healthy.length < howMany)
  recorder.messages.length = 0
  recorder.answer = () => undefined
  await running.restart()
  await clock.advance(2 * 3_600_000)
  const sent = new Set(recorder.messages.map(({ task }) => task.id))
  assert.deepEqual(
    [...sent].toSorted((a, b) => a - b),
    healthy.toSorted((a, b) => a - b),
  )
})

test('a damaged page in the trash prevents no other task from being purged', async (t) => {
  const { running, path, clock, client } = await startWithTasks(t)
  await client.deleteTasks()
  await running.stop()
  const { leaves, pageSize } = pagesOf(path, 'trash')
  assert.ok(leaves.length > 10)
  overwritePage(path, leaves[7] as number, pageSize)
  await running.restart()
  await clock.advance(31 * 86_400_000)
  const { rows } = await sql<{ n: number }>`select count(*) as n from trash indexed by trash_deleted_at`.execute(
    running.app.store.db,
  )
  const left = rows[0]?.n ?? howMany
  // The rows of the page, and their neighbours, which SQLite can remove only by reading the page.
  assert.ok(left > 0 && left < howMany / 10, `${left} left`)
})

test('a damaged page of deliveries prevents no start: readable ones are sent, once, and so are new ones', async (t) => {
  const { running, path, clock, recorder, lines } = await startWithTasks(t)
  recorder.answer = () => ({ retry: true, reason: 'not now', afterMs: 3_600_000 })
  await clock.advanceTo(dueAt)
  await running.stop()
  const { leaves, pageSize } = pagesOf(path, 'deliveries')
  overwritePage(path, leaves[3] as number, pageSize)
  const healthy = readableKeys(
    path,
    'deliveries',
    'notification_id',
    Array.from({ length: howMany }, (_, i) => i + 1),
  )
  assert.ok(healthy.length > howMany / 2 && healthy.length < howMany)
  recorder.messages.length = 0
  recorder.answer = () => undefined
  await running.restart()
  const { id } = await running.client.createTask({ title: 'New', expiry_dt: '2026-12-01T18:00:00Z' })
  await clock.advanceTo('2026-12-01T18:00:00Z')
  assert.equal(recorder.messages.filter(({ task }) => task.id === id).length, 1)
  assert.equal(recorder.messages.length, healthy.length + 1)
  assert.equal(countOf(lines, /deliveries of a channel cannot be read, since the database is damaged/), 1)
})

test('a damaged page with data that every start needs: the error names the file, and what to do', async (t) => {
  const { running, path } = await startWithTasks(t)
  await running.stop()
  for (const name of ['channels', 'sqlite_autoindex_channels_1']) {
    const { leaves, pageSize } = pagesOf(path, name)
    overwritePage(path, leaves[0] as number, pageSize)
  }
  const { ended, output } = spawnServer(t, ['--database-url', `sqlite:${path}`])
  assert.equal((await ended).code, 2)
  assert.match(
    output.stderr,
    /^duebell: The database file .*duebell\.db is damaged: .+\. Stop the server and copy .*duebell\.db with its -wal\. .*\.recover \| sqlite3 repaired\.db\n$/,
  )
})
