import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '#core/problem.ts'
import { answers, answersEndlessly, startHttpReceiver } from '#kit/http-receiver.ts'
import { anywhere } from './egress-policy.ts'
import { openHttpClient, parseTarget, toOutcome } from './http-client.ts'

const parse = (url: string) => parseTarget(url, '/url', anywhere)

test('a URL with a metadata address of clouds is refused before anything is sent, in every spelling of a URL', () => {
  for (const url of [
    'http://169.254.169.254/latest/meta-data',
    'http://0xa9fea9fe/',
    'http://2852039166/',
    'http://[::ffff:169.254.169.254]/',
    'http://0/',
  ])
    assert.throws(
      () => parse(url),
      (error) => error instanceof Problem && /never allowed/.test(error.message),
      url,
    )
  assert.throws(() => parse('http://user:pass@example.org/'), /must not hold a user name or password/)
  assert.throws(() => parse('ftp://example.org/'), /must be an http or https URL/)
  assert.equal(parse('http://127.0.0.1:9000/').url.port, '9000')
})

test('16 KiB of a long response are kept, and the connection is closed', async (t) => {
  const receiver = await startHttpReceiver(t, answersEndlessly(200))
  await using client = openHttpClient(parse(receiver.url))
  const response = await client.request({ headers: {}, body: '', signal: new AbortController().signal })
  assert.equal(response.status, 200)
  assert.equal(response.text().length, 16 * 1024)
})

test('a path is appended to the path of the target, before its query', async (t) => {
  const { url, requests } = await startHttpReceiver(t, answers(200))
  for (const [target, path] of [
    ['', '/message'],
    ['/', '/message'],
    ['/gotify', '/gotify/message'],
    ['/gotify/?key=1', '/gotify/message?key=1'],
  ]) {
    await using client = openHttpClient(parse(url + target))
    await client.request({ path: '/message', headers: {}, body: '', signal: new AbortController().signal })
    assert.equal(requests.at(-1)?.path, path)
  }
})

test('the outcome of each response', () => {
  const response = (status: number, headers = {}) => ({ status, headers })
  assert.equal(toOutcome(response(204), 0), 'sent')
  assert.deepEqual(toOutcome(response(503), 0), { retry: true, reason: '503 Service Unavailable', status: 503 })
  assert.deepEqual(toOutcome(response(429, { 'retry-after': '7' }), 0, 'slow down'), {
    retry: true,
    reason: '429 Too Many Requests: slow down',
    afterMs: 7_000,
    status: 429,
  })
  assert.deepEqual(toOutcome(response(401), 0), { retry: false, reason: '401 Unauthorized', status: 401 })
  const gone = { retry: false, reason: '410 Gone', status: 410, isGone: true }
  assert.deepEqual(toOutcome(response(410), 0), gone)
  const redirect = { retry: true, reason: '302 Found: redirects are not followed', status: 302 }
  assert.deepEqual(toOutcome(response(302), 0), redirect)
})

test('a Retry-After is a time from now, and ignored if malformed', () => {
  const now = Date.parse('2026-12-01T09:00:00Z')
  const afterMs = (headers: Record<string, string>) => {
    const outcome = toOutcome({ status: 503, headers }, now)
    return outcome !== 'sent' && outcome.retry ? outcome.afterMs : 'not to be retried'
  }
  const date = (at: number) => new Date(at).toUTCString()
  assert.equal(afterMs({ 'retry-after': date(now + 60_000) }), 60_000)
  assert.equal(afterMs({ 'retry-after': date(now - 60_000) }), 0)
  for (const garbage of ['', 'soon', '-1', 'NaN', '1e9', 'Infinity', '99999999999999999999'])
    assert.equal(afterMs({ 'retry-after': garbage }), undefined, garbage)
  // A receiver whose clock is an hour off still asks for a minute (RFC 9110 sections 6.6.1 and 10.2.3).
  for (const skew of [3_600_000, -3_600_000])
    assert.equal(afterMs({ 'retry-after': date(now + skew + 60_000), date: date(now + skew) }), 60_000)
})
