import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DuebellClient } from '#client/client.ts'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { migratedDatabase, testDatabase } from '#support/databases.ts'
import { startLiveApp } from '#support/live-app.ts'
import { startTestApp } from '#support/test-app.ts'
import { sizes } from '#test/sizes.ts'

/** Conditional requests (RFC 9110 section 13) and preferences (RFC 7240) with one task. Invalid ones: refusals.test.ts. */

test('If-None-Match on a read', async (t) => {
  const { client, url } = await startTestApp(t)
  const send = wireTo(url)
  const { id } = await client.createTask({ title: 'x', key: 'x' })
  const read = (tag: string, path = `/v1/tasks/${id}`, method = 'GET') =>
    send(method, path, { headers: { 'if-none-match': tag } })

  await t.test('a caller with the current version gets 304, with the ETag and nothing else', async () => {
    for (const path of [`/v1/tasks/${id}`, '/v1/tasks/by-key/x'])
      for (const method of ['GET', 'HEAD'])
        for (const tag of ['"1"', 'W/"1"', '"7", "1"', '*']) {
          const { status, headers, text } = await read(tag, path, method)
          assert.deepEqual([status, headers.get('etag'), text], [304, '"1"', ''], `${method} ${path} ${tag}`)
          assert.equal(headers.get('content-type'), null)
        }
  })

  await t.test('a caller with another version gets the task', async () => {
    for (const tag of ['"2"', '"x"', '"c1"', '', '"1-gzip"']) {
      const { status, body } = await read(tag)
      assert.deepEqual([status, body.id], [200, id], tag)
    }
    await client.updateTask(id, { title: 'y' })
    const { status, headers, body } = await read('"1"')
    assert.deepEqual([status, headers.get('etag'), body.title], [200, '"2"', 'y'])
  })

  await t.test('a missing task is 404, whatever the ETag', async () => {
    assertProblem(await read('*', '/v1/tasks/4711'), 404)
    assertProblem(await read('*', '/v1/tasks/by-key/y'), 404)
  })

  await t.test('If-Match on a read means this version', async () => {
    const headers = { 'if-match': '"1"' }
    assertProblem(await send('GET', `/v1/tasks/${id}`, { headers }), 412)
    assert.equal((await send('GET', `/v1/tasks/${id}`, { headers: { 'if-match': '"1", "2"' } })).status, 200)
  })
})

test('If-None-Match counts only where the API documents it: a client that does not expect a 304 gets none', async (t) => {
  const send = wireTo((await startTestApp(t)).url)
  const { status, body, headers } = await send('GET', '/v1/users/1', { headers: { 'if-none-match': '*' } })
  assert.deepEqual([status, body.id, headers.get('etag')], [200, 1, '"1"'])
})

test('conditions on a write', async (t) => {
  const { client, url } = await startTestApp(t)
  const send = wireTo(url)
  const expiry_dt = '2026-12-24T18:00:00Z'
  const create = () => client.createTask({ title: 'x', expiry_dt })
  const writes: [method: string, path: string, body?: object][] = [
    ['PATCH', '', { title: 'y' }],
    ['PUT', '', { title: 'y' }],
    ['POST', '/complete'],
    ['POST', '/reopen'],
    ['POST', '/snooze', { for: 'PT1H' }],
    ['DELETE', ''],
  ]
  for (const [method, path, body] of writes) {
    const write = (id: number, headers: Record<string, string>) =>
      send(method, `/v1/tasks/${id}${path}`, { headers, ...(body && { body }) })

    await t.test(`${method} ${path}: one matching version of a list is enough, none is 412 with the task`, async () => {
      const task = await create()
      const refused = await write(task.id, { 'if-match': '"2", "3"' })
      assertProblem(refused, 412, 'at version 1, not 2 or 3')
      assert.deepEqual(refused.body.current, task)
      assert.deepEqual(await client.getTask(task.id), task)
      assert.equal((await write(task.id, { 'if-match': '"2", "1"' })).status, 200)
    })

    await t.test(`${method} ${path}: If-None-Match refuses an existing task, by version or at all`, async () => {
      const task = await create()
      for (const tag of ['*', '"1"', 'W/"1"', '"9", "1"'])
        assertProblem(await write(task.id, { 'if-none-match': tag }), 412, 'at version 1')
      assert.deepEqual(await client.getTask(task.id), task)
      assert.equal((await write(task.id, { 'if-none-match': '"2"' })).status, 200)
    })

    await t.test(`${method} ${path}: a missing task is 404, under any condition`, async () => {
      for (const headers of [{ 'if-match': '*' }, { 'if-match': '"1"' }, { 'if-none-match': '*' }])
        assertProblem(await write(4_711, headers as Record<string, string>), 404)
    })
  }

  await t.test('through the client', async () => {
    const { id } = await create()
    assert.equal((await client.updateTask(id, { title: 'a' }, { ifVersion: [7, 1] })).version, 2)
    assert.equal((await client.updateTask(id, { title: 'b' }, { ifExists: true })).version, 3)
    const { status, problem } = await refusal(client.updateTask(id, { title: 'c' }, { ifExists: false }))
    assert.deepEqual([status, problem.current?.title], [412, 'b'])
  })
})

test(`two clients edit the same version of a task ${sizes.races} times: each time exactly one wins`, async (t) => {
  const url = await migratedDatabase(t)
  const { client: first } = await startLiveApp(t, url)
  // An embedded database has one server.
  const second = testDatabase === 'sqlite' ? first : (await startLiveApp(t, url)).client
  let task = await first.createTask({ title: 'Contended' })
  const rounds = sizes.races
  const wins = { first: 0, second: 0 }
  for (let round = 0; round < rounds; round++) {
    const edit = (client: DuebellClient, name: string) =>
      client.updateTask(task.id, { title: `${name} ${round}` }, { ifVersion: task.version }).then(
        (value) => ({ value, error: undefined }),
        (error: unknown) => ({ value: undefined, error }),
      )
    const edits = [() => edit(first, 'first'), () => edit(second, 'second')]
    // The first request often wins.
    const outcomes = await Promise.all((round % 2 === 0 ? edits : edits.toReversed()).map((send) => send()))
    const [winner, ...more] = outcomes.flatMap(({ value }) => value ?? [])
    assert.ok(winner && more.length === 0, `one wins in round ${round}`)
    const lost = await refusal(Promise.reject(outcomes.find(({ error }) => error)?.error))
    assert.deepEqual([lost.status, lost.problem.current], [412, winner], 'the loser is shown what won')
    assert.equal(winner.version, task.version + 1)
    wins[winner.title.startsWith('first') ? 'first' : 'second']++
    task = winner
  }
  assert.deepEqual(await second.getTask(task.id), task)
  t.diagnostic(`${wins.first} to ${wins.second}`)
})

test('every response of a resource with PATCH has Accept-Patch (RFC 5789 section 3.1)', async (t) => {
  const { client, url } = await startTestApp(t)
  const send = wireTo(url)
  const { id } = await client.createTask({ title: 'x', key: 'x' })
  const path = `/v1/tasks/${id}`
  const answers = [
    await send('GET', path),
    await send('GET', path, { headers: { 'if-none-match': '*' } }),
    await send('PATCH', path, { body: { title: 'y' } }),
    await send('PUT', path, { body: { title: 'y' }, headers: { 'if-match': '"1"' } }),
    await send('PATCH', path, { body: '<x/>', headers: { 'content-type': 'application/xml' } }),
    await send('PATCH', path, { body: {}, headers: { 'content-type': 'application/json-patch+json' } }),
    await send('GET', '/v1/tasks/4711'),
    await send('DELETE', path),
  ]
  assert.deepEqual(
    answers.map(({ status, headers }) => [status, headers.get('accept-patch')]),
    [200, 304, 200, 412, 415, 415, 404, 200].map((status) => [status, 'application/merge-patch+json']),
  )
  assert.equal((await send('GET', '/v1/tasks')).headers.get('accept-patch'), null)
})

test('Prefer', async (t) => {
  const { client, url } = await startTestApp(t)
  const send = wireTo(url)
  const expiry_dt = '2026-12-24T18:00:00Z'

  await t.test('return=minimal returns id and version after a write, and says that it was applied', async () => {
    const headers = { prefer: 'respond-async, return=minimal; foo="bar"' }
    const created = await send('POST', '/v1/tasks', { body: { title: 'x', expiry_dt, key: 'k' }, headers })
    const { id } = created.body
    const path = `/v1/tasks/${id}`
    assert.equal(created.headers.get('location'), path)
    const answers = [
      created,
      await send('PATCH', path, { body: { title: 'y' }, headers }),
      await send('PUT', path, { body: { title: 'z' }, headers }),
      await send('POST', `${path}/snooze`, { body: { for: 'PT1H' }, headers }),
      await send('POST', `${path}/complete`, { headers }),
      await send('POST', `${path}/reopen`, { headers }),
      await send('PUT', '/v1/tasks/by-key/k', { body: { title: 'w' }, headers }),
    ]
    for (const [i, { status, body, headers }] of answers.entries()) {
      assert.deepEqual([status, body], [200, { id, version: i + 1 }])
      assert.deepEqual([headers.get('etag'), headers.get('preference-applied')], [`"${i + 1}"`, 'return=minimal'])
    }
    assert.equal((await client.getTask(id)).title, 'w')
  })

  await t.test('other preferences change nothing and are not listed as applied', async () => {
    const plain = await client.createTask({ title: 'x' })
    for (const prefer of ['return=representation', 'return=maximal', 'return', 'wait=1', '"', 'handling=strict']) {
      const { body, headers } = await send('PATCH', `/v1/tasks/${plain.id}`, { body: {}, headers: { prefer } })
      assert.deepEqual([body, headers.get('preference-applied')], [plain, null], prefer)
    }
    const { body } = await send('GET', `/v1/tasks/${plain.id}`, { headers: { prefer: 'return=minimal' } })
    assert.deepEqual(body, plain, 'a read has nothing to leave out')
  })

  await t.test('an error response is always complete', async () => {
    const headers = { prefer: 'return=minimal', 'if-match': '"9"' }
    const { id } = await client.createTask({ title: 'x' })
    assertProblem(await send('PATCH', `/v1/tasks/${id}`, { body: { title: 'y' }, headers }), 412)
  })
})
