import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { handleClientError } from '#http/protocol/problem.ts'
import { type Answer, assertProblem, connectTo, parseAnswer, rawRequest, wireTo } from '#kit/http-requests.ts'
import { startTcpServer } from '#kit/tcp-server.ts'
import { readRoutes } from '#openapi/routes.ts'
import { startTestApp } from '#support/test-app.ts'

/** The security headers of every response, whatever its route, status or fault. */
const policy = "default-src 'none'; frame-ancestors 'none'"

function assertStanding({ headers, status }: Pick<Answer, 'headers' | 'status'>, what: string): void {
  const it = `${what}: ${status}`
  assert.equal(headers.get('x-content-type-options'), 'nosniff', it)
  assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin', it)
  assert.match(headers.get('referrer-policy') ?? '', /^(?:no-referrer|same-origin)$/, it)
  assert.match(headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/, it)
  assert.equal(headers.get('strict-transport-security'), null, it)
  assert.deepEqual(
    [...headers.keys()].filter((name) => name.startsWith('access-control')),
    [],
    it,
  )
  const isPage = headers.get('content-type')?.startsWith('text/html') ?? false
  const found = headers.get('content-security-policy') ?? ''
  if (isPage) {
    assert.match(found, /^default-src 'none'; .*base-uri 'none'; .*frame-ancestors 'none'$/, it)
    assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin', it)
  } else assert.equal(found, policy, it)
  const isProblem = headers.get('content-type')?.startsWith('application/problem') ?? false
  if (isProblem) assert.equal(headers.get('cache-control'), 'no-store', it)
  else assert.match(headers.get('cache-control') ?? '', /^(?:private, no-cache|no-cache|no-store)$/, it)
}

test('every response of every route has the security headers', async (t) => {
  const { url, client } = await startTestApp(t)
  const send = wireTo(url)
  const statuses = new Set<number>()
  const assertFor = async (method: string, path: string, sending?: Parameters<typeof send>[2]) => {
    const answer = await send(method, path, sending)
    statuses.add(answer.status)
    assertStanding(answer, `${method} ${path}`)
    return answer
  }

  await t.test('both success and refusal', async () => {
    const { routes } = readRoutes()
    assert.ok(routes.length >= 30)
    for (const { method, url: pattern } of routes) {
      const { id } = await client.createTask({ title: 'x' }) // the last ones may be deleted by now
      const path = pattern.replaceAll(/:[a-z_]+/gi, String(id)).replace(/events$/, 'events?wait=0')
      const headers = { accept: 'application/json' } // events as a poll, which ends
      await assertFor(method.toUpperCase(), path, { headers })
      if (method === 'get') await assertFor('HEAD', path, { headers })
      if (method !== 'get') await assertFor(method.toUpperCase(), path, { headers, body: {} })
      if (method !== 'get') await assertFor(method.toUpperCase(), path, { headers, body: '{' })
      await assertFor('OPTIONS', path)
    }
    for (const status of [200, 400, 404, 405, 422]) assert.ok(statuses.has(status), `${status} was among them`)
  })

  await t.test('routes that are no operation of the API', async () => {
    for (const path of [
      '/',
      '/docs',
      '/docs/scalar.js',
      '/openapi.json',
      '/problems',
      '/problems/stale',
      '/a/x',
      '/metrics',
    ])
      await assertFor('GET', path)
    await assertFor('GET', '/problems/stale', { headers: { accept: 'application/json' } })
    await assertFor('GET', '/problems/none')
    await assertFor('GET', '/nowhere')
    await assertFor('POST', '/nowhere', { body: {} })
    await assertFor('DELETE', '/docs')
    await assertFor('PROPFIND', '/v1/tasks')
  })

  await t.test('a 304', async () => {
    const { id } = await client.createTask({ title: 'x' })
    const { headers } = await assertFor('GET', `/v1/tasks/${id}`)
    assert.equal(headers.get('cache-control'), 'private, no-cache')
    const known = { 'if-none-match': headers.get('etag') ?? assert.fail('has no ETag') }
    assert.equal((await assertFor('GET', `/v1/tasks/${id}`, { headers: known })).status, 304)
  })

  await t.test('a stream', async () => {
    const leaving = new AbortController()
    const response = await fetch(`${url}/v1/events`, { signal: leaving.signal })
    assertStanding(response, 'GET /v1/events')
    assert.equal(response.headers.get('cache-control'), 'no-store')
    leaving.abort()
  })

  await t.test('a failure before routing, or before a request', async () => {
    const host = `Host: ${new URL(url).host}`
    const cases: [status: number, lines: readonly string[]][] = [
      [400, ['GET /%E0%A4%A HTTP/1.1', host]],
      [404, [`GET /v1/tasks/by-key/${'x'.repeat(2_000)} HTTP/1.1`, host]],
      [400, ['GET /v1/tasks HTTP/1.1']],
      [403, ['GET /v1/tasks HTTP/1.1', 'Host: evil.example']],
      [403, ['POST /v1/tasks HTTP/1.1', host, 'Origin: https://evil.example']],
      [415, ['POST /v1/tasks HTTP/1.1', host, 'Content-Type: text/plain', 'Content-Length: 0']],
      [413, ['POST /v1/tasks HTTP/1.1', host, 'Content-Type: application/json', 'Content-Length: 9999999']],
      [400, ['nonsense']],
      [431, ['GET / HTTP/1.1', host, `X-Long: ${'x'.repeat(20_000)}`]],
    ]
    for (const [status, lines] of cases) {
      const answer = await rawRequest(url, lines)
      assertProblem(answer, status)
      assertStanding(answer, lines.join())
    }
  })
})

test('a route may replace a header by its own', async (t) => {
  const { url } = await startTestApp(t)
  const send = wireTo(url)
  assert.equal((await send('GET', '/openapi.json')).headers.get('cache-control'), 'no-cache')
  assert.equal((await send('GET', '/metrics')).headers.get('cache-control'), 'no-store')
  const link = await send('GET', '/a/x')
  assert.deepEqual(
    [link.status, link.headers.get('referrer-policy'), link.headers.get('cache-control')],
    [404, 'same-origin', 'no-store'],
  )
})

test('a server that is stopping responds with the security headers', async (t) => {
  const { url, app, client } = await startTestApp(t)
  const socket = connectTo(url)
  let received = ''
  socket.setEncoding('utf8').on('data', (text) => {
    received += text
  })
  socket.write('GET /v1/tasks HTTP/1.1\r\n') // half of a request, so that the connection is not idle
  await client.getHealth()
  const stopping = app.stop()
  socket.write('Host: localhost\r\n\r\n')
  await once(socket, 'close')
  await stopping
  const answer = parseAnswer(received)
  assertProblem(answer, 503, 'stopping')
  assertStanding(answer, 'stopping')
})

test('the response to a request that did not arrive in time has the security headers', async (t) => {
  const error = Object.assign(new Error(), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
  const { port } = await startTcpServer(t, (socket) => handleClientError(error, socket))
  const answer = await rawRequest(`http://127.0.0.1:${port}`, [])
  assertProblem(answer, 408)
  assertStanding(answer, 'timeout')
})

test('the document lists none of them: they are of no use to a caller of the API', async (t) => {
  const { url } = await startTestApp(t)
  const { text } = await wireTo(url)('GET', '/openapi.json')
  for (const name of [
    'x-content-type-options',
    'content-security-policy',
    'referrer-policy',
    'cross-origin-resource-policy',
  ])
    assert.ok(!text.toLowerCase().includes(name), name)
})
