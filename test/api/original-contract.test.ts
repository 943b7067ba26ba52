import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '#config/config.ts'
import { assertProblem, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'
import { notifications } from './original-contract.ts'

test('GET /v1/health answers 200 and Healthy', async (t) => {
  const { url } = await startTestApp(t)
  const response = await fetch(`${url}/v1/health`)
  assert.equal(response.status, 200)
  assert.equal(await response.text(), 'Healthy')
})

test('the port is 8888 by default', () => {
  const config = parseConfig({ argv: [], env: {}, readFile: () => '', systemTimeZone: 'UTC' })
  assert.equal(config.port, 8888)
})

test('POST /v1/tasks', async (t) => {
  const send = wireTo((await startTestApp(t)).url)

  await t.test('creates a task from title, description and expiry_dt, and returns it with 200', async () => {
    const draft = { title: 'Renew passport', description: 'Bring two photos', expiry_dt: '2026-12-24T18:00:00Z' }
    const { status, headers, body } = await send('POST', '/v1/tasks', { body: draft })
    assert.equal(status, 200)
    assert.equal(body.id, 1)
    assert.equal(body.title, 'Renew passport')
    assert.equal(body.description, 'Bring two photos')
    assert.equal(body.expiry_dt, '2026-12-24T18:00:00.000Z')
    assert.equal(headers.get('location'), '/v1/tasks/1')
    assert.equal(headers.get('etag'), '"1"')
    assert.match(headers.get('content-type') ?? '', /^application\/json/)
  })

  await t.test('numbers tasks by consecutive integers', async () => {
    const { body: first } = await send('POST', '/v1/tasks', { body: { title: 'a' } })
    const { body: second } = await send('POST', '/v1/tasks', { body: { title: 'b' } })
    assert.ok(Number.isInteger(first.id))
    assert.equal(second.id, first.id + 1)
  })

  await t.test('takes a null or absent expiry as none', async () => {
    for (const none of [{}, { expiry_dt: null }]) {
      const { status, body } = await send('POST', '/v1/tasks', { body: { title: 'Some day', ...none } })
      assert.equal(status, 200)
      assert.equal(body.expiry_dt, null)
    }
  })
})

test('GET /v1/tasks', async (t) => {
  const send = wireTo((await startTestApp(t)).url)
  const many = 150

  await t.test('returns an empty list if there are no tasks', async () => {
    const { status, body } = await send('GET', '/v1/tasks')
    assert.equal(status, 200)
    assert.deepEqual(body.tasks, [])
  })

  for (let i = 1; i <= many; i++) await send('POST', '/v1/tasks', { body: { title: `Task ${i}` } })
  const ids = async (query: string) => {
    const { status, body } = await send('GET', `/v1/tasks${query}`)
    assert.equal(status, 200)
    return body.tasks.map((task: { id: number }) => task.id)
  }
  const upTo = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

  await t.test('without limit lists all tasks, in the order of their ids', async () =>
    assert.deepEqual(await ids(''), upTo(1, many)),
  )
  await t.test('limit lists the first', async () => assert.deepEqual(await ids('?limit=3'), [1, 2, 3]))
  await t.test('offset lists all after', async () => assert.deepEqual(await ids('?offset=147'), [148, 149, 150]))
  await t.test('limit and offset select a window', async () =>
    assert.deepEqual(await ids('?limit=3&offset=2'), [3, 4, 5]),
  )
  await t.test('an offset beyond the end lists none', async () => assert.deepEqual(await ids('?offset=150'), []))
  await t.test('each task in the list is the same as the single one', async () => {
    const { body: list } = await send('GET', '/v1/tasks?limit=1')
    assert.deepEqual(list.tasks[0], (await send('GET', '/v1/tasks/1')).body)
  })
})

test('GET, PUT and DELETE /v1/tasks/{id}', async (t) => {
  const send = wireTo((await startTestApp(t)).url)
  const draft = { title: 'Renew passport', description: 'Bring two photos', expiry_dt: '2026-12-24T18:00:00Z' }
  const { body: created } = await send('POST', '/v1/tasks', { body: draft })

  await t.test('GET answers 200 with the task', async () => {
    const { status, body } = await send('GET', `/v1/tasks/${created.id}`)
    assert.equal(status, 200)
    assert.deepEqual(body, created)
  })

  await t.test('PUT changes the members given and keeps the others', async () => {
    const { status, body } = await send('PUT', `/v1/tasks/${created.id}`, { body: { title: 'Renew it' } })
    assert.equal(status, 200)
    assert.deepEqual(body, { ...created, title: 'Renew it', version: 2 })
    assert.deepEqual((await send('GET', `/v1/tasks/${created.id}`)).body, body)
  })

  await t.test('PUT of null removes the expiry', async () => {
    const { status, body } = await send('PUT', `/v1/tasks/${created.id}`, { body: { expiry_dt: null } })
    assert.equal(status, 200)
    assert.equal(body.expiry_dt, null)
    assert.equal(body.description, 'Bring two photos')
  })

  await t.test('DELETE returns 200, and the task is gone', async () => {
    const { status, body } = await send('DELETE', `/v1/tasks/${created.id}`)
    assert.equal(status, 200)
    assert.equal(body.id, created.id)
    assertProblem(await send('GET', `/v1/tasks/${created.id}`), 404)
    assert.deepEqual((await send('GET', '/v1/tasks')).body.tasks, [])
  })

  await t.test('each returns 404 for an unknown id', async () => {
    assertProblem(await send('GET', '/v1/tasks/99'), 404, '99')
    assertProblem(await send('PUT', '/v1/tasks/99', { body: { title: 'x' } }), 404, '99')
    assertProblem(await send('DELETE', '/v1/tasks/99'), 404, '99')
  })
})

test('PUT and DELETE /v1/tasks', async (t) => {
  const send = wireTo((await startTestApp(t)).url)
  for (const title of ['a', 'b', 'c']) await send('POST', '/v1/tasks', { body: { title } })
  const titles = async () => (await send('GET', '/v1/tasks')).body.tasks.map((task: { title: string }) => task.title)

  await t.test('PUT updates many and skips unknown ids', async () => {
    const tasks = [
      { id: 3, title: 'C' },
      { id: 99, title: '?' },
      { id: 1, title: 'A' },
    ]
    const { status, body } = await send('PUT', '/v1/tasks', { body: { tasks } })
    assert.equal(status, 200)
    assert.deepEqual(
      body.tasks.map((task: { id: number; title: string }) => [task.id, task.title]),
      [
        [3, 'C'],
        [1, 'A'],
      ],
    )
    assert.deepEqual(await titles(), ['A', 'b', 'C'])
  })

  await t.test('PUT is one transaction: if one task cannot be updated, none is', async () => {
    const tasks = [
      { id: 1, title: 'changed' },
      { id: 2, expiry_dt: 'tomorrow' },
    ]
    assertProblem(await send('PUT', '/v1/tasks', { body: { tasks } }), 422, '/tasks/1/expiry_dt')
    assert.deepEqual(await titles(), ['A', 'b', 'C'])
  })

  await t.test('DELETE deletes all', async () => {
    const { status } = await send('DELETE', '/v1/tasks')
    assert.equal(status, 200)
    assert.deepEqual(await titles(), [])
  })
})

test('an expiry without an offset is local time of the configured zone', async (t) => {
  const app = await startTestApp(t, { flags: ['--time-zone=Europe/Paris'] })
  const send = wireTo(app.url)
  for (const expiry_dt of [
    '2026-12-01T10:10:00',
    '2026-12-01 10:10:00',
    '2026-12-01T10:10:00.000',
    '2026-12-01T10:10',
  ]) {
    const { status, body } = await send('POST', '/v1/tasks', { body: { title: 'Paris', expiry_dt } })
    assert.equal(status, 200, expiry_dt)
    assert.equal(body.expiry_dt, '2026-12-01T09:10:00.000Z', expiry_dt)
  }
  const { body } = await send('POST', '/v1/tasks', { body: { title: 'Summer', expiry_dt: '2027-07-01T10:00:00' } })
  assert.equal(body.expiry_dt, '2027-07-01T08:00:00.000Z')

  await app.app.idle()
  assert.equal(notifications(app)[0], 'Your task (id:1,title:"Paris") will be expired at 2026-12-01T10:10:00+01:00!\n')
})

test('bad input is answered 4xx without a stack trace, and changes nothing', async (t) => {
  const send = wireTo((await startTestApp(t)).url)
  await send('POST', '/v1/tasks', { body: { title: 'x' } })
  const before = (await send('GET', '/v1/tasks')).text
  assertProblem(await send('POST', '/v1/tasks', { body: {} }), 422, '/title')
  assertProblem(await send('POST', '/v1/tasks', { body: '{"title":' }), 400)
  assertProblem(await send('POST', '/v1/tasks', { body: { title: 'x', expiry_dt: 'soon' } }), 422, '/expiry_dt')
  assertProblem(await send('PUT', '/v1/tasks/1', { body: { title: null } }), 422, '/title')
  assertProblem(await send('PUT', '/v1/tasks', { body: { tasks: 1 } }), 422, '/tasks')
  assertProblem(await send('GET', '/v1/tasks/abc'), 404)
  assertProblem(await send('GET', '/v1/tasks?limit=abc'), 400, 'limit')
  assert.equal((await send('GET', '/v1/tasks')).text, before)
})
