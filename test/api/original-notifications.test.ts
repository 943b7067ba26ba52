import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'
import { notifications } from './original-contract.ts'

/**
 * The guarantees that clients of the original service rely on, in its own terms: plain HTTP, and lines on the console. The clock stands at
 * 2026-12-01T09:00:00Z by default.
 */
const minute = 60_000

test('the notification', async (t) => {
  const app = await startTestApp(t)
  const send = wireTo(app.url)
  const create = async (title: string, expiry_dt: string): Promise<number> =>
    (await send('POST', '/v1/tasks', { body: { title, expiry_dt } })).body.id
  /** The lines on the console since the last call. */
  let received = 0
  const news = () => {
    const all = notifications(app)
    const fresh = all.slice(received)
    received = all.length
    return fresh
  }

  await t.test(
    'comes exactly 15 minutes before the expiry, in these words, on a line of its own, and once',
    async () => {
      const id = await create('Renew passport', '2026-12-01T10:00:00Z')
      await app.clock.advanceTo('2026-12-01T09:44:59.999Z')
      assert.deepEqual(news(), [])
      await app.clock.advanceTo('2026-12-01T09:45:00Z')
      assert.deepEqual(news(), [
        `Your task (id:${id},title:"Renew passport") will be expired at 2026-12-01T10:00:00+00:00!\n`,
      ])
      await app.clock.advance(24 * 60 * minute)
      assert.deepEqual(news(), [])
    },
  )

  await t.test('comes at once if the expiry is at most 15 minutes ahead', async () => {
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

  await t.test('comes at once if the expiry is past, and says so', async () => {
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

test('a changed or removed expiry moves or cancels its notification', async (t) => {
  const app = await startTestApp(t, { startAt: '2026-12-01T09:00:00Z' })
  const send = wireTo(app.url)
  const begin = async () => {
    await send('DELETE', '/v1/tasks')
    app.clock.set('2026-12-01T09:00:00Z') // reset: the same morning is tested again and again
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
      // The loop sleeps until 09:30, for another task.
      await send('POST', '/v1/tasks', { body: { title: 'other', expiry_dt: '2026-12-01T09:45:00Z' } })
      await app.clock.advanceTo('2026-12-01T09:10:00Z')
      await send('PUT', path(id), { body: body(id, '2026-12-01T09:30:00Z') })
      await app.clock.advanceTo('2026-12-01T09:15:00Z')
      assert.deepEqual(notifications(app), [
        `Your task (id:${id},title:"x") will be expired at 2026-12-01T09:30:00+00:00!\n`,
      ])
    })
  }

  await t.test('a moved expiry has a notification again after one for the old expiry', async () => {
    const id = await begin()
    await app.clock.advanceTo('2026-12-01T09:45:00Z')
    await send('PUT', `/v1/tasks/${id}`, { body: { expiry_dt: '2026-12-02T10:00:00Z' } })
    await app.clock.advanceTo('2026-12-02T12:00:00Z')
    assert.deepEqual(notifications(app), [
      `Your task (id:${id},title:"x") will be expired at 2026-12-01T10:00:00+00:00!\n`,
      `Your task (id:${id},title:"x") will be expired at 2026-12-02T10:00:00+00:00!\n`,
    ])
  })

  await t.test('PUT of a title does not affect it', async () => {
    const id = await begin()
    await send('PUT', `/v1/tasks/${id}`, { body: { title: 'y' } })
    await app.clock.advanceTo('2026-12-01T12:00:00Z')
    assert.deepEqual(notifications(app), [
      `Your task (id:${id},title:"y") will be expired at 2026-12-01T10:00:00+00:00!\n`,
    ])
  })
})

test('after a start, existing tasks fire as if the server had never been down', async (t) => {
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

test('one corrupt row delays no notification after it', async (t) => {
  const app = await startTestApp(t)
  const send = wireTo(app.url)
  const soon = async (title: string, expiry_dt: string) =>
    (await send('POST', '/v1/tasks', { body: { title, expiry_dt } })).body.id as number
  const bad = await soon('bad', '2026-12-01T09:30:00Z')
  const good = await soon('good', '2026-12-01T09:31:00Z')
  // No request can write this; another program can write it to the file.
  await app.app.store.transact((tx) =>
    tx.updateTable('tasks').set({ reminders: '["nonsense"]' }).where('id', '=', bad).execute(),
  )
  await app.clock.advanceTo('2026-12-01T09:16:00Z')
  assert.deepEqual(notifications(app), [
    `Your task (id:${good},title:"good") will be expired at 2026-12-01T09:31:00+00:00!\n`,
  ])
})
