import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem, rawRequest, wireTo } from '#kit/http-requests.ts'
import { readRoutes } from '#openapi/routes.ts'
import { startTestApp } from '#support/test-app.ts'

/** Pages of other origins, in a browser: those of allowed origins, and all others. */
const app = 'https://app.example.org'
const other = 'https://evil.example'
const flags = [`--cors-origins=${app},http://localhost:5173`]
/** The headers of a browser from a page of that origin. */
const from = (origin: string) => ({ origin, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' })

const corsHeaders = (headers: Headers) => [...headers.keys()].filter((name) => name.startsWith('access-control'))
const listed = (headers: Headers, name: string) => (headers.get(name) ?? '').split(', ')

test('a page of an allowed origin', async (t) => {
  const { url, client } = await startTestApp(t, { flags })
  const send = wireTo(url)
  const { id } = await client.createTask({ title: 'x' })

  await t.test('may send a preflight request, for every route', async () => {
    const paths = new Set(readRoutes().routes.map(({ url }) => url.replaceAll(/:[a-z_]+/gi, String(id))))
    assert.ok(paths.size >= 20)
    for (const path of paths)
      for (const origin of [app, 'http://localhost:5173']) {
        const headers = { ...from(origin), 'access-control-request-method': 'PATCH' }
        const answer = await send('OPTIONS', path, { headers })
        assert.deepEqual([answer.status, answer.text], [204, ''], path)
        assert.equal(answer.headers.get('access-control-allow-origin'), origin)
        assert.equal(answer.headers.get('vary'), 'origin')
        assert.equal(answer.headers.get('access-control-max-age'), '7200')
        assert.equal(answer.headers.get('content-length'), null)
      }
  })

  await t.test('gets every method and every header that the API uses', async () => {
    const { headers } = await send('OPTIONS', '/v1/tasks', {
      headers: { ...from(app), 'access-control-request-method': 'POST' },
    })
    const { routes } = readRoutes()
    for (const { method, schema } of routes) {
      assert.ok(listed(headers, 'access-control-allow-methods').includes(method.toUpperCase()), method)
      for (const name of schema.requestHeaders ?? [])
        assert.ok(listed(headers, 'access-control-allow-headers').includes(name), name)
    }
    for (const name of ['authorization', 'content-type', 'traceparent'])
      assert.ok(listed(headers, 'access-control-allow-headers').includes(name), name)
  })

  await t.test('may write, and read the response', async () => {
    const created = await send('POST', '/v1/tasks', { headers: from(app), body: { title: 'from a page' } })
    assert.equal(created.status, 200)
    assert.equal(created.headers.get('access-control-allow-origin'), app)
    for (const name of ['etag', 'location', 'link', 'retry-after', 'x-request-id', 'idempotency-replayed', 'ratelimit'])
      assert.ok(listed(created.headers, 'access-control-expose-headers').includes(name), name)
    assert.equal((await send('DELETE', `/v1/tasks/${created.body.id}`, { headers: from(app) })).status, 200)
  })

  await t.test('may read why its request was refused', async () => {
    for (const [status, method, path, sending] of [
      [404, 'GET', '/v1/tasks/4711', {}],
      [404, 'GET', '/nowhere', {}],
      [405, 'DELETE', '/v1/health', {}],
      [415, 'POST', '/v1/tasks', { body: 'x', headers: { 'content-type': 'text/plain' } }],
      [422, 'POST', '/v1/tasks', { body: {} }],
      [400, 'GET', '/%E0%A4%A', {}],
    ] as const) {
      const headers = { ...from(app), ...('headers' in sending && sending.headers) }
      const answer = await send(method, path, { ...sending, headers })
      assertProblem(answer, status)
      assert.equal(answer.headers.get('access-control-allow-origin'), app, path)
      assert.ok(listed(answer.headers, 'access-control-expose-headers').includes('x-request-id'), path)
    }
  })

  await t.test('may follow events', async () => {
    const leaving = new AbortController()
    const response = await fetch(`${url}/v1/events`, { headers: from(app), signal: leaving.signal })
    assert.equal(response.headers.get('access-control-allow-origin'), app)
    assert.equal(response.headers.get('vary'), 'origin, accept')
    leaving.abort()
  })

  await t.test('is never allowed to send cookies', async () => {
    for (const [method, more] of [
      ['GET', {}],
      ['OPTIONS', { 'access-control-request-method': 'POST' }],
    ] as const) {
      const { headers } = await send(method, '/v1/tasks', { headers: { ...from(app), ...more } })
      assert.equal(headers.get('access-control-allow-credentials'), null)
      assert.notEqual(headers.get('access-control-allow-origin'), '*')
    }
  })

  await t.test('gets no permission for paths that do not exist', async () => {
    const headers = { ...from(app), 'access-control-request-method': 'POST' }
    assertProblem(await send('OPTIONS', '/nowhere', { headers }), 404)
  })

  await t.test('does not make OPTIONS a method of the API', async () => {
    assertProblem(await send('OPTIONS', '/v1/tasks', { headers: from(app) }), 405)
    assertProblem(await send('OPTIONS', '/v1/tasks'), 405)
  })

  await t.test('is refused under a name that is not this server’s, and through a proxy', async () => {
    const asking = [`Origin: ${app}`, 'Access-Control-Request-Method: POST']
    assertProblem(await rawRequest(url, ['OPTIONS /v1/tasks HTTP/1.1', `Host: ${new URL(other).host}`, ...asking]), 403)
    assertProblem(await send('POST', '/v1/tasks', { headers: { ...from(app), 'x-forwarded-for': '192.0.2.1' } }), 403)
  })
})

test('a page of any other origin is refused as without the setting', async (t) => {
  const { url, client } = await startTestApp(t, { flags })
  const send = wireTo(url)
  for (const origin of [
    other,
    'null',
    `${app}:8443`,
    `${app}.evil.example`,
    'http://app.example.org',
    `${app}/`,
    'https://APP.example.org',
  ]) {
    const asking = { ...from(origin), 'access-control-request-method': 'POST' }
    for (const [method, headers] of [
      ['OPTIONS', asking],
      ['POST', from(origin)],
      ['DELETE', from(origin)],
    ] as const) {
      const answer = await send(method, '/v1/tasks', { headers })
      assertProblem(answer, 403, 'another site')
      assert.deepEqual(corsHeaders(answer.headers), [], origin)
    }
    const read = await send('GET', '/v1/tasks', { headers: from(origin) })
    assert.deepEqual([read.status, corsHeaders(read.headers)], [403, []])
  }
  assert.equal((await client.listTasks()).tasks.length, 0)
})

test('with allowed origins every response has Vary: Origin; without, none does', async (t) => {
  const paths = ['/v1/tasks', '/v1/health', '/nowhere', '/docs', '/docs/scalar.js', '/problems/stale', '/openapi.json']
  for (const [more, varies] of [
    [flags, true],
    [[], false],
  ] as const) {
    const { url } = await startTestApp(t, { flags: more })
    for (const path of paths)
      for (const headers of [{}, from(app), from(other)]) {
        const answer = await wireTo(url)('GET', path, { headers })
        assert.equal(listed(answer.headers, 'vary').includes('origin'), varies, path)
        if (!varies) assert.deepEqual(corsHeaders(answer.headers), [])
      }
    const poll = await wireTo(url)('GET', '/v1/events?wait=0', { headers: { accept: 'application/json' } })
    assert.equal(poll.headers.get('vary'), varies ? 'origin, accept' : 'accept')
  }
})
