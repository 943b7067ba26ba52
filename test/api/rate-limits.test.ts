import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem, wireTo } from '#kit/http-requests.ts'
import { startWithLogin } from '#support/accounts.ts'
import { startTestApp } from '#support/test-app.ts'

/** On loopback there would be no limit. */
const open = ['--host=0.0.0.0', '--allow-anyone-on-network']

test('a caller above the limit gets 429 with the time to wait; earlier responses have the number of remaining requests', async (t) => {
  const { url } = await startTestApp(t, { flags: [...open, '--rate-limit=3'] })
  const send = wireTo(url)
  for (const left of [2, 1, 0]) {
    const { status, headers } = await send('GET', '/v1/tasks')
    assert.equal(status, 200)
    assert.equal(headers.get('ratelimit-policy'), '"caller";q=3;w=60')
    assert.equal(headers.get('ratelimit'), `"caller";r=${left};t=20`)
  }
  for (const [method, path] of [
    ['GET', '/v1/tasks'],
    ['DELETE', '/v1/tasks'],
    ['GET', '/docs'],
    ['GET', '/nowhere'],
  ] as const) {
    const answer = await send(method, path)
    assertProblem(answer, 429, 'Too many requests. Try again in')
    const wait = Number(answer.headers.get('retry-after'))
    assert.ok(wait > 10 && wait <= 20, `${wait} s`)
    assert.equal(answer.headers.get('ratelimit'), `"caller";r=0;t=${wait}`)
  }

  await t.test('health checks and metrics are still answered, and show it', async () => {
    for (const path of ['/livez', '/readyz', '/v1/health']) assert.equal((await send('GET', path)).status, 200, path)
    const { text, headers } = await send('GET', '/metrics')
    assert.match(text, /^duebell_http_refused_total\{reason="rate"\} 4$/m)
    assert.equal(headers.get('ratelimit'), null)
  })
})

test('--rate-limit=0 is no limit, and on loopback without a login there is none', async (t) => {
  for (const flags of [[...open, '--rate-limit=0'], ['--rate-limit=1']]) {
    const { url } = await startTestApp(t, { flags })
    for (let i = 0; i < 3; i++) {
      const { status, headers } = await wireTo(url)('GET', '/v1/tasks')
      assert.deepEqual([status, headers.get('ratelimit'), headers.get('ratelimit-policy')], [200, null, null])
    }
  }
})

test('guessing tokens is stopped after 50 attempts, a valid token still works, and another program’s cookie is no guess', async (t) => {
  const { app, root } = await startWithLogin(t)
  const ask = async (headers: Record<string, string>) => (await wireTo(app.url)('GET', '/v1/tasks', { headers })).status
  const guess = { authorization: `Bearer ${root.token.slice(0, -1)}_` }
  for (let i = 0; i < 60; i++) assert.equal(await ask({ cookie: 'session=of-another; __Host-other=1' }), 401)
  for (let i = 0; i < 25; i++) {
    assert.equal(await ask(guess), 401)
    assert.equal(await ask({ cookie: '__Host-duebell=dbs_guessed' }), 401)
  }
  assert.equal(await ask(guess), 429)
  assert.equal(await ask({ cookie: '__Host-duebell=dbs_guessed' }), 429)
  assert.equal(await ask({ authorization: `Bearer ${root.token}` }), 200)
  assert.equal(await ask({ cookie: 'session=of-another' }), 401)
})
