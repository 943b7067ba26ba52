import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TaskWire } from '#api/schemas/task.ts'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { changesSince } from '#store/changes.ts'
import { insertMany } from '#support/many-tasks.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

const startAt = '2026-12-01T09:00:00Z'
const dayMs = 86_400_000
const inDays = (days: number) => new Date(Date.parse(startAt) + days * dayMs).toISOString()

/** The existing tasks, by their titles. */
async function titles({ client }: TestApp) {
  return (await client.listTasks()).tasks.map(({ title }) => title)
}

test('a deleted task', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client, clock, url } = app
  const task = await client.createTask({
    title: 'Renew passport',
    key: 'passport',
    expiry_dt: '2026-12-24T10:00:00Z',
    time_zone: 'Europe/Paris',
    reminders: ['P1D', 'PT15M'],
    tags: ['a', '日本'],
    priority: 'high',
    description: '€'.repeat(21_845), // 65,535 bytes
  })

  await t.test('can be restored for thirty days, and the response has the end of that time', async () => {
    assert.deepEqual(await client.deleteTask(task.id), {
      id: task.id,
      deleted_dt: inDays(0),
      restore_until_dt: inDays(30),
    })
    assert.deepEqual(await titles(app), [])
  })

  await t.test('is in the trash unchanged', async () => {
    const { tasks, next_cursor } = await client.listTrash()
    const [{ deleted_dt, restore_until_dt, batch, ...trashed } = assert.fail()] = tasks
    assert.deepEqual(trashed, task)
    assert.deepEqual([deleted_dt, restore_until_dt, next_cursor], [inDays(0), inDays(30), null])
    assert.ok(batch.length > 0)
  })

  await t.test('comes back under its id, with another version', async () => {
    await clock.advance(60_000)
    assert.deepEqual(await client.restoreTasks({ ids: [task.id] }), { count: 1, restored: [task.id], missing: [] })
    const back = await client.getTask(task.id)
    assert.deepEqual(back, { ...task, version: 2, update_dt: new Date(clock.now()).toISOString() })
    assert.deepEqual((await client.listTrash()).tasks, [])
    assert.equal((await refusal(client.updateTask(task.id, { title: 'x' }, { ifVersion: 1 }))).status, 412)
  })

  await t.test('restored twice is missing the second time', async () => {
    assert.deepEqual(await client.restoreTasks({ ids: [task.id, 999] }), {
      count: 0,
      restored: [],
      missing: [task.id, 999],
    })
  })

  await t.test('is gone for good after a purge', async () => {
    await client.deleteTask(task.id)
    assert.deepEqual(await client.purgeTrash(), { purged: 1 })
    assert.deepEqual((await client.restoreTasks({ ids: [task.id] })).missing, [task.id])
  })

  await t.test('frees its uid and key; it cannot be restored beside another task that has them', async () => {
    const [first, second] = [await client.createTask({ title: 'a', key: 'k' }), await client.createTask({ title: 'b' })]
    await client.deleteTask(first.id)
    await client.deleteTask(second.id)
    const taker = await client.createTask({ title: 'c', key: 'k' })
    const refused = await refusal(client.restoreTasks({ ids: [second.id, first.id] }))
    assert.equal(refused.status, 409)
    for (const named of [`${first.id}`, `${taker.id}`, '«k»']) assert.ok(refused.message.includes(named), named)
    assert.deepEqual(await titles(app), ['c'], 'nothing of it was restored')
    await client.updateTask(taker.id, { key: null })
    assert.equal((await client.restoreTasks({ ids: [second.id, first.id] })).count, 2)
    const again = await client.createTask({ title: 'd', uid: 'u' })
    await client.deleteTask(again.id)
    await client.createTask({ title: 'e', uid: 'u' })
    const { message } = await refusal(client.restoreTasks({ ids: [again.id] }))
    assert.ok(message.includes('uid «u»'), message)
  })

  await t.test('is selected by ids or by a batch, not by both', async () => {
    const send = wireTo(url)
    const restore = (body: unknown) => send('POST', '/v1/trash/restore', { body })
    assertProblem(await restore({}), 422, 'ids')
    assertProblem(await restore({ ids: [1], batch: 'x' }), 422, 'ids')
    assertProblem(await restore({ ids: [] }), 422, '/ids')
    assertProblem(await restore({ ids: ['1'] }), 422, '/ids/0')
    assertProblem(await restore({ ids: Array(1_001).fill(1) }), 422, '/ids')
    assertProblem(await restore({ id: [1] }), 422, '/id')
    assert.equal((await restore({ batch: 'of nobody' })).body.count, 0)
    assertProblem(await send('DELETE', '/v1/trash?ids=1&batch=x'), 400, 'batch')
    assertProblem(await send('DELETE', '/v1/trash?ids=1,x'), 400, 'ids')
    assertProblem(await send('DELETE', '/v1/trash?id=1'), 400, 'id')
    assertProblem(await send('DELETE', '/v1/trash', { body: { ids: [1] } }), 422)
    assertProblem(await send('GET', '/v1/trash?limit=0'), 400, 'limit')
    assertProblem(await send('GET', '/v1/trash?cursor=x'), 400, 'cursor')
  })
})

test('the trash is paged, the newest deletion first', async (t) => {
  const { client, clock } = await startTestApp(t, { startAt })
  const ids: number[] = []
  for (let i = 0; i < 7; i++) ids.push((await client.createTask({ title: 'x' })).id)
  // Two at a time at one instant, in another order than that of their ids.
  for (const pair of [[5, 0], [6, 2], [1, 4], [3]]) {
    await client.deleteTasks({ ids: pair.map((i) => ids[i] as number) })
    await clock.advance(1)
  }
  const newest = [3, 4, 1, 6, 2, 5, 0].map((i) => ids[i])
  const seen: number[] = []
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await client.listTrash({ limit: 3, ...(cursor && { cursor }) })
    seen.push(...page.tasks.map(({ id }) => id))
    cursor = page.next_cursor
  }
  assert.deepEqual(seen, newest)
})

test('deleting many', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client, clock, url } = app
  const send = wireTo(url)
  const fill = async () => {
    await client.deleteTasks()
    await client.purgeTrash()
    const drafts = [
      { title: 'plain' },
      { title: 'tagged', tags: ['home', 'car'], expiry_dt: '2026-12-24T10:00:00Z' },
      { title: 'tricky', tags: ['a"home', ',"home"', '["home"', 'home\\', 'Home', 'home car'] },
      { title: 'expired', tags: ['home'], expiry_dt: '2026-12-01T08:59:59.999Z' },
      { title: 'done', completed_dt: '2026-12-01T08:00:00Z', expiry_dt: '2026-12-01T08:00:00Z' },
    ]
    const tasks: TaskWire[] = []
    for (const draft of drafts) tasks.push(await client.createTask(draft))
    await app.app.idle()
    return new Map(tasks.map((task) => [task.title, task]))
  }

  for (const [what, filter, gone] of [
    ['all', {}, ['plain', 'tagged', 'tricky', 'expired', 'done']],
    ['all, said so', { status: 'all' }, ['plain', 'tagged', 'tricky', 'expired', 'done']],
    ['the open ones', { status: 'open' }, ['plain', 'tagged', 'tricky', 'expired']],
    ['the expired ones', { status: 'expired' }, ['expired']],
    ['the completed ones', { status: 'completed' }, ['done']],
    ['those with a tag, and not with one like it', { tag: 'home' }, ['tagged', 'expired']],
    ['those with each of several tags', { tag: ['home', 'car'] }, ['tagged']],
    ['those with a tag of quotes', { tag: 'a"home' }, ['tricky']],
    ['those with a tag of a backslash', { tag: 'home\\' }, ['tricky']],
    ['those that expire before a time', { expires_before: '2026-12-24T10:00:00Z' }, ['expired', 'done']],
    ['those that expire before a day', { expires_before: '2026-12-25' }, ['tagged', 'expired', 'done']],
    ['what several filters take', { status: 'open', tag: 'home', expires_before: '2026-12-24' }, ['expired']],
    ['none, where none is taken', { tag: 'nowhere' }, []],
  ] as const)
    await t.test(`${what}; counted before, and restored as one batch`, async () => {
      const tasks = await fill()
      const dry = await client.deleteTasks({ ...filter, dry_run: true })
      assert.deepEqual(dry, { deleted: gone.length, batch: null, restore_until_dt: null })
      assert.equal((await titles(app)).length, 5, 'nothing changed')
      const { deleted, batch, restore_until_dt } = await client.deleteTasks(filter)
      assert.equal(deleted, gone.length)
      const stays = [...tasks.keys()].filter((title) => !(gone as readonly string[]).includes(title))
      assert.deepEqual(await titles(app), stays)
      if (batch === null) return assert.equal(restore_until_dt, null)
      assert.equal(restore_until_dt, new Date(clock.now() + 30 * dayMs).toISOString())
      const restored = await client.restoreTasks({ batch })
      assert.deepEqual(
        restored.restored,
        gone.map((title) => tasks.get(title)?.id),
      )
      assert.equal((await titles(app)).length, 5)
    })

  await t.test('by ids, those that exist', async () => {
    const tasks = await fill()
    const id = (title: string) => tasks.get(title)?.id as number
    const { deleted, batch } = await client.deleteTasks({ ids: [id('plain'), 99_999, id('done'), id('plain')] })
    assert.equal(deleted, 2)
    assert.deepEqual(await titles(app), ['tagged', 'tricky', 'expired'])
    assert.deepEqual(await client.purgeTrash({ ids: [id('done')] }), { purged: 1 })
    assert.deepEqual(await client.purgeTrash({ batch: batch as string }), { purged: 1 })
    assert.equal((await client.deleteTasks({ ids: [id('expired')], status: 'completed' })).deleted, 0)
  })

  await t.test('only if no task has changed since the list was read', async () => {
    const tasks = await fill()
    const { changes } = await app.app.store.db
      .selectFrom('counters')
      .selectAll()
      .where('user_id', '=', 1)
      .executeTakeFirstOrThrow()
    const ifEtag = `"c${changes}"`
    const id = tasks.get('plain')?.id as number
    assert.equal((await client.deleteTasks({ dry_run: true }, { ifEtag })).deleted, 5)
    await client.updateTask(id, { title: 'changed' })
    for (const filter of [{}, { ids: [id] }, { tag: 'nowhere' }, { dry_run: true }])
      assert.equal((await refusal(client.deleteTasks(filter, { ifEtag }))).status, 412)
    assert.equal((await titles(app)).length, 5)
    const next = { ifEtag: `"c${changes + 1}"` }
    assert.equal((await client.deleteTasks({}, next)).deleted, 5)
    assert.equal((await refusal(client.deleteTasks({}, next))).status, 412)
    assertProblem(await send('DELETE', '/v1/tasks', { headers: { 'if-match': '"3"' } }), 400, 'If-Match')
    assert.equal((await send('DELETE', '/v1/tasks', { headers: { 'if-match': '*' } })).status, 200)
  })

  await t.test('is refused if the request is ambiguous', async () => {
    const bad = ['tags=home', 'ids=', 'ids=1,,2', 'ids=1;2', 'ids=0', 'ids=01', 'status=done', 'tag=']
    bad.push('expires_before=soon', 'dry_run=yes', 'dry_run=', 'limit=1', `ids=${Array(1_001).fill(1)}`)
    await client.createTask({ title: 'stays' })
    for (const query of bad) assertProblem(await send('DELETE', `/v1/tasks?${query}`), 400, query.split('=')[0])
    assertProblem(await send('DELETE', '/v1/tasks', { body: { ids: [1] } }), 422)
    assert.deepEqual(await titles(app), ['stays'])
  })
})

test('more than a chunk is deleted, restored and purged as one batch', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client } = app
  const { store } = app.app
  const many = 4_500
  const expiry_at = Date.parse('2026-12-24T10:00:00Z')
  await insertMany(store, many, { expiry_at, notify_at: expiry_at - 900_000 })
  const before = await client.createTask({ title: 'Before' })
  const counter = () => store.db.selectFrom('counters').selectAll().where('user_id', '=', 1).executeTakeFirstOrThrow()

  const deleting = client.deleteTasks()
  const meanwhile = await client.createTask({ title: 'Meanwhile' })
  const { deleted, batch } = await deleting
  // A task created meanwhile may or may not be deleted, but it must not be lost.
  const wasThere = deleted === many + 2
  assert.ok(wasThere || deleted === many + 1, `${deleted}`)
  assert.deepEqual(await titles(app), wasThere ? [] : ['Meanwhile'])
  assert.equal(new Set((await client.listTrash({ limit: 1_000 })).tasks.map((task) => task.batch)).size, 1)

  const cleared = (await changesSince(store.db, 1, 0, 100)).filter(({ kind }) => kind === 'cleared')
  assert.ok(cleared.length > 1, 'a change a chunk')
  assert.equal(
    cleared.reduce((sum, { count = 0 }) => sum + count, 0),
    deleted,
  )
  assert.deepEqual([...new Set(cleared.map((change) => change.batch))], [batch])
  assert.equal((await counter()).forgotten, cleared.at(-1)?.number, 'who comes from before begins again')

  const { count, restored, missing } = await client.restoreTasks({ batch: batch as string })
  assert.deepEqual([count, restored.length, missing], [deleted, 1_000, []])
  assert.equal((await client.getTask(before.id)).version, 2)
  const all = await Array.fromAsync(client.iterateTasks())
  assert.equal(all.length, many + 2)
  assert.equal((await counter()).forgotten, (await counter()).changes)

  await client.deleteTasks()
  assert.deepEqual(await client.purgeTrash(), { purged: many + 2 })
  assert.deepEqual((await client.listTrash()).tasks, [])
  assert.ok((await client.createTask({ title: 'Next' })).id > meanwhile.id)
})

test('a request that ends halfway says how far it came, and a repeated request does the rest', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { client } = app
  const { store } = app.app
  await insertMany(store, 3_000)
  await client.createTask({ title: 'x', key: 'k' })
  await insertMany(store, 1_499)
  const { batch } = await client.deleteTasks()
  const taker = await client.createTask({ title: 'Taker', key: 'k' })
  const refused = await refusal(client.restoreTasks({ batch: batch as string }))
  assert.equal(refused.status, 409)
  const done = Number(/(\d+) tasks of the batch were restored before/.exec(refused.message)?.[1])
  assert.ok(done >= 1_000 && done <= 3_000, `${done} before the one that is refused`)
  assert.equal((await Array.fromAsync(client.iterateTasks())).length, done + 1)
  await client.deleteTask(taker.id)
  assert.equal((await client.restoreTasks({ batch: batch as string })).count, 4_500 - done)
})
