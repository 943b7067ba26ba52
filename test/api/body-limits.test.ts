import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { assertProblem, connectTo, parseAnswer, wireTo } from '#kit/http-requests.ts'
import { allOperations } from '#openapi/operations.ts'
import { startWithLogin } from '#support/accounts.ts'
import { startTestApp } from '#support/test-app.ts'

/** The maximum size and depth of a body, before and after authentication. */
const kibibyte = 1024
const padded = (length: number) => `{"login":"x"${' '.repeat(length - 13)}}`
const arrays = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

/** The response to callers without a credential, also at unknown paths. */
const publicPaths = [
  ['POST', '/v1/session'],
  ['POST', '/v1/invitations/accept'],
  ['POST', '/v1/nowhere'],
  ['POST', '/livez'],
  ['PUT', '/sign-in'],
] as const

/** Sends a head and the beginning of a body, and waits for the response without ending the body. */
async function sendBeginning(url: string, head: readonly string[], body = '') {
  const socket = connectTo(url)
  let text = ''
  socket.setEncoding('utf8').on('data', (piece) => {
    text += piece
  })
  socket.on('error', () => {}) // the server need not read the rest
  socket.write(`${head.join('\r\n')}\r\nHost: ${new URL(url).host}\r\n\r\n${body}`)
  await once(socket, 'close')
  return parseAnswer(text)
}

test('without a credential a body has at most 8 KiB, on a server with login and without', async (t) => {
  const { app: withLogin } = await startWithLogin(t, { flags: ['--rate-limit=0'] })
  for (const { url } of [withLogin, await startTestApp(t)]) {
    const type = 'Content-Type: application/json'
    for (const [method, path] of publicPaths) {
      const first = `${method} ${path} HTTP/1.1`
      // Refused by its Content-Length, before any of it has arrived.
      const announced = await sendBeginning(url, [first, type, `Content-Length: ${8 * kibibyte + 1}`])
      assertProblem(announced, 413, '8 KiB')
      // Refused as soon as the limit is exceeded, although more follows.
      const chunk = `2001\r\n${padded(8 * kibibyte + 1)}\r\n`
      assertProblem(await sendBeginning(url, [first, type, 'Transfer-Encoding: chunked'], chunk), 413, '8 KiB')
      const { status } = await wireTo(url)(method, path, { body: padded(8 * kibibyte) })
      assert.ok([401, 404, 405, 422].includes(status), `${status} for ${method} ${path}`)
    }
    // For a link no media type is parsed, and so no body.
    assertProblem(await wireTo(url)('POST', '/a/some-link', { body: padded(8 * kibibyte + 1) }), 415)
  }
})

test('the longest name and password fit, with every character escaped', async (t) => {
  const { app } = await startWithLogin(t)
  const escaped = (length: number) => '\\ud83d\\ude00'.repeat(length)
  const body = `{"login":"${escaped(254)}","password":"${escaped(200)}"}`
  assertProblem(await wireTo(app.url)('POST', '/v1/session', { body }), 401)
})

test('with a credential, or on a server without login, a body has at most 1 MiB', async (t) => {
  const { app: withLogin, root } = await startWithLogin(t)
  const body = `{"title":"x"${' '.repeat(1024 * kibibyte - 13)}}`
  const headers = { authorization: `Bearer ${root.token}` }
  assert.equal((await wireTo(withLogin.url)('POST', '/v1/tasks', { body, headers })).status, 200)
  assertProblem(await wireTo(withLogin.url)('POST', '/v1/tasks', { body: `${body} `, headers }), 413, '1 MiB')
  assertProblem(await wireTo(withLogin.url)('POST', '/v1/tasks', { body }), 401)
  assert.equal((await wireTo((await startTestApp(t)).url)('POST', '/v1/tasks', { body })).status, 200)
})

test('on every route a body that nests more than 64 deep is refused before it is parsed', async (t) => {
  const { url } = await startTestApp(t)
  const send = wireTo(url)
  const withBody = allOperations().filter(({ body }) => body !== undefined)
  assert.ok(withBody.length > 15)
  for (const { method, path } of withBody) {
    const at = path.replaceAll(/\{[^}]+\}/g, '1')
    for (const headers of [{}, { 'idempotency-key': 'one' }]) {
      const answer = await send(method, at, { body: `{"title":${arrays(64)}}`, headers })
      assertProblem(answer, 400, 'The body nests objects and arrays more than 64 deep.')
    }
  }
})

test('3,000 brackets in the options of a channel are refused, with an Idempotency-Key and without', async (t) => {
  const { url } = await startTestApp(t)
  const send = wireTo(url)
  const of = (depth: number) => `{"name":"deep","kind":"webhook","options":{"url":${arrays(depth)}}}`
  for (const headers of [{}, { 'idempotency-key': 'deep' }]) {
    assertProblem(await send('POST', '/v1/channels', { body: of(3_000), headers }), 400, 'more than 64 deep')
    assertProblem(await send('POST', '/v1/channels', { body: of(62), headers }), 422)
  }
})
