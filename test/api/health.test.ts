import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { createClient } from '#client/client.ts'
import { startHttpReceiver } from '#kit/http-receiver.ts'
import { failingDatabase } from '#support/failing-database.ts'
import { startTestApp } from '#support/test-app.ts'

/** The forms of health: the text of the original, the JSON, and the response to a load balancer. */
async function health(url: string) {
  const [text, json, ready] = await Promise.all([
    fetch(`${url}/v1/health`),
    fetch(`${url}/v1/health`, { headers: { accept: 'application/json' } }),
    fetch(`${url}/readyz`),
  ])
  const { status, scheduler, database } = (await json.json()) as {
    status: string
    database: string
    scheduler: { status: string; lag_ms: number }
  }
  const words = [await text.text(), await ready.text()]
  return { codes: [text.status, json.status, ready.status], words, status, scheduler, database }
}

test('healthy', async (t) => {
  const { url } = await startTestApp(t)
  const { codes, words, status, scheduler } = await health(url)
  assert.deepEqual([codes, words, status], [[200, 200, 200], ['Healthy', 'Ready'], 'healthy'])
  assert.deepEqual(scheduler, { status: 'ok', error: null, lag_ms: 0 })
})

test('degraded: a reminder is overdue for half a minute, and yet everything works; clients that know two words continue', async (t) => {
  const { client, clock, url } = await startTestApp(t)
  await client.createTask({ title: 'Renew passport', expiry_dt: '2026-12-01T10:00:00Z' })
  await clock.advance(0)
  clock.set('2026-12-01T09:45:29.999Z') // this wakes no loop
  assert.equal((await health(url)).status, 'healthy')
  clock.set('2026-12-01T09:45:30Z')
  const { codes, words, status, scheduler } = await health(url)
  assert.deepEqual([codes, words, status], [[200, 200, 200], ['Healthy', 'Ready'], 'degraded'])
  assert.deepEqual(scheduler, { status: 'late', error: null, lag_ms: 30_000 })
})

test('unhealthy: the database is unavailable', async (t) => {
  const database = failingDatabase()
  const { clock, url } = await startTestApp(t, { wrapDatabase: database.wrap })
  await clock.advance(0)
  database.die()
  const { codes, words, status, database: why } = await health(url)
  assert.deepEqual([codes, words, status], [[503, 503, 503], ['Unhealthy', 'Not ready'], 'unhealthy'])
  assert.notEqual(why, 'ok')
})

test('with a login unauthenticated callers learn that something is wrong, and signed-in users learn what', async (t) => {
  const database = failingDatabase()
  const { clock, url, lines } = await startTestApp(t, { flags: ['--login'], wrapDatabase: database.wrap })
  const accept = { accept: 'application/json' }
  const componentOf = async (headers: Record<string, string>) => {
    const { database, scheduler } = (await (await fetch(`${url}/v1/health`, { headers })).json()) as {
      database: string
      scheduler: { status: string; error: string | null }
    }
    return [database, scheduler.status, scheduler.error]
  }
  const code = /dbi_\w+/.exec(lines.join())?.[0]
  const accepted = await fetch(`${url}/v1/invitations/accept`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code, name: 'ada', password: 'a password of hers' }),
  })
  const { token } = (await accepted.json()) as { token: string }
  const [cookie = ''] = accepted.headers.get('set-cookie')?.split(';') ?? []
  const known = [
    { ...accept, authorization: `Bearer ${token}` },
    { ...accept, cookie },
  ]
  const invalidCursor = [accept, { ...accept, authorization: `Bearer ${token}x` }, { ...accept, cookie: `${cookie}x` }]
  for (const headers of [...known, ...invalidCursor]) assert.deepEqual(await componentOf(headers), ['ok', 'ok', null])

  await createClient(url, { token }).createTask({ title: 'Rings soon', expiry_dt: '2026-12-01T09:15:05Z' })
  await clock.advance(0)
  database.die()
  await clock.advance(5_000) // the reminders loop tries to read, and fails
  for (const headers of known)
    assert.deepEqual(await componentOf(headers), ['the process is dead', 'failing', 'Died: the process is dead'])
  for (const headers of invalidCursor) assert.deepEqual(await componentOf(headers), ['away', 'failing', null])
  // No credential is cached forever.
  await clock.advance(3_600_000)
  for (const headers of known) assert.deepEqual(await componentOf(headers), ['away', 'failing', null])
})

test('without a login every caller that reaches the server gets the details', async (t) => {
  const database = failingDatabase()
  const { url } = await startTestApp(t, { wrapDatabase: database.wrap })
  database.die()
  assert.equal((await health(url)).database, 'the process is dead')
})

/** A dead man's switch: a receiver that waits for heartbeats. */
async function startSwitch(t: TestContext) {
  let next = () => {}
  const receiver = await startHttpReceiver(t, (_, response) => {
    response.on('close', () => setImmediate(next))
    one.answer(response)
  })
  const one = {
    url: `${receiver.url}/ping/token-of-the-receiver`,
    received: () => receiver.requests.map(({ method, path }) => `${method} ${path}`),
    answer: (response: ServerResponse) => void response.end('OK'),
    /** Resolves when the next heartbeat has arrived and its response has been sent. */
    nextBeat: () => new Promise<void>((resolve) => (next = resolve)),
  }
  return one
}

test('the heartbeat is sent every minute, follows no redirect, and its address is in no log', async (t) => {
  const watch = await startSwitch(t)
  const { clock, lines } = await startTestApp(t, { flags: [`--heartbeat-url=${watch.url}`] })
  let nextBeat = watch.nextBeat()
  await clock.advance(5_000)
  await nextBeat
  assert.deepEqual(watch.received(), ['GET /ping/token-of-the-receiver'])

  watch.answer = (response) => void response.writeHead(302, { location: '/elsewhere' }).end()
  nextBeat = watch.nextBeat()
  await clock.advance(60_000)
  await nextBeat
  watch.answer = (response) => void response.end('OK')
  nextBeat = watch.nextBeat()
  await clock.advance(60_000)
  await nextBeat
  assert.deepEqual(watch.received(), Array(3).fill('GET /ping/token-of-the-receiver'))
  assert.equal(lines.filter((line) => line.includes('heartbeat failed')).length, 1)
  assert.ok(!lines.join().includes('token-of-the-receiver'))
})

test('unhealthy: without login, the only user was removed from the database; a restart adds it again', async (t) => {
  const testApp = await startTestApp(t)
  await testApp.app.store.db.deleteFrom('users').where('id', '=', 1).execute()
  const { codes, words, status, database } = await health(testApp.url)
  assert.deepEqual([codes, words, status], [[503, 503, 503], ['Unhealthy', 'Not ready'], 'unhealthy'])
  assert.match(database, /built-in user is not in the database.*Restart the server/)

  await testApp.restart()
  assert.equal((await health(testApp.url)).status, 'healthy')
  assert.equal((await fetch(`${testApp.url}/v1/tasks`)).status, 200)
})
