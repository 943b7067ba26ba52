import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem, rawRequest, type Sending } from '#kit/http-requests.ts'
import { type Row, start } from './refusals.ts'

/** Bad queries, ids, paths, methods and conditions. */

test('an unknown query parameter is refused on every method: no typo widens a DELETE', async (t) => {
  const { refusesEach } = await start(t)
  const routes: [method: string, path: string, sending?: Sending][] = [
    ['GET', '/v1/tasks'],
    ['POST', '/v1/tasks', { body: { title: 'x' } }],
    ['PUT', '/v1/tasks', { body: { tasks: [{ id: 1, title: 'x' }] } }],
    ['DELETE', '/v1/tasks'],
    ['GET', '/v1/tasks/1'],
    ['PUT', '/v1/tasks/1', { body: { title: 'x' } }],
    ['PATCH', '/v1/tasks/1', { body: { title: 'x' } }],
    ['DELETE', '/v1/tasks/1'],
    ['POST', '/v1/tasks/1/complete'],
    ['POST', '/v1/tasks/3/reopen'],
    ['POST', '/v1/tasks/1/snooze', { body: { for: 'PT1H' } }],
    ['GET', '/v1/tasks/2/notifications'],
    ['GET', '/v1/notifications'],
    ['GET', '/v1/notifications/1'],
  ]
  for (const [method, path, sending] of routes)
    await refusesEach([
      [`${method} ${path}?statsu=done`, method, `${path}?statsu=done`, sending, 400, 'statsu'],
      [`${method} ${path}?__proto__=1`, method, `${path}?__proto__=1`, sending, 400, '__proto__'],
    ])
  await refusesEach([
    ['DELETE of all with an id', 'DELETE', '/v1/tasks?id=1', undefined, 400, 'id'],
    ['a name that is nearly one', 'GET', '/v1/tasks?limt=1', undefined, 400, 'did you mean limit?'],
    ['a name in brackets', 'GET', '/v1/tasks?limit[]=1', undefined, 400, 'limit[]'],
  ])
})

test('an invalid query parameter is refused', async (t) => {
  const { refusesEach } = await start(t)
  const odd = [
    '',
    'x',
    '-1',
    '1.5',
    '1e2',
    '0x10',
    '010',
    '%201',
    '+1',
    'true',
    '%00',
    '%ff',
    '%zz',
    '99999999999999999999',
  ]
  const cursor = (text: string) => Buffer.from(text).toString('base64url')
  const cursors = [
    '',
    'x',
    'null',
    '0',
    cursor('id:'),
    cursor('id:-1'),
    cursor('id:1e9'),
    cursor('id:9999999999999999'),
  ]
  await refusesEach([
    ...odd.map((value): Row => [`limit=${value}`, 'GET', `/v1/tasks?limit=${value}`, undefined, 400, 'limit']),
    ...odd.map((value): Row => [`offset=${value}`, 'GET', `/v1/tasks?offset=${value}`, undefined, 400, 'offset']),
    ['limit above 10,000', 'GET', '/v1/tasks?limit=10001', undefined, 400, 'limit'],
    ['limit twice', 'GET', '/v1/tasks?limit=1&limit=2', undefined, 400, 'limit'],
    ...[...cursors, cursor('id:1; drop table tasks'), 'A'.repeat(60)].map(
      (value): Row => [`cursor=${value}`, 'GET', `/v1/tasks?cursor=${value}`, undefined, 400, 'cursor'],
    ),
    ['cursor twice', 'GET', '/v1/tasks?cursor=aWQ6MQ&cursor=aWQ6MQ', undefined, 400, 'cursor'],
    ['cursor and offset', 'GET', '/v1/tasks?cursor=aWQ6MQ&offset=1', undefined, 400, 'cursor'],
  ])
})

test('an invalid id, or one in another notation, names nothing', async (t) => {
  const { refusesEach } = await start(t)
  const odd = [
    '0',
    '-1',
    '4711',
    '1.0',
    '1.5',
    '1e0',
    '1e3',
    '0x1',
    '01',
    '+1',
    '%201',
    '1%20',
    '1n',
    'true',
    'null',
    'NaN',
  ]
  const invalidCursor = [
    '%00',
    '1%00',
    '%EF%BC%91',
    '1%2F2',
    '..%2F1',
    '9007199254740993',
    '99999999999999999999',
    '{id}',
    "1'--",
  ]
  for (const id of [...odd, ...invalidCursor])
    await refusesEach([
      [`GET ${id}`, 'GET', `/v1/tasks/${id}`, undefined, 404],
      [`PUT ${id}`, 'PUT', `/v1/tasks/${id}`, { body: { title: 'x' } }, 404],
      [`DELETE ${id}`, 'DELETE', `/v1/tasks/${id}`, undefined, 404],
      [`complete ${id}`, 'POST', `/v1/tasks/${id}/complete`, undefined, 404],
      [`notifications of ${id}`, 'GET', `/v1/tasks/${id}/notifications`, undefined, 404],
      [`notification ${id}`, 'GET', `/v1/notifications/${id}`, undefined, 404],
    ])
})

test('an unknown path, or an invalid request, is answered by a problem too', async (t) => {
  const { refusesEach, url, refuses } = await start(t)
  const nowhere = ['/v1', '/v1/', '/v2/tasks', '/V1/tasks', '/v1/Tasks', '//v1/tasks', '/v1/task', '/v1/tasks/']
  for (const path of [...nowhere, '/v1/tasks/1/', '/v1/tasks/1/delete', '/v1/tasks//', '/v1/health/x', '/favicon.ico'])
    await refusesEach([
      [`GET ${path}`, 'GET', path, undefined, 404],
      [`DELETE ${path}`, 'DELETE', path, undefined, 404],
    ])
  await refusesEach([
    ['a path that cannot be decoded', 'GET', '/v1/tasks/%zz', undefined, 400],
    ['a DELETE of it', 'DELETE', '/v1/tasks/%ff', undefined, 400],
    ['an id of 301 characters', 'GET', `/v1/tasks/${'1'.repeat(301)}`, undefined, 404],
    ['a path of 10,000 characters', 'GET', `/${'a'.repeat(10_000)}`, undefined, 404],
    ['a path of 20,000 characters', 'GET', `/${'a'.repeat(20_000)}`, undefined, 431],
  ])
  const host = `Host: ${new URL(url).host}`
  const raw: [words: string, status: number, head: string[]][] = [
    ['a header of 20,000 characters', 431, ['GET /v1/tasks HTTP/1.1', host, `X: ${'a'.repeat(20_000)}`]],
    ['what is no HTTP', 400, ['EHLO localhost']],
    ['a method that nobody knows', 400, ['FROB /v1/tasks HTTP/1.1', host]],
    ['a control character in the path', 400, ['GET /v1/t\u0001 HTTP/1.1', host]],
    ['a body of two lengths', 400, ['POST /v1/tasks HTTP/1.1', host, 'Content-Length: 5', 'Content-Length: 6']],
    [
      'a body counted and in chunks',
      400,
      ['DELETE /v1/tasks HTTP/1.1', host, 'Content-Length: 5', 'Transfer-Encoding: chunked'],
    ],
    ['a method of others', 404, ['PROPFIND /v1/tasks HTTP/1.1', host]],
  ]
  for (const [words, status, head] of raw)
    await t.test(`${words}: ${status}`, () => refuses(rawRequest(url, head), status))
})

test('a method that a resource does not have is refused, and the response lists those it has', async (t) => {
  const { refuses, send, url } = await start(t)
  const resources: [path: string, allow: string][] = [
    ['/v1/tasks', 'DELETE, GET, HEAD, POST, PUT'],
    ['/v1/tasks/1', 'DELETE, GET, HEAD, PATCH, PUT'],
    ['/v1/tasks/1/complete', 'POST'],
    ['/v1/tasks/1/reopen', 'POST'],
    ['/v1/tasks/1/snooze', 'POST'],
    ['/v1/tasks/1/notifications', 'GET, HEAD'],
    ['/v1/notifications', 'GET, HEAD'],
    ['/v1/notifications/1', 'GET, HEAD'],
    ['/v1/health', 'GET, HEAD'],
    ['/livez', 'GET, HEAD'],
    ['/readyz', 'GET, HEAD'],
  ]
  for (const [path, allow] of resources) {
    await t.test(`${path} has ${allow}, says so, and does nothing else`, async () => {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].filter((one) => !allow.includes(one))) {
        const request = send(method, path)
        await refuses(request, 405, 'This resource supports')
        assert.equal((await request).headers.get('allow'), allow, method)
      }
    })
  }
  await t.test('TRACE sends nothing back', async () => {
    const head = ['TRACE /v1/tasks HTTP/1.1', `Host: ${new URL(url).host}`, 'Cookie: secret']
    const answer = await rawRequest(url, head)
    assertProblem(answer, 405)
    assert.ok(!answer.text.includes('secret'))
  })
  await t.test('HEAD answers as GET, without the body', async () => {
    const { status, headers, text } = await send('HEAD', '/v1/tasks/1')
    assert.deepEqual([status, headers.get('etag'), text], [200, '"1"', ''])
  })
})

/** Every write of one task, with these headers. */
const writesWith = (value: string, headers: Record<string, string>, status: number, about?: string): Row[] => [
  [`PATCH ${value}`, 'PATCH', '/v1/tasks/1', { body: { title: 'x' }, headers }, status, about],
  [`PUT ${value}`, 'PUT', '/v1/tasks/1', { body: { title: 'x' }, headers }, status, about],
  [`PUT by key ${value}`, 'PUT', '/v1/tasks/by-key/one', { body: { title: 'x' }, headers }, status, about],
  [`DELETE ${value}`, 'DELETE', '/v1/tasks/1', { headers }, status, about],
  [`complete ${value}`, 'POST', '/v1/tasks/1/complete', { headers }, status, about],
  [`snooze ${value}`, 'POST', '/v1/tasks/1/snooze', { body: { for: 'PT1H' }, headers }, status, about],
]

test('an invalid condition is refused, not ignored', async (t) => {
  const { refusesEach } = await start(t)
  for (const value of ['1', '"1', '""1""', '"1" "2"', '*, "1"', 'w/"1"']) {
    await refusesEach(writesWith(value, { 'if-match': value }, 400, 'If-Match'))
    await refusesEach(writesWith(value, { 'if-none-match': value }, 400, 'If-None-Match'))
  }
})

test('an ETag that was never issued matches nothing', async (t) => {
  const { refusesEach } = await start(t)
  for (const value of ['"x"', 'W/"1"', '"-1"', '""', '"1.0"', '"0x1"', `"${'9'.repeat(20)}"`, '"2", "c1"'])
    await refusesEach(writesWith(value, { 'if-match': value }, 412, 'is at version 1'))
})

test('every answer carries its request id', async (t) => {
  const { send } = await start(t)
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const trace = (id: string) => ({ headers: { traceparent: `00-${id}-00f067aa0ba902b7-01` } })

  await t.test('a new one each', async () => {
    const ids = [await send('GET', '/v1/tasks'), await send('GET', '/v1/tasks'), await send('GET', '/nowhere')]
    assert.equal(new Set(ids.map(({ headers }) => headers.get('x-request-id'))).size, 3)
  })

  await t.test('the trace id of a traceparent, in the header and in the problem', async () => {
    assert.equal((await send('GET', '/v1/tasks', trace(traceId))).headers.get('x-request-id'), traceId)
    const problem = await send('GET', '/v1/tasks/4711', trace(traceId))
    assertProblem(problem, 404)
    assert.equal(problem.body.request_id, traceId)
  })

  await t.test('but no invalid value, and nothing that a caller chooses freely', async () => {
    for (const id of ['0'.repeat(32), traceId.toUpperCase(), 'x', `${traceId}00`])
      assert.notEqual((await send('GET', '/v1/tasks', trace(id))).headers.get('x-request-id'), id)
    const { headers } = await send('GET', '/v1/tasks', { headers: { 'x-request-id': 'mine' } })
    assert.notEqual(headers.get('x-request-id'), 'mine')
  })
})

test('a problem has exactly the members of RFC 9457, the request id and the faults', async (t) => {
  const { send } = await start(t)
  const { headers, body } = await send('PATCH', '/v1/tasks/1?', { body: { tags: ['a', 1], titel: 'x' } })
  assert.deepEqual(body, {
    type: '/problems/invalid',
    title: 'Unprocessable Content',
    status: 422,
    detail: 'titel is not known; did you mean title?; tags.1 must be string',
    instance: '/v1/tasks/1',
    request_id: headers.get('x-request-id'),
    errors: [
      { pointer: '/titel', detail: 'is not known; did you mean title?' },
      { pointer: '/tags/1', detail: 'must be string' },
    ],
  })
})
