import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TaskPatchWire, TaskWire } from '#api/schemas/task.ts'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'
import { full, startAt } from './tasks.ts'

/** Changes of a task: members, If-Match, complete, reopen and snooze. */

test('a change', async (t) => {
  const { client, clock, url } = await startTestApp(t, { startAt })
  const send = wireTo(url)
  const create = () =>
    client.createTask({ ...full, uid: crypto.randomUUID(), key: null, reminders: ['PT15M'], tags: ['a', 'b'] })

  await t.test('merges: absent keeps, null clears, arrays replace (RFC 7396), by PATCH and PUT alike', async () => {
    for (const method of ['PATCH', 'PUT']) {
      const before = await create()
      const patch = { description: null, expiry_dt: null, tags: ['c'], reminders: null, time_zone: null }
      const { body } = await send(method, `/v1/tasks/${before.id}`, { body: patch })
      assert.deepEqual(body, { ...before, ...patch, version: 2 }, method)
      assert.deepEqual(await client.getTask(before.id), body)
    }
  })

  await t.test('may be sent as application/merge-patch+json', async () => {
    const { id } = await create()
    const headers = { 'content-type': 'application/merge-patch+json' }
    const { status, body } = await send('PATCH', `/v1/tasks/${id}`, { body: { title: 'merged' }, headers })
    assert.deepEqual([status, body.title], [200, 'merged'])
  })

  await t.test('increments the version and sets the time', async () => {
    const before = await create()
    await clock.advance(1_500)
    const after = await client.updateTask(before.id, { title: 'Another' })
    assert.equal(after.version, 2)
    assert.equal(Date.parse(after.update_dt) - Date.parse(before.update_dt), 1_500)
    assert.equal(after.create_dt, before.create_dt)
  })

  await t.test('of every member by itself changes only that one', async () => {
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
      const { update_dt, ...after } = await client.updateTask(before.id, patch)
      assert.deepEqual(after, { ...before, ...patch, version: 2 })
    }
  })

  await t.test('without an effect is no write: version and update_dt stay', async () => {
    const before = await create()
    await clock.advance(1_000)
    for (const patch of [{}, { title: before.title }, { tags: before.tags, priority: before.priority, key: null }])
      assert.deepEqual(await client.updateTask(before.id, patch), before)
    const { tasks } = await client.updateTasks({ tasks: [{ id: before.id, title: before.title }] })
    assert.deepEqual(tasks, [before])
    assert.deepEqual(await client.getTask(before.id), before)
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

  await t.test('of an unknown task is 404', async () => {
    assert.equal((await refusal(client.updateTask(4_711, { title: 'x' }))).status, 404)
  })
})

test('If-Match', async (t) => {
  const { client, url } = await startTestApp(t, { startAt })
  const send = wireTo(url)

  await t.test('a GET returns the version as a strong ETag', async () => {
    const { id } = await client.createTask({ title: 'x' })
    await client.updateTask(id, { title: 'y' })
    assert.equal((await send('GET', `/v1/tasks/${id}`)).headers.get('etag'), '"2"')
    const { headers } = await send('PATCH', `/v1/tasks/${id}`, { body: { title: 'z' } })
    assert.equal(headers.get('etag'), '"3"')
  })

  const expiry_dt = '2026-12-24T18:00:00Z'
  const changes: Record<string, (task: TaskWire, ifVersion: number) => Promise<unknown>> = {
    update: ({ id }, ifVersion) => client.updateTask(id, { title: 'y' }, { ifVersion }),
    complete: ({ id }, ifVersion) => client.completeTask(id, { ifVersion }),
    reopen: ({ id }, ifVersion) => client.reopenTask(id, { ifVersion }),
    snooze: ({ id }, ifVersion) => client.snoozeTask(id, { for: 'PT1H' }, { ifVersion }),
    delete: ({ id }, ifVersion) => client.deleteTask(id, { ifVersion }),
  }
  for (const [name, change] of Object.entries(changes)) {
    await t.test(`${name}: with another version is 412, returns the current task, and changes nothing`, async () => {
      const task = await client.createTask({ title: 'x', expiry_dt })
      for (const version of [0, 2, 99]) {
        const { status, problem } = await refusal(change(task, version))
        assert.equal(status, 412)
        assert.deepEqual(problem.current, task)
      }
      assert.deepEqual(await client.getTask(task.id), task)
      await change(task, 1)
    })
  }

  await t.test('PUT by id checks it as PATCH does', async () => {
    const { id } = await client.createTask({ title: 'x' })
    const put = (version: string) =>
      send('PUT', `/v1/tasks/${id}`, { body: { title: 'y' }, headers: { 'if-match': version } })
    assertProblem(await put('"2"'), 412)
    assert.equal((await put('"1"')).status, 200)
  })

  await t.test('* matches any existing version', async () => {
    const { id } = await client.createTask({ title: 'x' })
    const headers = { 'if-match': '*' }
    assert.equal((await send('PATCH', `/v1/tasks/${id}`, { body: { title: 'y' }, headers })).status, 200)
    assertProblem(await send('PATCH', '/v1/tasks/4711', { body: { title: 'y' }, headers }), 404)
  })

  await t.test('of two with the same version one wins', async () => {
    const { id } = await client.createTask({ title: 'x' })
    const ifVersion = 1
    const requests = ['a', 'b', 'c'].map((title) => client.updateTask(id, { title }, { ifVersion }))
    const outcomes = await Promise.allSettled(requests)
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal((await client.getTask(id)).version, 2)
  })
})

test('complete, reopen and snooze', async (t) => {
  const { client, clock } = await startTestApp(t, { startAt })
  const expiry_dt = '2026-12-24T18:00:00.000Z'

  await t.test('complete sets the time; completing again changes nothing', async () => {
    const before = await client.createTask({ title: 'x', expiry_dt })
    const done = await client.completeTask(before.id)
    assert.deepEqual(done, { ...before, completed_dt: done.update_dt, version: 2 })
    assert.equal(Date.parse(done.completed_dt ?? ''), clock.now())
    await clock.advance(1_000)
    assert.deepEqual(await client.completeTask(before.id), done)
  })

  await t.test('reopen clears it; reopening an open task changes nothing', async () => {
    const before = await client.createTask({ title: 'x', expiry_dt })
    await client.completeTask(before.id)
    const again = await client.reopenTask(before.id)
    assert.deepEqual({ ...again, update_dt: before.update_dt }, { ...before, version: 3 })
    await clock.advance(1_000)
    assert.deepEqual(await client.reopenTask(before.id), again)
  })

  await t.test('snooze for a duration counts from now', async () => {
    const { id } = await client.createTask({ title: 'x', expiry_dt })
    for (const [span, minutes] of [
      ['PT1H', 60],
      ['PT0.5H', 30],
      ['P1D', 1_440],
      ['P1W', 10_080],
      ['PT90S', 1.5],
    ] as const) {
      const { snoozed_until_dt } = await client.snoozeTask(id, { for: span })
      assert.equal(Date.parse(snoozed_until_dt ?? '') - clock.now(), minutes * 60_000, span)
    }
  })

  await t.test('snooze until a time parses it like every other time, in the zone of the task', async () => {
    const { id } = await client.createTask({ title: 'x', expiry_dt, time_zone: 'Asia/Tokyo' })
    for (const until of ['2026-12-02T10:00', '2026-12-02 10:00:00', '2026-12-02T10:00+09:00', '2026-12-02T01:00Z'])
      assert.equal((await client.snoozeTask(id, { until })).snoozed_until_dt, '2026-12-02T01:00:00.000Z', until)
  })

  await t.test('snooze may end after the expiry, and be requested after it', async () => {
    const { id } = await client.createTask({ title: 'x', expiry_dt: '2026-12-01T08:00:00Z' })
    const { snoozed_until_dt } = await client.snoozeTask(id, { until: '2026-12-25T00:00:00Z' })
    assert.equal(snoozed_until_dt, '2026-12-25T00:00:00.000Z')
  })

  await t.test('completing ends a snooze, and so does another expiry', async () => {
    const { id } = await client.createTask({ title: 'x', expiry_dt })
    await client.snoozeTask(id, { for: 'PT1H' })
    assert.equal((await client.updateTask(id, { title: 'y' })).snoozed_until_dt !== null, true)
    assert.equal((await client.updateTask(id, { expiry_dt: '2026-12-25' })).snoozed_until_dt, null)
    await client.snoozeTask(id, { for: 'PT1H' })
    assert.equal((await client.completeTask(id)).snoozed_until_dt, null)
  })

  await t.test('a task that is completed or has no expiry cannot be snoozed: 409', async () => {
    const open = await client.createTask({ title: 'no expiry' })
    const done = await client.createTask({ title: 'done', expiry_dt, completed_dt: '2026-12-01' })
    for (const task of [open, done]) {
      assert.equal((await refusal(client.snoozeTask(task.id, { for: 'PT1H' }))).status, 409)
      assert.deepEqual(await client.getTask(task.id), task)
    }
  })

  await t.test('snooze accepts either a duration or a time, in the future, and at most ten years ahead', async () => {
    const task = await client.createTask({ title: 'x', expiry_dt })
    const both = { for: 'PT1H', until: '2026-12-02T10:00:00Z' }
    const refused = [
      {},
      both,
      { until: '2026-12-01T08:59:59Z' },
      { for: 'PT0S' },
      { for: 'PT0.0001S' },
      { for: '-PT1H' },
    ]
    for (const snooze of [...refused, { for: 'P1M' }, { for: 'P1Y' }, { for: 'P3661D' }, { for: '1x' }, { for: 'P' }])
      assert.equal((await refusal(client.snoozeTask(task.id, snooze))).status, 422, JSON.stringify(snooze))
    assert.deepEqual(await client.getTask(task.id), task)
  })

  await t.test('each is 404 for an unknown task', async () => {
    assert.equal((await refusal(client.completeTask(4_711))).status, 404)
    assert.equal((await refusal(client.reopenTask(4_711))).status, 404)
    assert.equal((await refusal(client.snoozeTask(4_711, { for: 'PT1H' }))).status, 404)
  })
})
