import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '#config/config.ts'
import { assertProblem, wireTo } from '#kit/http-requests.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

/**
 * What clients of the original service rely on, in its own terms: plain HTTP, and lines on the console. The clock stands at
 * 2026-12-01T09:00:00Z where nothing else is said.
 */
const minute = 60_000

/** What the console has said, without the time in front. */
function notifications({ lines }: TestApp): string[] {
  return lines.filter((line) => line.includes('Your task (')).map((line) => line.slice(line.indexOf('Your task (')))
}

test('GET /v1/health answers 200 and Healthy', async (t) => {
  const { url } = await startTestApp(t)
  const response = await fetch(`${url}/v1/health`)
  assert.equal(response.status, 200)
  assert.equal(await response.text(), 'Healthy')
})

test('the port is 8888 where nothing else is said', () => {
  const config = parseConfig({ argv: [], env: {}, readFile: () => '', systemTimeZone: 'UTC' })
  assert.equal(config.port, 8888)
})

test('POST /v1/tasks', async (t) => {
  const send = wireTo((await startTestApp(t)).url)

  await t.test('creates a task from title, description and expiry_dt, and answers 200 with it', async () => {
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

  await t.test('numbers tasks by integers, one after the other', async () => {
    const { body: first } = await send('POST', '/v1/tasks', { body: { title: 'a' } })
    const { body: second } = await send('POST', '/v1/tasks', { body: { title: 'b' } })
    assert.ok(Number.isInteger(first.id))
    assert.equal(second.id, first.id + 1)
  })

  await t.test('takes an expiry that is null or absent for none', async () => {
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

  await t.test('answers an empty list where there are no tasks', async () => {
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

  await t.test('without limit lists all of them, in the order of their ids', async () =>
    assert.deepEqual(await ids(''), upTo(1, many)),
  )
  await t.test('limit lists the first', async () => assert.deepEqual(await ids('?limit=3'), [1, 2, 3]))
  await t.test('offset lists all behind', async () => assert.deepEqual(await ids('?offset=147'), [148, 149, 150]))
  await t.test('limit and offset cut a window', async () => assert.deepEqual(await ids('?limit=3&offset=2'), [3, 4, 5]))
  await t.test('an offset behind the end lists none', async () => assert.deepEqual(await ids('?offset=150'), []))
  await t.test('each task in the list is as it is by itself', async () => {
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

  await t.test('PUT of null takes the expiry away', async () => {
    const { status, body } = await send('PUT', `/v1/tasks/${created.id}`, { body: { expiry_dt: null } })
    assert.equal(status, 200)
    assert.equal(body.expiry_dt, null)
    assert.equal(body.description, 'Bring two photos')
  })

  await t.test('DELETE answers 200, and the task is gone', async () => {
    const { status, body } = await send('DELETE', `/v1/tasks/${created.id}`)
    assert.equal(status, 200)
    assert.equal(body.id, created.id)
    assertProblem(await send('GET', `/v1/tasks/${created.id}`), 404)
    assert.deepEqual((await send('GET', '/v1/tasks')).body.tasks, [])
  })

  await t.test('each answers 404 for an id that does not exist', async () => {
    assertProblem(await send('GET', '/v1/tasks/99'), 404, '99')
    assertProblem(await send('PUT', '/v1/tasks/99', { body: { title: 'x' } }), 404, '99')
    assertProblem(await send('DELETE', '/v1/tasks/99'), 404, '99')
  })
})

test('PUT and DELETE /v1/tasks', async (t) => {
  const send = wireTo((await startTestApp(t)).url)
  for (const title of ['a', 'b', 'c']) await send('POST', '/v1/tasks', { body: { title } })
  const titles = async () => (await send('GET', '/v1/tasks')).body.tasks.map((task: { title: string }) => task.title)

  await t.test('PUT updates many and skips ids that do not exist', async () => {
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

  await t.test('PUT is one transaction: where one task cannot be updated, none is', async () => {
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

test('the notification', async (t) => {
  const app = await startTestApp(t)
  const send = wireTo(app.url)
  const create = async (title: string, expiry_dt: string): Promise<number> =>
    (await send('POST', '/v1/tasks', { body: { title, expiry_dt } })).body.id
  /** What the console has said since it was last asked. */
  let heard = 0
  const news = () => {
    const all = notifications(app)
    const fresh = all.slice(heard)
    heard = all.length
    return fresh
  }

  await t.test('comes exactly 15 minutes before the expiry, in these words, ending its line, and once', async () => {
    const id = await create('Renew passport', '2026-12-01T10:00:00Z')
    await app.clock.advanceTo('2026-12-01T09:44:59.999Z')
    assert.deepEqual(news(), [])
    await app.clock.advanceTo('2026-12-01T09:45:00Z')
    assert.deepEqual(news(), [
      `Your task (id:${id},title:"Renew passport") will be expired at 2026-12-01T10:00:00+00:00!\n`,
    ])
    await app.clock.advance(24 * 60 * minute)
    assert.deepEqual(news(), [])
  })

  await t.test('comes at once where the expiry is at most 15 minutes ahead', async () => {
    await app.clock.advanceTo('2026-12-03T09:00:00Z')
    const ids = [await create('Fifteen', '2026-12-03T09:15:00Z'), await create('Ten', '2026-12-03T09:10:00Z')]
    await create('More than fifteen', '2026-12-03T09:15:00.001Z')
    await app.app.idle()
    assert.deepEqual(news().sort(), [
      `Your task (id:${ids[0]},title:"Fifteen") will be expired at 2026-12-03T09:15:00+00:00!\n`,
      `Your task (id:${ids[1]},title:"Ten") will be expired at 2026-12-03T09:10:00+00:00!\n`,
    ])
    await app.clock.advance(1)
    assert.equal(news().length, 1)
  })

  await t.test('comes at once where the expiry is past, and says so', async () => {
    await app.clock.advanceTo('2026-12-04T09:00:00Z')
    const id = await create('Too late', '2026-12-04T08:00:00Z')
    await app.app.idle()
    assert.deepEqual(news(), [
      `Your task (id:${id},title:"Too late") is expired already at 2026-12-04T08:00:00+00:00!\n`,
    ])
  })

  await t.test('does not come for a task without expiry', async () => {
    await send('POST', '/v1/tasks', { body: { title: 'Some day' } })
    await app.clock.advance(24 * 60 * minute)
    assert.deepEqual(news(), [])
  })
})

test('what moves or takes away an expiry moves or cancels its notification', async (t) => {
  const app = await startTestApp(t, { startAt: '2026-12-01T09:00:00Z' })
  const send = wireTo(app.url)
  const begin = async () => {
    await send('DELETE', '/v1/tasks')
    app.clock.set('2026-12-01T09:00:00Z') // back: what follows is one morning told again and again
    app.lines.length = 0
    const { body } = await send('POST', '/v1/tasks', { body: { title: 'x', expiry_dt: '2026-12-01T10:00:00Z' } })
    return body.id as number
  }
  const cancels: [words: string, method: string, path: (id: number) => string, body?: (id: number) => object][] = [
    ['PUT by id to null', 'PUT', (id) => `/v1/tasks/${id}`, () => ({ expiry_dt: null })],
    ['PUT of many to null', 'PUT', () => '/v1/tasks', (id) => ({ tasks: [{ id, expiry_dt: null }] })],
    ['DELETE by id', 'DELETE', (id) => `/v1/tasks/${id}`],
    ['DELETE of all', 'DELETE', () => '/v1/tasks'],
  ]
  for (const [words, method, path, body] of cancels) {
    await t.test(`${words} cancels it`, async () => {
      const id = await begin()
      const { status } = await send(method, path(id), body ? { body: body(id) } : {})
      assert.equal(status, 200)
      await app.clock.advanceTo('2026-12-01T12:00:00Z')
      assert.deepEqual(notifications(app), [])
    })
  }

  const moves: [words: string, path: (id: number) => string, body: (id: number, expiry_dt: string) => object][] = [
    ['PUT by id', (id) => `/v1/tasks/${id}`, (_, expiry_dt) => ({ expiry_dt })],
    ['PUT of many', () => '/v1/tasks', (id, expiry_dt) => ({ tasks: [{ id, expiry_dt }] })],
  ]
  for (const [words, path, body] of moves) {
    await t.test(`${words} to a later expiry moves it: nothing at the old time`, async () => {
      const id = await begin()
      await send('PUT', path(id), { body: body(id, '2026-12-01T11:00:00Z') })
      await app.clock.advanceTo('2026-12-01T10:44:59Z')
      assert.deepEqual(notifications(app), [])
      await app.clock.advanceTo('2026-12-01T10:45:00Z')
      assert.deepEqual(notifications(app), [
        `Your task (id:${id},title:"x") will be expired at 2026-12-01T11:00:00+00:00!\n`,
      ])
    })

    await t.test(`${words} to an earlier expiry moves it, also between two due instants`, async () => {
      const id = await begin()
      // The bell sleeps until 09:30, for another task.
      await send('POST', '/v1/tasks', { body: { title: 'other', expiry_dt: '2026-12-01T09:45:00Z' } })
      await app.clock.advanceTo('2026-12-01T09:10:00Z')
      await send('PUT', path(id), { body: body(id, '2026-12-01T09:30:00Z') })
      await app.clock.advanceTo('2026-12-01T09:15:00Z')
      assert.deepEqual(notifications(app), [
        `Your task (id:${id},title:"x") will be expired at 2026-12-01T09:30:00+00:00!\n`,
      ])
    })
  }

  await t.test('an expiry that was told is told again where it is moved', async () => {
    const id = await begin()
    await app.clock.advanceTo('2026-12-01T09:45:00Z')
    await send('PUT', `/v1/tasks/${id}`, { body: { expiry_dt: '2026-12-02T10:00:00Z' } })
    await app.clock.advanceTo('2026-12-02T12:00:00Z')
    assert.deepEqual(notifications(app), [
      `Your task (id:${id},title:"x") will be expired at 2026-12-01T10:00:00+00:00!\n`,
      `Your task (id:${id},title:"x") will be expired at 2026-12-02T10:00:00+00:00!\n`,
    ])
  })

  await t.test('PUT of a title leaves it where it is', async () => {
    const id = await begin()
    await send('PUT', `/v1/tasks/${id}`, { body: { title: 'y' } })
    await app.clock.advanceTo('2026-12-01T12:00:00Z')
    assert.deepEqual(notifications(app), [
      `Your task (id:${id},title:"y") will be expired at 2026-12-01T10:00:00+00:00!\n`,
    ])
  })
})

test('after a start, tasks already in the database ring as if the server had never been away', async (t) => {
  const app = await startTestApp(t, { startAt: '2026-12-01T09:00:00Z' })
  let send = wireTo(app.url)
  await send('POST', '/v1/tasks', { body: { title: 'missed', expiry_dt: '2026-12-01T09:30:00Z' } })
  await send('POST', '/v1/tasks', { body: { title: 'ahead', expiry_dt: '2026-12-01T11:00:00Z' } })
  await send('POST', '/v1/tasks', { body: { title: 'told', expiry_dt: '2026-12-01T09:10:00Z' } })
  await app.app.idle()
  assert.equal(notifications(app).length, 1)

  await app.stop()
  app.clock.set('2026-12-01T10:00:00Z')
  await app.restart()
  send = wireTo(app.url)
  await app.app.idle()
  assert.deepEqual(notifications(app).slice(1), [
    'Your task (id:1,title:"missed") is expired already at 2026-12-01T09:30:00+00:00!\n',
  ])
  await app.clock.advanceTo('2026-12-01T12:00:00Z')
  assert.deepEqual(notifications(app).slice(2), [
    'Your task (id:2,title:"ahead") will be expired at 2026-12-01T11:00:00+00:00!\n',
  ])
})

test('one bad entry holds up no notification behind it', async (t) => {
  const app = await startTestApp(t)
  const send = wireTo(app.url)
  const soon = async (title: string, expiry_dt: string) =>
    (await send('POST', '/v1/tasks', { body: { title, expiry_dt } })).body.id as number
  const bad = await soon('bad', '2026-12-01T09:30:00Z')
  const good = await soon('good', '2026-12-01T09:31:00Z')
  // No request can write this; another hand on the file can.
  await app.app.store.transact((tx) =>
    tx.updateTable('tasks').set({ reminders: '["nonsense"]' }).where('id', '=', bad).execute(),
  )
  await app.clock.advanceTo('2026-12-01T09:16:00Z')
  assert.deepEqual(notifications(app), [
    `Your task (id:${good},title:"good") will be expired at 2026-12-01T09:31:00+00:00!\n`,
  ])
})

test('bad input is answered by 4xx without a stack trace, and changes nothing', async (t) => {
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
