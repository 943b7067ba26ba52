import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TaskDraftWire, TaskPatchWire, TaskWire } from '#api/schemas/task.ts'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

/** What a user of the API may rely on with tasks. The clock starts at 2026-12-01T09:00:00Z, and moves only where a test moves it. */
const startAt = '2026-12-01T09:00:00Z'
const now = '2026-12-01T09:00:00.000Z'

/** A draft with every member that a caller may set. */
const full = {
  uid: '0193a2f0-8b7e-7c41-9d55-3a1f0f2c9b10',
  key: 'passport',
  title: 'Renew passport',
  description: 'Bring two photos\nand the old one',
  expiry_dt: '2026-12-24T18:00:00+01:00',
  time_zone: 'Europe/Paris',
  reminders: ['P1D', 'PT15M', '2026-12-20T09:00:00Z'],
  tags: ['home', 'papers'],
  priority: 'high',
} as const satisfies TaskDraftWire

test('a new task', async (t) => {
  const { client, url } = await startTestApp(t, { startAt })

  await t.test('has every member it was given, and every other as null, empty or counted', async () => {
    const task = await client.create({ ...full, reminders: [...full.reminders], tags: [...full.tags] })
    assert.deepEqual(task, {
      id: task.id,
      ...full,
      expiry_dt: '2026-12-24T17:00:00.000Z',
      reminders: ['P1D', 'PT15M', '2026-12-20T09:00:00.000Z'],
      completed_dt: null,
      snoozed_until_dt: null,
      create_dt: now,
      update_dt: now,
      version: 1,
    })
    assert.deepEqual(await client.get(task.id), task)
  })

  await t.test('needs no more than a title', async () => {
    const { id, uid, ...rest } = await client.create({ title: 'Something' })
    assert.ok(Number.isInteger(id))
    assert.match(uid, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'a UUIDv7')
    assert.deepEqual(rest, {
      key: null,
      title: 'Something',
      description: null,
      expiry_dt: null,
      time_zone: null,
      reminders: null,
      tags: [],
      priority: 'none',
      completed_dt: null,
      snoozed_until_dt: null,
      create_dt: now,
      update_dt: now,
      version: 1,
    })
  })

  await t.test('is answered with its place and its ETag', async () => {
    const { headers, body } = await wireTo(url)('POST', '/v1/tasks', { body: { title: 'x' } })
    assert.equal(headers.get('location'), `/v1/tasks/${body.id}`)
    assert.equal(headers.get('etag'), '"1"')
  })

  await t.test('may be completed already', async () => {
    const task = await client.create({ title: 'Done', completed_dt: '2026-11-30T10:00:00Z' })
    assert.equal(task.completed_dt, '2026-11-30T10:00:00.000Z')
  })

  await t.test('keeps its texts byte for byte', async () => {
    const title = ' \t"Ünï\r\n👩‍👩‍👧 <b>\u202e\u0001 e\u0301 '
    const { id } = await client.create({ title, description: '', key: title, tags: [title.trim()] })
    const { key, tags, description, ...rest } = await client.get(id)
    assert.deepEqual([rest.title, description, key, tags], [title, '', title, [title.trim()]])
  })

  await t.test('ignores the members that only the server sets', async () => {
    const draft = { title: 'x', id: 77, version: 9, create_dt: 'then', update_dt: null, snoozed_until_dt: 5 }
    const task = await client.create(draft)
    assert.notEqual(task.id, 77)
    assert.deepEqual([task.version, task.create_dt, task.update_dt, task.snoozed_until_dt], [1, now, now, null])
  })

  await t.test('may have any priority of the four', async () => {
    for (const priority of ['none', 'low', 'medium', 'high'] as const)
      assert.equal((await client.create({ title: 'x', priority })).priority, priority)
  })
})

test('a uid and a key', async (t) => {
  const { client } = await startTestApp(t, { startAt })
  const first = await client.create({ title: 'first', uid: 'uid-1', key: 'key-1' })
  const second = await client.create({ title: 'second', uid: 'uid-2', key: 'key-2' })
  const count = async () => (await client.list()).tasks.length

  await t.test('are taken once: a second task with one of them is a conflict that names it', async () => {
    for (const draft of [{ uid: 'uid-1' }, { key: 'key-1' }]) {
      const { status, problem } = await refusal(client.create({ title: 'again', ...draft }))
      assert.equal(status, 409)
      assert.match(problem.detail, /(uid|key)-1/)
    }
    assert.equal(await count(), 2)
  })

  await t.test('cannot be moved onto each other', async () => {
    const { status } = await refusal(client.update(second.id, { key: 'key-1' }))
    assert.equal(status, 409)
    assert.equal((await refusal(client.updateMany([{ id: second.id, key: 'key-1' }]))).status, 409)
    assert.deepEqual(await client.get(second.id), second)
  })

  await t.test('a key can be changed, cleared, and then be another one’s; a uid stays', async () => {
    assert.equal((await client.update(first.id, { key: null, uid: 'other' })).key, null)
    assert.equal((await client.get(first.id)).uid, 'uid-1')
    assert.equal((await client.update(second.id, { key: 'key-1' })).key, 'key-1')
  })

  await t.test('many tasks may have no key', async () => {
    await client.create({ title: 'a' })
    await client.create({ title: 'b', key: null })
    assert.equal(await count(), 4)
  })

  await t.test('are free again once their task is deleted', async () => {
    await client.delete(second.id)
    assert.equal((await client.create({ title: 'x', uid: 'uid-2', key: 'key-1' })).uid, 'uid-2')
  })
})

test('a change', async (t) => {
  const { client, clock, url } = await startTestApp(t, { startAt })
  const send = wireTo(url)
  const create = () =>
    client.create({ ...full, uid: crypto.randomUUID(), key: null, reminders: ['PT15M'], tags: ['a', 'b'] })

  await t.test('merges: absent keeps, null clears, arrays replace (RFC 7396), by PATCH and PUT alike', async () => {
    for (const method of ['PATCH', 'PUT']) {
      const before = await create()
      const patch = { description: null, expiry_dt: null, tags: ['c'], reminders: null, time_zone: null }
      const { body } = await send(method, `/v1/tasks/${before.id}`, { body: patch })
      assert.deepEqual(body, { ...before, ...patch, version: 2 }, method)
      assert.deepEqual(await client.get(before.id), body)
    }
  })

  await t.test('may come as application/merge-patch+json', async () => {
    const { id } = await create()
    const headers = { 'content-type': 'application/merge-patch+json' }
    const { status, body } = await send('PATCH', `/v1/tasks/${id}`, { body: { title: 'merged' }, headers })
    assert.deepEqual([status, body.title], [200, 'merged'])
  })

  await t.test('counts the version and notes the time', async () => {
    const before = await create()
    await clock.advance(1_500)
    const after = await client.update(before.id, { title: 'Another' })
    assert.equal(after.version, 2)
    assert.equal(Date.parse(after.update_dt) - Date.parse(before.update_dt), 1_500)
    assert.equal(after.create_dt, before.create_dt)
  })

  await t.test('of every member by itself changes that one', async () => {
    const patches: TaskPatchWire[] = [
      { title: 'Another' },
      { description: 'Another' },
      { expiry_dt: '2027-01-01T00:00:00.000Z' },
      { time_zone: 'Asia/Tokyo' },
      { reminders: [] },
      { tags: [] },
      { priority: 'low' },
      { completed_dt: '2026-12-01T08:00:00.000Z' },
      { key: 'another' },
    ]
    for (const patch of patches) {
      const { update_dt: _, ...before } = await create()
      const { update_dt, ...after } = await client.update(before.id, patch)
      assert.deepEqual(after, { ...before, ...patch, version: 2 })
    }
  })

  await t.test('that changes nothing is no write: version and update_dt stay', async () => {
    const before = await create()
    await clock.advance(1_000)
    for (const patch of [{}, { title: before.title }, { tags: before.tags, priority: before.priority, key: null }])
      assert.deepEqual(await client.update(before.id, patch), before)
    const { tasks } = await client.updateMany([{ id: before.id, title: before.title }])
    assert.deepEqual(tasks, [before])
    assert.deepEqual(await client.get(before.id), before)
  })

  await t.test('may be the whole task as it was read: GET → PUT changes nothing', async () => {
    const before = await create()
    await clock.advance(1_000)
    const { status, body } = await send('PUT', `/v1/tasks/${before.id}`, { body: before })
    assert.equal(status, 200)
    assert.deepEqual(body, before)
  })

  await t.test('may be the whole task as it was read with one member edited', async () => {
    const before = await create()
    const edited = { ...before, title: 'Edited', version: 99, id: 99, uid: 'x', create_dt: 'x', update_dt: 'x' }
    const { body } = await send('PUT', `/v1/tasks/${before.id}`, { body: edited })
    assert.deepEqual({ ...body, update_dt: before.update_dt }, { ...before, title: 'Edited', version: 2 })
  })

  await t.test('of a task that does not exist is 404', async () => {
    assert.equal((await refusal(client.update(4_711, { title: 'x' }))).status, 404)
  })
})

test('If-Match', async (t) => {
  const { client, url } = await startTestApp(t, { startAt })
  const send = wireTo(url)

  await t.test('a GET tells the version as a strong ETag', async () => {
    const { id } = await client.create({ title: 'x' })
    await client.update(id, { title: 'y' })
    assert.equal((await send('GET', `/v1/tasks/${id}`)).headers.get('etag'), '"2"')
    const { headers } = await send('PATCH', `/v1/tasks/${id}`, { body: { title: 'z' } })
    assert.equal(headers.get('etag'), '"3"')
  })

  const expiry_dt = '2026-12-24T18:00:00Z'
  const changes: Record<string, (task: TaskWire, ifVersion: number) => Promise<unknown>> = {
    update: ({ id }, ifVersion) => client.update(id, { title: 'y' }, { ifVersion }),
    complete: ({ id }, ifVersion) => client.complete(id, { ifVersion }),
    reopen: ({ id }, ifVersion) => client.reopen(id, { ifVersion }),
    snooze: ({ id }, ifVersion) => client.snooze(id, { for: 'PT1H' }, { ifVersion }),
    delete: ({ id }, ifVersion) => client.delete(id, { ifVersion }),
  }
  for (const [name, change] of Object.entries(changes)) {
    await t.test(`${name}: with another version is 412, brings the task as it is, and changes nothing`, async () => {
      const task = await client.create({ title: 'x', expiry_dt })
      for (const version of [0, 2, 99]) {
        const { status, problem } = await refusal(change(task, version))
        assert.equal(status, 412)
        assert.deepEqual(problem.current, task)
      }
      assert.deepEqual(await client.get(task.id), task)
      await change(task, 1)
    })
  }

  await t.test('PUT by id heeds it as PATCH does', async () => {
    const { id } = await client.create({ title: 'x' })
    const put = (version: string) =>
      send('PUT', `/v1/tasks/${id}`, { body: { title: 'y' }, headers: { 'if-match': version } })
    assertProblem(await put('"2"'), 412)
    assert.equal((await put('"1"')).status, 200)
  })

  await t.test('* is any version that exists', async () => {
    const { id } = await client.create({ title: 'x' })
    const headers = { 'if-match': '*' }
    assert.equal((await send('PATCH', `/v1/tasks/${id}`, { body: { title: 'y' }, headers })).status, 200)
    assertProblem(await send('PATCH', '/v1/tasks/4711', { body: { title: 'y' }, headers }), 404)
  })

  await t.test('of two that saw the same version one wins', async () => {
    const { id } = await client.create({ title: 'x' })
    const ifVersion = 1
    const requests = ['a', 'b', 'c'].map((title) => client.update(id, { title }, { ifVersion }))
    const outcomes = await Promise.allSettled(requests)
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal((await client.get(id)).version, 2)
  })
})

test('complete, reopen and snooze', async (t) => {
  const { client, clock } = await startTestApp(t, { startAt })
  const expiry_dt = '2026-12-24T18:00:00.000Z'

  await t.test('complete notes the time; completing again changes nothing', async () => {
    const before = await client.create({ title: 'x', expiry_dt })
    const done = await client.complete(before.id)
    assert.deepEqual(done, { ...before, completed_dt: done.update_dt, version: 2 })
    assert.equal(Date.parse(done.completed_dt ?? ''), clock.now())
    await clock.advance(1_000)
    assert.deepEqual(await client.complete(before.id), done)
  })

  await t.test('reopen takes it back; reopening an open task changes nothing', async () => {
    const before = await client.create({ title: 'x', expiry_dt })
    await client.complete(before.id)
    const again = await client.reopen(before.id)
    assert.deepEqual({ ...again, update_dt: before.update_dt }, { ...before, version: 3 })
    await clock.advance(1_000)
    assert.deepEqual(await client.reopen(before.id), again)
  })

  await t.test('snooze for a while counts from now', async () => {
    const { id } = await client.create({ title: 'x', expiry_dt })
    for (const [span, minutes] of [
      ['PT1H', 60],
      ['PT0.5H', 30],
      ['P1D', 1_440],
      ['P1W', 10_080],
      ['PT90S', 1.5],
    ] as const) {
      const { snoozed_until_dt } = await client.snooze(id, { for: span })
      assert.equal(Date.parse(snoozed_until_dt ?? '') - clock.now(), minutes * 60_000, span)
    }
  })

  await t.test('snooze until a time reads it as every other time, in the zone of the task', async () => {
    const { id } = await client.create({ title: 'x', expiry_dt, time_zone: 'Asia/Tokyo' })
    for (const until of ['2026-12-02T10:00', '2026-12-02 10:00:00', '2026-12-02T10:00+09:00', '2026-12-02T01:00Z'])
      assert.equal((await client.snooze(id, { until })).snoozed_until_dt, '2026-12-02T01:00:00.000Z', until)
  })

  await t.test('snooze may go past the expiry, and be asked for after it', async () => {
    const { id } = await client.create({ title: 'x', expiry_dt: '2026-12-01T08:00:00Z' })
    const { snoozed_until_dt } = await client.snooze(id, { until: '2026-12-25T00:00:00Z' })
    assert.equal(snoozed_until_dt, '2026-12-25T00:00:00.000Z')
  })

  await t.test('completing ends a snooze, and so does another expiry', async () => {
    const { id } = await client.create({ title: 'x', expiry_dt })
    await client.snooze(id, { for: 'PT1H' })
    assert.equal((await client.update(id, { title: 'y' })).snoozed_until_dt !== null, true)
    assert.equal((await client.update(id, { expiry_dt: '2026-12-25' })).snoozed_until_dt, null)
    await client.snooze(id, { for: 'PT1H' })
    assert.equal((await client.complete(id)).snoozed_until_dt, null)
  })

  await t.test('what is completed or has no expiry cannot snooze: 409', async () => {
    const open = await client.create({ title: 'no expiry' })
    const done = await client.create({ title: 'done', expiry_dt, completed_dt: '2026-12-01' })
    for (const task of [open, done]) {
      assert.equal((await refusal(client.snooze(task.id, { for: 'PT1H' }))).status, 409)
      assert.deepEqual(await client.get(task.id), task)
    }
  })

  await t.test('snooze takes either a span or a time, ahead, and of ten years at most', async () => {
    const task = await client.create({ title: 'x', expiry_dt })
    const both = { for: 'PT1H', until: '2026-12-02T10:00:00Z' }
    const refused = [
      {},
      both,
      { until: '2026-12-01T08:59:59Z' },
      { for: 'PT0S' },
      { for: 'PT0.0001S' },
      { for: '-PT1H' },
    ]
    for (const snooze of [...refused, { for: 'P1M' }, { for: 'P1Y' }, { for: 'P3661D' }, { for: '1h' }, { for: 'P' }])
      assert.equal((await refusal(client.snooze(task.id, snooze))).status, 422, JSON.stringify(snooze))
    assert.deepEqual(await client.get(task.id), task)
  })

  await t.test('each is 404 for a task that does not exist', async () => {
    assert.equal((await refusal(client.complete(4_711))).status, 404)
    assert.equal((await refusal(client.reopen(4_711))).status, 404)
    assert.equal((await refusal(client.snooze(4_711, { for: 'PT1H' }))).status, 404)
  })
})

test('a change of many', async (t) => {
  const { client, url } = await startTestApp(t, { startAt })
  const [one, two, three] = await Promise.all(
    ['one', 'two', 'three'].map((title) => client.create({ title, key: title })),
  )
  assert.ok(one && two && three)
  const all = async () => (await client.list()).tasks

  await t.test('answers the tasks in the order asked for, and lists the ids that do not exist', async () => {
    const { tasks, missing } = await client.updateMany([
      { id: three.id, title: 'THREE' },
      { id: 4_711, title: '?' },
      { id: one.id, tags: ['x'] },
      { id: 4_712 },
    ])
    assert.deepEqual(tasks, [
      { ...three, title: 'THREE', version: 2 },
      { ...one, tags: ['x'], version: 2 },
    ])
    assert.deepEqual(missing, [4_711, 4_712])
    assert.deepEqual(await client.get(two.id), two)
  })

  await t.test('of none is none', async () => {
    assert.deepEqual(await client.updateMany([]), { tasks: [], missing: [] })
  })

  const bad: [why: string, status: number, item: Omit<TaskPatchWire, 'id' | 'version'>, pointer?: string][] = [
    ['a time that is none', 422, { expiry_dt: '2026-02-30' }, '/tasks/1/expiry_dt'],
    ['a zone that is none', 422, { time_zone: 'Mars/Phobos' }, '/tasks/1/time_zone'],
    ['NUL in a tag', 422, { tags: ['a\0'] }, '/tasks/1/tags/0'],
    ['an empty title', 422, { title: '' }, '/tasks/1/title'],
    ['a key that is taken', 409, { key: 'three' }],
  ]
  for (const [why, status, item, pointer] of bad) {
    await t.test(`with one bad item changes nothing: ${why}`, async () => {
      const before = await all()
      const request = client.updateMany([
        { id: one.id, title: 'changed' },
        { id: two.id, ...item },
        { id: three.id, title: 'changed too' },
      ])
      const { status: actual, problem } = await refusal(request)
      assert.equal(actual, status)
      if (pointer)
        assert.deepEqual(
          problem.errors?.map((error) => error.pointer),
          [pointer],
        )
      assert.deepEqual(await all(), before)
    })
  }

  await t.test('with an id twice is 422, whether it exists or not', async () => {
    const before = await all()
    for (const id of [one.id, 4_711]) {
      const { status, problem } = await refusal(
        client.updateMany([{ id, title: 'a' }, { id: two.id }, { id, title: 'b' }]),
      )
      assert.equal(status, 422)
      assert.equal(problem.errors?.[0]?.pointer, '/tasks/2/id')
    }
    assert.deepEqual(await all(), before)
  })

  await t.test('takes 1,000 items and no more', async () => {
    const items = Array.from({ length: 1_001 }, (_, i) => ({ id: 10_000 + i }))
    assert.equal((await client.updateMany(items.slice(1))).missing.length, 1_000)
    const { status, problem } = await refusal(client.updateMany(items))
    assert.deepEqual([status, problem.errors?.[0]?.pointer], [422, '/tasks'])
  })

  await t.test('may be the whole list as it was read: GET → PUT changes nothing', async () => {
    const { body: list } = await wireTo(url)('GET', '/v1/tasks')
    assert.deepEqual((await client.updateMany(list.tasks)).tasks, list.tasks)
    assert.deepEqual(await all(), list.tasks)
  })
})

test('deleting', async (t) => {
  const { client, clock } = await startTestApp(t, { startAt })

  await t.test('answers the id and the time, and the task is gone', async () => {
    const { id } = await client.create({ title: 'x' })
    const { id: deleted, deleted_dt } = await client.delete(id)
    assert.equal(deleted, id)
    assert.equal(Date.parse(deleted_dt), clock.now())
    assert.equal((await refusal(client.get(id))).status, 404)
    assert.equal((await refusal(client.delete(id))).status, 404)
  })

  await t.test('all answers how many there were', async () => {
    await client.deleteAll()
    for (const title of ['a', 'b', 'c']) await client.create({ title })
    assert.equal((await client.deleteAll()).deleted, 3)
    assert.deepEqual(await client.deleteAll(), { deleted: 0, batch: null, restore_until_dt: null })
    assert.deepEqual((await client.list()).tasks, [])
  })

  await t.test('never frees an id: the next task gets a new one, also when the last or all are gone', async () => {
    const last = await client.create({ title: 'last' })
    await client.delete(last.id)
    const next = await client.create({ title: 'next' })
    assert.ok(next.id > last.id)
    await client.deleteAll()
    assert.ok((await client.create({ title: 'after all' })).id > next.id)
  })
})

test('ids are not reused after a restart either', async (t) => {
  const app = await startTestApp(t, { startAt })
  const { id } = await app.client.create({ title: 'last' })
  await app.client.deleteAll()
  await app.restart()
  assert.ok((await app.client.create({ title: 'next' })).id > id)
})

test('paging', async (t) => {
  const { client, url } = await startTestApp(t, { startAt })
  const send = wireTo(url)
  const ids = (page: { tasks: TaskWire[] }) => page.tasks.map(({ id }) => id)
  for (let i = 1; i <= 10; i++) await client.create({ title: `Task ${i}` })

  await t.test('goes on by next_cursor until that is null', async () => {
    const first = await client.list({ limit: 4 })
    assert.deepEqual(ids(first), [1, 2, 3, 4])
    assert.ok(first.next_cursor)
    const second = await client.list({ limit: 4, cursor: first.next_cursor })
    assert.deepEqual(ids(second), [5, 6, 7, 8])
    assert.ok(second.next_cursor)
    const third = await client.list({ limit: 4, cursor: second.next_cursor })
    assert.deepEqual(ids(third), [9, 10])
    assert.equal(third.next_cursor, null)
  })

  await t.test('says next_cursor: null and no Link where nothing is left, also on a full page', async () => {
    for (const query of ['', '?limit=10', '?limit=10&offset=0', '?offset=5&limit=5']) {
      const { body, headers } = await send('GET', `/v1/tasks${query}`)
      assert.equal(body.next_cursor, null, query)
      assert.equal(headers.get('link'), null, query)
    }
  })

  await t.test('goes on by the Link header', async () => {
    const seen: number[] = []
    for (let path: string | undefined = '/v1/tasks?limit=3'; path; ) {
      const { body, headers } = await send('GET', path)
      seen.push(...ids(body))
      path = /^<(.+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]
    }
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  await t.test('goes on by offset, and from there by cursor', async () => {
    assert.deepEqual(ids(await client.list({ limit: 4, offset: 8 })), [9, 10])
    const { next_cursor } = await client.list({ limit: 2, offset: 5 })
    assert.deepEqual(ids(await client.list({ limit: 2, cursor: next_cursor ?? '' })), [8, 9])
  })

  await t.test('of none is none', async () => {
    assert.deepEqual(await client.list({ limit: 0 }), { tasks: [], next_cursor: null })
  })

  await t.test('a cursor and an offset exclude each other', async () => {
    const { next_cursor } = await client.list({ limit: 1 })
    const { status } = await refusal(client.list({ cursor: next_cursor ?? '', offset: 1 }))
    assert.equal(status, 400)
  })

  await t.test('the client walks through all pages', async () => {
    const seen: number[] = []
    for await (const { id } of client.iterate(3)) seen.push(id)
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  await t.test('by cursor is stable under writes: nothing twice, nothing left out', async () => {
    const { next_cursor } = await client.list({ limit: 4 })
    await client.delete(2)
    await client.delete(5)
    await client.create({ title: 'new' })
    const rest = await client.list({ cursor: next_cursor ?? '' })
    assert.deepEqual(ids(rest), [6, 7, 8, 9, 10, 11])
  })
})

test('a time', async (t) => {
  const { client } = await startTestApp(t, { startAt, flags: ['--time-zone=Europe/Paris'] })

  const read: [text: string, at: string, words: string, time_zone?: string][] = [
    ['2027-03-01T10:00:00Z', '2027-03-01T10:00:00.000Z', 'UTC'],
    ['2027-03-01T10:00:00+05:30', '2027-03-01T04:30:00.000Z', 'an offset'],
    ['2027-03-01t10:00:00.5z', '2027-03-01T10:00:00.500Z', 'small letters and a fraction, as RFC 3339 allows'],
    ['2027-03-01T10:00:00.123999999Z', '2027-03-01T10:00:00.123Z', 'more than milliseconds are cut off'],
    ['2027-03-01T10:00', '2027-03-01T09:00:00.000Z', 'without an offset: local, with T'],
    ['2027-03-01 10:00:00', '2027-03-01T09:00:00.000Z', 'without an offset: local, with a space'],
    ['2027-03-01 10:00:00+05:30', '2027-03-01T04:30:00.000Z', 'an offset behind a space'],
    ['2027-07-01T10:00', '2027-07-01T08:00:00.000Z', 'local in summer'],
    ['2027-03-01', '2027-02-28T23:00:00.000Z', 'a date: 00:00 there'],
    ['2028-02-29', '2028-02-28T23:00:00.000Z', 'a leap day'],
    ['2027-03-28T02:30', '2027-03-28T01:30:00.000Z', 'in the gap of spring: the later, 03:30'],
    ['2027-10-31T02:30', '2027-10-31T00:30:00.000Z', 'in the fold of autumn: the earlier'],
    ['2027-10-31T02:30+01:00', '2027-10-31T01:30:00.000Z', 'in the fold, the other one by its offset'],
    ['2027-03-01T10:00[Asia/Tokyo]', '2027-03-01T01:00:00.000Z', 'a zone', 'Asia/Tokyo'],
    ['2027-03-01[Asia/Tokyo]', '2027-02-28T15:00:00.000Z', 'a date and a zone', 'Asia/Tokyo'],
    ['2027-03-01T10:00+09:00[Asia/Tokyo]', '2027-03-01T01:00:00.000Z', 'a zone and its offset', 'Asia/Tokyo'],
    ['2027-03-01T10:00Z[Asia/Tokyo]', '2027-03-01T10:00:00.000Z', 'an instant and a zone', 'Asia/Tokyo'],
    ['2027-03-14T02:30[America/New_York]', '2027-03-14T07:30:00.000Z', 'a gap over there', 'America/New_York'],
    ['2027-11-07T01:30[America/New_York]', '2027-11-07T05:30:00.000Z', 'a fold over there', 'America/New_York'],
    ['0001-01-03T00:00:00Z', '0001-01-03T00:00:00.000Z', 'about the earliest'],
    ['9999-12-30T00:00:00Z', '9999-12-30T00:00:00.000Z', 'the latest'],
  ]
  for (const [text, at, words, time_zone = null] of read) {
    await t.test(`${text} is ${at} (${words})`, async () => {
      const task = await client.create({ title: words, expiry_dt: text })
      assert.deepEqual([task.expiry_dt, task.time_zone], [at, time_zone])
      assert.deepEqual(await client.get(task.id), task)
    })
  }

  await t.test('without an offset is read in the zone of the task, where it has or gets one', async () => {
    const { id, expiry_dt } = await client.create({
      title: 'x',
      time_zone: 'Asia/Tokyo',
      expiry_dt: '2027-03-01T10:00',
    })
    assert.equal(expiry_dt, '2027-03-01T01:00:00.000Z')
    assert.equal((await client.update(id, { expiry_dt: '2027-03-02' })).expiry_dt, '2027-03-01T15:00:00.000Z')
    const both = { expiry_dt: '2027-03-02 10:00', time_zone: 'America/New_York' }
    assert.equal((await client.update(id, both)).expiry_dt, '2027-03-02T15:00:00.000Z')
    const none = { expiry_dt: '2027-03-02 10:00', time_zone: null }
    assert.equal((await client.update(id, none)).expiry_dt, '2027-03-02T09:00:00.000Z')
  })

  await t.test('stays the same instant where only the zone changes', async () => {
    const task = await client.create({ title: 'x', expiry_dt: '2027-03-01T10:00' })
    const moved = await client.update(task.id, { time_zone: 'Asia/Tokyo' })
    assert.deepEqual(moved, { ...task, time_zone: 'Asia/Tokyo', version: 2 })
  })

  await t.test('with a zone moves the task there', async () => {
    const { id } = await client.create({ title: 'x', time_zone: 'Asia/Tokyo' })
    const moved = await client.update(id, { expiry_dt: '2027-03-01T10:00[America/New_York]' })
    assert.deepEqual([moved.expiry_dt, moved.time_zone], ['2027-03-01T15:00:00.000Z', 'America/New_York'])
  })

  await t.test('is refused where its offset or its zone contradict another', async () => {
    const contradictions = [
      { expiry_dt: '2027-03-01T10:00+01:00[Asia/Tokyo]' },
      { expiry_dt: '2027-03-28T02:30+01:00[Europe/Paris]' }, // in the gap no clock shows 02:30
      { expiry_dt: '2027-03-01T10:00[Asia/Tokyo]', time_zone: 'Europe/Paris' },
    ]
    for (const draft of contradictions) {
      const { status, problem } = await refusal(client.create({ title: 'x', ...draft }))
      assert.equal(status, 422, JSON.stringify(draft))
      assert.equal(problem.errors?.[0]?.pointer, '/expiry_dt')
    }
  })

  await t.test('a zone is kept under its usual spelling', async () => {
    assert.equal((await client.create({ title: 'x', time_zone: 'europe/PARIS' })).time_zone, 'Europe/Paris')
  })

  await t.test('completed_dt and reminders read the same forms', async () => {
    const task = await client.create({
      title: 'x',
      time_zone: 'Asia/Tokyo',
      expiry_dt: '2027-03-01',
      completed_dt: '2026-12-01 10:00',
      reminders: ['2027-02-27', '2027-02-28T09:00', '2027-02-28T09:00Z', 'P1D'],
    })
    assert.equal(task.completed_dt, '2026-12-01T01:00:00.000Z')
    assert.deepEqual(task.reminders, [
      '2027-02-26T15:00:00.000Z',
      '2027-02-28T00:00:00.000Z',
      '2027-02-28T09:00:00.000Z',
      'P1D',
    ])
    assert.equal(task.time_zone, 'Asia/Tokyo')
  })
})

test('a reminder may be any duration up to ten years', async (t) => {
  const { client } = await startTestApp(t, { startAt })
  const reminders = ['PT0S', 'PT90S', 'PT15M', 'PT1.5H', 'PT0,5H', 'P1D', 'P2W', 'P1M', 'P1Y2M3DT4H5M6S', 'P10Y']
  const task = await client.create({ title: 'x', expiry_dt: '2040-01-01', reminders })
  assert.deepEqual(task.reminders, reminders)
})

test('a limit lets in what reaches it, and refuses what is one above', async (t) => {
  const { client, url } = await startTestApp(t, { startAt })
  const of = <T>(length: number, make: (i: number) => T) => Array.from({ length }, (_, i) => make(i))
  const limits: [words: string, member: string, fits: object, exceeds: object][] = [
    ['500 characters of title', '/title', { title: 'x'.repeat(500) }, { title: 'x'.repeat(501) }],
    ['500 astral characters of title', '/title', { title: '🔔'.repeat(500) }, { title: '🔔'.repeat(501) }],
    [
      '65,536 bytes of description',
      '/description',
      { description: 'x'.repeat(65_536) },
      { description: 'x'.repeat(65_537) },
    ],
    [
      '65,536 bytes of description that are fewer characters',
      '/description',
      { description: 'é'.repeat(32_768) },
      { description: `${'é'.repeat(32_768)}x` },
    ],
    ['20 tags', '/tags', { tags: of(20, (i) => `tag ${i}`) }, { tags: of(21, (i) => `tag ${i}`) }],
    ['50 characters a tag', '/tags/0', { tags: ['🔔'.repeat(50)] }, { tags: ['🔔'.repeat(51)] }],
    ['10 reminders', '/reminders', { reminders: of(10, (i) => `PT${i}M`) }, { reminders: of(11, (i) => `PT${i}M`) }],
    ['200 characters of key', '/key', { key: '🔔'.repeat(200) }, { key: '🔔'.repeat(201) }],
    ['255 characters of uid', '/uid', { uid: '🔔'.repeat(255) }, { uid: '🔔'.repeat(256) }],
    ['a character of title', '/title', { title: ' ' }, { title: '' }],
    ['a character of a tag', '/tags/0', { tags: [' '] }, { tags: [''] }],
  ]
  for (const [words, pointer, fits, exceeds] of limits) {
    await t.test(words, async () => {
      const task = await client.create({ title: 'x', ...fits })
      assert.deepEqual({ ...task, ...fits }, task)
      assert.deepEqual(await client.get(task.id), task)

      const { status, problem } = await refusal(client.create({ title: 'x', ...exceeds }))
      assert.equal(status, 422)
      assert.deepEqual(
        problem.errors?.map((error) => error.pointer),
        [pointer],
      )
      if (pointer === '/uid') return // read-only from then on
      const { status: onUpdate } = await refusal(client.update(task.id, exceeds))
      assert.equal(onUpdate, 422)
      assert.deepEqual(await client.get(task.id), task)
    })
  }

  await t.test('1 MiB of body, counted or in chunks', async () => {
    const send = wireTo(url)
    const padded = (length: number) => `{"title":"x"${' '.repeat(length - 13)}}`
    const mebibyte = 1024 * 1024
    assert.equal((await send('POST', '/v1/tasks', { body: padded(mebibyte) })).status, 200)
    assertProblem(await send('POST', '/v1/tasks', { body: padded(mebibyte + 1) }), 413)
    assertProblem(await send('PUT', '/v1/tasks', { body: padded(2 * mebibyte) }), 413)
    for (const [length, status] of [
      [mebibyte, 200],
      [mebibyte + 1, 413],
    ] as const) {
      const bytes = new TextEncoder().encode(padded(length))
      const body = new ReadableStream({
        start(controller) {
          for (let at = 0; at < length; at += 65_536) controller.enqueue(bytes.subarray(at, at + 65_536))
          controller.close()
        },
      })
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${url}/v1/tasks`, { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
      assert.equal(response.status, status)
      await response.text()
    }
  })
})

test('writes that arrive together are each answered for themselves', async (t) => {
  const { client } = await startTestApp(t, { startAt })
  const drafts = Array.from({ length: 100 }, (_, i) => ({
    title: `Task ${i}`,
    key: i % 10 === 9 ? 'taken' : `key ${i}`,
  }))
  const outcomes = await Promise.allSettled(drafts.map((draft) => client.create(draft)))
  const created = outcomes.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value)
  assert.equal(created.length, 91, 'ten wanted one key: one got it')
  const { tasks } = await client.list()
  assert.deepEqual(
    tasks,
    created.sort((a, b) => a.id - b.id),
  )
})

test('health tells a client its state in JSON', async (t) => {
  const { client } = await startTestApp(t)
  const health = await client.health()
  assert.equal(health.status, 'healthy')
  assert.match(health.version, /^\d+\.\d+\.\d+/)
})
