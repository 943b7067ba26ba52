import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporaryFolder } from '#support/databases.ts'
import { createClient, ProblemError } from './client.ts'
import { socketFetch } from './socket-fetch.ts'

async function listen(t: TestContext, answer: RequestListener): Promise<string> {
  const path = join(temporaryFolder(t), 'test.sock')
  const server = createServer(answer).listen(path)
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return path
}

const clientAt = (path: string) => createClient('http://localhost', { fetch: socketFetch(path), tries: 1 })

test('a request and its response go over the socket', async (t) => {
  const path = await listen(t, async (request, response) => {
    const { method, url, headers } = request
    const body = (await request.toArray()).join('')
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ method, url, host: headers.host, match: headers['if-match'], body }))
  })
  const echo = (await clientAt(path).updateTask(7, { title: 'Zoë' }, { ifVersion: 3 })) as unknown
  assert.deepEqual(echo, {
    method: 'PATCH',
    url: '/v1/tasks/7',
    host: 'localhost',
    match: '"3"',
    body: '{"title":"Zoë"}',
  })
})

test('an error response is a ProblemError with its headers', async (t) => {
  const path = await listen(t, (_, response) => {
    response.writeHead(404, { 'content-type': 'application/problem+json', 'x-request-id': 'r1' })
    response.end('{"type":"/problems/not-found","title":"Not Found","detail":"There is no task 7."}')
  })
  await assert.rejects(clientAt(path).getTask(7), (error) => {
    assert.ok(error instanceof ProblemError)
    assert.deepEqual([error.status, error.message, error.problem.request_id], [404, 'There is no task 7.', 'r1'])
    return true
  })
})

test('a response without a body has none', async (t) => {
  const path = await listen(t, (request, response) => {
    response.writeHead(request.method === 'HEAD' ? 200 : 304, { etag: '"1"' }).end()
  })
  const send = socketFetch(path)
  for (const [method, status] of [
    ['HEAD', 200],
    ['GET', 304],
  ] as const) {
    const response = await send('http://localhost/', { method })
    assert.deepEqual([response.status, response.headers.get('etag'), response.body], [status, '"1"', null])
  }
})

test('a stream arrives piece by piece, and ends on both sides when the reader stops', async (t) => {
  let closed: Promise<unknown> | undefined
  const path = await listen(t, (_, response) => {
    closed = once(response, 'close')
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('id: 1\nevent: task.created\ndata: {"id":"change-1"}\n\n')
  })
  const stopping = new AbortController()
  for await (const event of clientAt(path).followEvents({}, { signal: stopping.signal })) {
    assert.deepEqual(event, { id: 'change-1' })
    stopping.abort()
  }
  await closed
})

test('a request ends with its signal, before and after the response began', async (t) => {
  const path = await listen(t, (request, response) => {
    if (request.url === '/begun') response.write('x')
  })
  const send = socketFetch(path)
  const reason = new Error('enough')
  await assert.rejects(send('http://localhost/', { signal: AbortSignal.abort(reason) }), reason)
  const waiting = new AbortController()
  const response = send('http://localhost/', { signal: waiting.signal })
  waiting.abort(reason)
  await assert.rejects(response, reason)
  const reading = new AbortController()
  const { body } = await send('http://localhost/begun', { signal: reading.signal })
  const reader = body?.getReader() ?? assert.fail('no body')
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'x')
  reading.abort(reason)
  await assert.rejects(reader.read())
})

test('without a server the error has its code', async (t) => {
  const path = join(temporaryFolder(t), 'missing.sock')
  await assert.rejects(clientAt(path).getTask(7), { code: 'ENOENT' })
})
