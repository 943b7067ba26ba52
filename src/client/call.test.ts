import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ClientOptions, createCall } from './call.ts'
import { ProblemError } from './problem-error.ts'

interface Sent {
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly body: unknown
}

type Answer = () => Response | Promise<Response>

/** A call over a simulated network, which repeats its last response, and a clock that jumps. */
function callOver(answers: readonly Answer[], options: ClientOptions = {}) {
  const sent: Sent[] = []
  const waits: number[] = []
  let now = Date.parse('2026-12-01T09:00:00Z')
  const network = async (url: URL, { method, headers, body }: RequestInit) => {
    sent.push({ url: String(url), method: String(method), headers: new Headers(headers), body })
    const answer = answers[Math.min(sent.length, answers.length) - 1] as Answer
    return answer()
  }
  const call = createCall(
    'http://server.example',
    { fetch: network as typeof fetch, ...options },
    {
      now: () => now,
      random: () => 0,
      async sleep(ms) {
        waits.push(ms)
        now += ms
      },
    },
  )
  return { call, sent, waits }
}

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response(JSON.stringify(body), { status, headers })
const ok = json(200, { id: 1 })
const problem = (status: number, headers: Record<string, string> = {}) =>
  json(
    status,
    { type: '/problems/x', title: 'x', status, detail: 'because', instance: '/v1/tasks', request_id: 'r' },
    headers,
  )
const cutOff: Answer = () => Promise.reject(new TypeError('fetch failed'))

async function failure(request: Promise<unknown>): Promise<ProblemError> {
  const error = await request.then(
    () => assert.fail('did not fail'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof ProblemError, String(error))
  return error
}

test('a request has its media types, its condition and its token', async () => {
  const { call, sent } = callOver([ok], { token: 'due_secret' })
  assert.deepEqual(await call('PATCH', '/v1/tasks/1', { title: 'x' }, { ifVersion: 3 }), { id: 1 })
  const [{ url, method, headers, body } = assert.fail()] = sent
  assert.deepEqual([url, method, body], ['http://server.example/v1/tasks/1', 'PATCH', '{"title":"x"}'])
  assert.deepEqual(Object.fromEntries(headers), {
    accept: 'application/json',
    authorization: 'Bearer due_secret',
    'content-type': 'application/json',
    'if-match': '"3"',
  })
})

test('a temporary failure is retried, up to four attempts', async () => {
  for (const trouble of [cutOff, problem(503), problem(429), problem(502), problem(504)]) {
    const mended = callOver([trouble, trouble, trouble, ok])
    assert.deepEqual(await mended.call('GET', '/v1/tasks'), { id: 1 })
    assert.deepEqual(mended.waits, [200, 400, 800])
    const lasting = callOver([trouble])
    await assert.rejects(lasting.call('GET', '/v1/tasks'))
    assert.equal(lasting.sent.length, 4)
  }
})

test('a POST has an Idempotency-Key, the same for its attempts and another for the next request', async () => {
  const { call, sent } = callOver([cutOff, problem(503), ok])
  await call('POST', '/v1/tasks', { title: 'x' })
  await call('POST', '/v1/tasks', { title: 'x' })
  const keys = sent.map(({ headers }) => headers.get('idempotency-key'))
  assert.equal(keys.length, 4)
  assert.match(keys[0] ?? '', /^[0-9a-f]{32}$/)
  assert.deepEqual([keys[1], keys[2]], [keys[0], keys[0]])
  assert.notEqual(keys[3], keys[0])
  assert.ok(sent.every(({ body }) => body === '{"title":"x"}'))
})

test('only a POST has one, and a conditional request is not repeated if it may have succeeded', async () => {
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    const free = callOver([cutOff, ok])
    await free.call(method, '/v1/tasks/1')
    assert.ok(free.sent.every(({ headers }) => !headers.has('idempotency-key')))
    const conditional = callOver([cutOff, ok])
    await assert.rejects(conditional.call(method, '/v1/tasks/1', undefined, { ifVersion: 1 }), {
      message: 'fetch failed',
    })
    assert.equal(conditional.sent.length, 1)
    const refused = callOver([problem(503), ok])
    await refused.call(method, '/v1/tasks/1', undefined, { ifVersion: 1 })
    assert.equal(refused.sent.length, 2)
  }
})

test('a retry waits for Retry-After; if that takes too long, the error has it', async () => {
  const short = callOver([problem(503, { 'retry-after': '7' }), ok])
  await short.call('GET', '/v1/tasks')
  assert.deepEqual(short.waits, [7_000])
  const long = callOver([problem(429, { 'retry-after': '3600' })])
  const error = await failure(long.call('GET', '/v1/tasks'))
  assert.deepEqual([error.status, error.retryAfter, long.sent.length], [429, 3_600, 1])
  const dated = callOver([problem(503, { 'retry-after': 'Tue, 01 Dec 2026 09:00:20 GMT' }), ok])
  await dated.call('GET', '/v1/tasks')
  assert.deepEqual(dated.waits, [20_000])
  // A server whose clock is an hour ahead still asks for 20 s (RFC 9110 sections 6.6.1 and 10.2.3).
  const ahead = { 'retry-after': 'Tue, 01 Dec 2026 10:00:20 GMT', date: 'Tue, 01 Dec 2026 10:00:00 GMT' }
  const skewed = callOver([problem(503, ahead), ok])
  await skewed.call('GET', '/v1/tasks')
  assert.deepEqual(skewed.waits, [20_000])
})

test('attempts start within 30 s, however slow each was', async () => {
  const { call, sent } = callOver([problem(503, { 'retry-after': '14' })])
  await failure(call('GET', '/v1/tasks'))
  assert.equal(sent.length, 3) // at 0, 14 and 28 s
})

test('a problem keeps its text, and is not retried', async () => {
  const { call, sent } = callOver([problem(422)])
  const error = await failure(call('POST', '/v1/tasks', {}))
  assert.deepEqual([error.status, error.message, error.problem.type], [422, 'because', '/problems/x'])
  assert.equal(sent.length, 1)
})

test('an error without a problem document becomes one: pages of proxies, no JSON, no object', async () => {
  const page =
    (status: number, text: string): Answer =>
    () =>
      new Response(text, { status, statusText: 'Whatever', headers: { 'x-request-id': 'r-1' } })
  for (const [status, text] of [
    [500, '<html>nginx</html>'],
    [404, ''],
    [400, '"no"'],
    [418, 'null'],
    [403, '{"error":"no"}'],
    [200, '<html>Please log in</html>'],
  ] as const) {
    const error = await failure(callOver([page(status, text)]).call('GET', '/v1/tasks'))
    const { type, request_id, detail } = error.problem
    assert.deepEqual([error.status, type, request_id], [status, 'about:blank', 'r-1'])
    assert.match(detail, new RegExp(`${status} Whatever`))
  }
})

test('an attempt that takes too long is aborted, and retried', async () => {
  const hang = (): typeof fetch => {
    let calls = 0
    return ((_, init) => {
      calls++
      if (calls > 1) return Promise.resolve(new Response('{"id":1}'))
      return new Promise((_, reject) => {
        const keepsAwake = setInterval(() => {}, 1_000) // AbortSignal.timeout alone does not
        init?.signal?.addEventListener('abort', () => {
          clearInterval(keepsAwake)
          reject(init.signal?.reason)
        })
      })
    }) as typeof fetch
  }
  const { call, waits } = callOver([], { fetch: hang(), timeoutMs: 5 })
  assert.deepEqual(await call('GET', '/v1/tasks'), { id: 1 })
  assert.deepEqual(waits, [200])
  await assert.rejects(callOver([], { fetch: hang(), timeoutMs: 5, tries: 1 }).call('GET', '/v1/tasks'), {
    name: 'TimeoutError',
  })
})

test("the caller's signal ends a request: in flight, while it waits, and before it starts", async () => {
  const stop = new AbortController()
  const stopping: Answer = () => {
    stop.abort()
    return Promise.reject(new TypeError('fetch failed'))
  }
  const { call, sent } = callOver([stopping, ok], { signal: stop.signal })
  await assert.rejects(call('GET', '/v1/tasks'), { name: 'AbortError' })
  assert.equal(sent.length, 1)

  const waiting = new AbortController()
  const real = createCall('http://server.example', {
    signal: waiting.signal,
    fetch: (async () => {
      setImmediate(() => waiting.abort())
      return new Response('{}', { status: 503, headers: { 'retry-after': '20' } })
    }) as typeof fetch,
  })
  await assert.rejects(real('GET', '/v1/tasks'), { name: 'AbortError' })
})

test('a request has a signal of its own, beside that of the client', async () => {
  for (const options of [{}, { signal: new AbortController().signal }]) {
    const own = new AbortController()
    const stopping: Answer = () => {
      own.abort()
      return Promise.reject(new TypeError('fetch failed'))
    }
    const { call, sent } = callOver([stopping, ok], options)
    await assert.rejects(call('GET', '/v1/tasks', undefined, { signal: own.signal }), { name: 'AbortError' })
    assert.equal(sent.length, 1)
    assert.deepEqual(await call('GET', '/v1/tasks'), { id: 1 }, 'other requests go on')
  }
})

test('headers of the client go with every request, and with a stream', async () => {
  const { call, sent } = callOver([() => new Response('{"id":1}')], { headers: { 'x-proxy': 'a' }, token: 't' })
  await call('GET', '/v1/tasks')
  await call.stream('/v1/events', {})
  assert.deepEqual(
    sent.map(({ headers }) => [headers.get('x-proxy'), headers.get('authorization')]),
    [
      ['a', 'Bearer t'],
      ['a', 'Bearer t'],
    ],
  )
})

test('a GET with a condition is repeated: it changes nothing', async () => {
  const { call, sent } = callOver([cutOff, ok])
  await call('GET', '/v1/tasks/1', undefined, { ifVersion: 3 })
  assert.equal(sent.length, 2)
})

test('a server may be below a path of its host', async () => {
  for (const baseUrl of ['http://server.example/bell', 'http://server.example/bell/']) {
    const urls: string[] = []
    const network = async (url: URL) => {
      urls.push(String(url))
      return Response.json({})
    }
    const call = createCall(baseUrl, { fetch: network as typeof fetch })
    await call('GET', '/v1/tasks?limit=1')
    await call.stream('/v1/events', {})
    assert.deepEqual(urls, ['http://server.example/bell/v1/tasks?limit=1', 'http://server.example/bell/v1/events'])
  }
})
