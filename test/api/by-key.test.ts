import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { migratedDatabase, testDatabase } from '#support/databases.ts'
import { startLiveApp } from '#support/live-app.ts'
import { startTestApp } from '#support/test-app.ts'

/** PUT /v1/tasks/by-key/{key}: for scripts that repeatedly put all their tasks, under their own keys. */

test('a task put by its key', async (t) => {
  const { client, clock, url } = await startTestApp(t)
  const send = wireTo(url)

  await t.test('is created, and later changed; absent members stay', async () => {
    const created = await client.putTaskByKey('cert', { title: 'Certificate', tags: ['tls'], uid: 'uid-1' })
    assert.deepEqual([created.key, created.uid, created.version], ['cert', 'uid-1', 1])
    const changed = await client.putTaskByKey('cert', { expiry_dt: '2027-01-01T00:00:00.000Z', uid: 'uid-2' })
    assert.deepEqual(
      { ...changed, update_dt: created.update_dt },
      { ...created, expiry_dt: '2027-01-01T00:00:00.000Z', version: 2 },
    )
    assert.deepEqual(await client.getTaskByKey('cert'), changed)
    assert.deepEqual(await client.getTask(changed.id), changed)
  })

  await t.test('a repeated PUT changes nothing', async () => {
    const before = await client.getTaskByKey('cert')
    await clock.advance(1_000)
    assert.deepEqual(await client.putTaskByKey('cert', { title: before.title, key: 'cert' }), before)
    assert.deepEqual(await client.putTaskByKey('cert', before), before, 'nor what was read')
  })

  await t.test('is answered 200 with Location and ETag, in both cases', async () => {
    for (const etag of ['"1"', '"2"']) {
      const { status, headers, body } = await send('PUT', '/v1/tasks/by-key/place', { body: { title: etag } })
      assert.deepEqual([status, headers.get('location'), headers.get('etag')], [200, `/v1/tasks/${body.id}`, etag])
    }
    const { headers } = await send('GET', '/v1/tasks/by-key/place')
    assert.equal(headers.get('etag'), '"2"')
  })

  await t.test('fires as if it had been created and changed by id', async () => {
    const at = (ms: number) => new Date(clock.now() + ms).toISOString()
    const { id } = await client.putTaskByKey('rings', { title: 'x', expiry_dt: at(3_600_000) })
    await client.putTaskByKey('rings', { expiry_dt: at(600_000) })
    await clock.advance(0)
    const { notifications } = await client.listTaskNotifications(id)
    assert.deepEqual(
      notifications.map(({ timing }) => timing),
      ['immediate'],
    )
  })

  await t.test('needs a title if it does not exist yet', async () => {
    const { status, problem } = await refusal(client.putTaskByKey('new', { tags: ['a'] }))
    assert.deepEqual([status, problem.errors?.[0]?.pointer], [422, '/title'])
    assert.equal((await refusal(client.getTaskByKey('new'))).status, 404)
  })

  await t.test('has the key of the path, whatever key the body has', async () => {
    await client.putTaskByKey('mine', { title: 'x', key: 'mine' })
    for (const key of ['yours', '', null]) {
      const { status, problem } = await refusal(client.putTaskByKey('mine', { title: 'y', key }))
      assert.deepEqual([status, problem.errors?.[0]?.pointer], [422, '/key'], `${key}`)
    }
    assert.equal((await client.getTaskByKey('mine')).title, 'x')
  })

  await t.test('cannot take the uid of another task', async () => {
    assert.equal((await refusal(client.putTaskByKey('thief', { title: 'x', uid: 'uid-1' }))).status, 409)
    assert.equal((await refusal(client.getTaskByKey('thief'))).status, 404)
  })

  await t.test('is a new task after its key was given to another, or the task was deleted', async () => {
    const first = await client.putTaskByKey('moves', { title: 'first' })
    await client.updateTask(first.id, { key: 'moved' })
    const second = await client.putTaskByKey('moves', { title: 'second' })
    assert.notEqual(second.id, first.id)
    await client.deleteTask(second.id)
    const third = await client.putTaskByKey('moves', { title: 'third' })
    assert.ok(third.id > second.id && third.version === 1)
  })
})

test('a key in a path may be any text, percent-encoded', async (t) => {
  const { client, url } = await startTestApp(t)
  const send = wireTo(url)
  const keys = [
    'a/b/c',
    'a%2Fb',
    '/',
    '%',
    ' with spaces ',
    'ключ/日本',
    '🔔'.repeat(200),
    'x'.repeat(200),
    '?q=1&a#b',
    'a+b',
    'by-key',
    'complete',
    '1',
    '\u202e"\\\n',
    '__proto__',
    '../../tasks/1',
    '...',
  ]
  for (const key of keys) {
    const { id } = await client.putTaskByKey(key, { title: key.slice(0, 100) })
    assert.deepEqual(await client.getTaskByKey(key), { ...(await client.getTask(id)), key })
  }
  assert.equal((await client.listTasks()).tasks.length, keys.length)

  await t.test('a key beyond the limits is refused, and nothing is created', async () => {
    const rows: [path: string, status: number, about?: string][] = [
      [encodeURIComponent('x'.repeat(201)), 422, '/key'],
      [encodeURIComponent('🔔'.repeat(201)), 404],
      ['a%00b', 422, '/key'],
      ['%', 400],
      ['%ff', 400],
      ['%ed%a0%80', 400],
      ['a/b', 404],
      ['x?y=1', 400, 'y'],
    ]
    for (const method of ['PUT', 'GET'])
      for (const [path, status, about] of rows) {
        const sending = method === 'PUT' ? { body: { title: 'x' } } : {}
        assertProblem(await send(method, `/v1/tasks/by-key/${path}`, sending), status, about)
      }
    assertProblem(await send('PUT', '/v1/tasks/by-key/', { body: { title: 'x' } }), 422)
    assert.equal((await client.listTasks()).tasks.length, keys.length)
  })
})

test('conditions by key', async (t) => {
  const { client, url } = await startTestApp(t)

  await t.test('If-None-Match: * creates only', async () => {
    const task = await client.putTaskByKey('a', { title: 'first' }, { ifExists: false })
    const { status, problem } = await refusal(client.putTaskByKey('a', { title: 'second' }, { ifExists: false }))
    assert.deepEqual([status, problem.current], [412, task])
    assert.deepEqual(await client.getTaskByKey('a'), task)
  })

  await t.test('If-Match: * changes only', async () => {
    const { status, problem } = await refusal(client.putTaskByKey('b', { title: 'x' }, { ifExists: true }))
    assert.deepEqual([status, problem.current], [412, undefined])
    assert.equal((await refusal(client.getTaskByKey('b'))).status, 404)
    assert.equal((await client.putTaskByKey('a', { title: 'third' }, { ifExists: true })).version, 2)
  })

  await t.test('a version means that of the existing task', async () => {
    assert.equal((await refusal(client.putTaskByKey('b', { title: 'x' }, { ifVersion: 1 }))).status, 412)
    assert.equal((await refusal(client.putTaskByKey('a', { title: 'x' }, { ifVersion: [1, 3] }))).status, 412)
    assert.equal((await client.putTaskByKey('a', { title: 'x' }, { ifVersion: [1, 2] })).version, 3)
    const headers = { 'if-none-match': '"7"' }
    const { status } = await wireTo(url)('PUT', '/v1/tasks/by-key/c', { body: { title: 'x' }, headers })
    assert.equal(status, 200, 'what is not there is in no version')
  })
})

test('twenty concurrent PUTs of one new key create one task, each time', async (t) => {
  const url = await migratedDatabase(t)
  const { client: first } = await startLiveApp(t, url)
  const second = testDatabase === 'sqlite' ? first : (await startLiveApp(t, url)).client
  for (let round = 0; round < 10; round++) {
    const key = `key ${round}`
    const tasks = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? first : second).putTaskByKey(key, { title: `${i}` })),
    )
    assert.equal(new Set(tasks.map(({ id }) => id)).size, 1)
    assert.deepEqual(
      tasks.map(({ version }) => version).sort((a, b) => a - b),
      tasks.map((_, i) => i + 1),
      'one created it, the others changed it one after the other',
    )
    const only = await Promise.allSettled(
      Array.from({ length: 6 }, (_, i) =>
        (i % 2 ? first : second).putTaskByKey(`only ${key}`, { title: `${i}` }, { ifExists: false }),
      ),
    )
    assert.equal(only.filter(({ status }) => status === 'fulfilled').length, 1, 'and one, where only that is wanted')
    for (const outcome of only)
      if (outcome.status === 'rejected') assert.equal((await refusal(Promise.reject(outcome.reason))).status, 412)
  }
  assert.equal((await first.listTasks()).tasks.length, 20)
})
