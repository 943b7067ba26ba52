import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawRequest } from '#kit/http-requests.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { startTestApp } from '#support/test-app.ts'

/** Parses `GET /metrics`: name and labels, as written, to the value. */
async function scrape(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

/** The values of one metric whose labels include all of these. */
function sum(values: Map<string, number>, name: string, ...labels: string[]): number {
  let total = 0
  for (const [key, value] of values)
    if (key.replace(/\{.*/, '') === name && labels.every((label) => key.includes(label))) total += value
  return total
}

test('GET /metrics is text for Prometheus, with the same authentication as health', async (t) => {
  const { url } = await startTestApp(t)
  const response = await fetch(`${url}/metrics`)
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const text = await response.text()
  for (const line of text.split('\n'))
    assert.match(line, /^$|^# (?:HELP|TYPE) \w+ .+$|^\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? (?:[-+0-9.e]+|Nan)$/)
  assert.equal((await rawRequest(url, ['GET /metrics HTTP/1.1', 'Host: evil.example'])).status, 403)
})

test('notifications are counted, with their lateness and their outcome on each channel', async (t) => {
  const { client, clock, recorder, url } = await startTestApp(t)
  const secret = 'a title that nobody may read here'
  await client.createTask({ title: secret, expiry_dt: '2026-12-01T10:00:00Z', key: 'secret-key', tags: ['secret-tag'] })
  await client.createTask({ title: secret, expiry_dt: '2026-12-01T09:05:00Z' })
  await clock.advance(0)
  let values = await scrape(url)
  assert.equal(sum(values, 'duebell_notifications_total', 'kind="expiring"', 'timing="immediate"'), 1)
  assert.equal(sum(values, 'duebell_notification_lateness_seconds_bucket', 'le="0.001"'), 1, 'it could not ring before')

  recorder.answer = () => ({ retry: true, reason: 'not now' })
  await clock.advanceTo('2026-12-01T09:45:00Z')
  values = await scrape(url)
  assert.equal(sum(values, 'duebell_notifications_total', 'timing="on_time"'), 1)
  assert.equal(sum(values, 'duebell_delivery_results_total', 'kind="recording"', 'result="retried"'), 1)
  assert.equal(sum(values, 'duebell_deliveries_pending', 'kind="recording"'), 1)
  assert.equal(sum(values, 'duebell_deliveries_pending', 'kind="console"'), 0)

  recorder.answer = () => undefined
  await clock.advance(10_000)
  values = await scrape(url)
  assert.equal(sum(values, 'duebell_delivery_results_total', 'kind="recording"', 'result="sent"'), 2)
  assert.equal(sum(values, 'duebell_delivery_results_total', 'kind="console"', 'result="sent"'), 2)
  assert.equal(sum(values, 'duebell_delivery_lateness_seconds_count', 'kind="recording"'), 2)
  assert.equal(sum(values, 'duebell_delivery_lateness_seconds_bucket', 'kind="recording"', 'le="2.5"'), 1)
  assert.equal(sum(values, 'duebell_delivery_lateness_seconds_bucket', 'kind="recording"', 'le="10"'), 2)
  assert.equal(sum(values, 'duebell_delivery_attempt_duration_seconds_count', 'kind="recording"'), 3)
  assert.ok(
    sum(values, 'duebell_database_writes_total') >= sum(values, 'duebell_database_transaction_duration_seconds_count'),
  )
  for (const word of [secret, 'secret-key', 'secret-tag']) assert.ok(![...values.keys()].join().includes(word), word)
})

test('failed and cancelled deliveries are counted; failed ones until they are retried', async (t) => {
  const { client, clock, recorder, url } = await startTestApp(t)
  recorder.answer = () => ({ retry: false, reason: 'never' })
  await client.createTask({ title: 'Dead', expiry_dt: '2026-12-01T10:00:00Z' })
  await clock.advanceTo('2026-12-01T09:45:00Z')
  recorder.answer = () => ({ retry: true, reason: 'not now' })
  const { id } = await client.createTask({ title: 'Dropped', expiry_dt: '2026-12-01T09:50:00Z' })
  await clock.advance(0)
  await client.deleteTask(id)
  await clock.advance(10_000)
  let values = await scrape(url)
  assert.equal(
    sum(values, 'duebell_delivery_results_total', 'kind="recording"', 'result="failed"'),
    2,
    'and that of the task which says so',
  )
  assert.equal(sum(values, 'duebell_delivery_results_total', 'kind="recording"', 'result="cancelled"'), 1)
  assert.equal(sum(values, 'duebell_deliveries_failed', 'kind="recording"'), 2)
  assert.equal(sum(values, 'duebell_deliveries_failed', 'kind="console"'), 0)

  recorder.answer = () => undefined
  await client.retryNotification(1)
  await client.retryNotification(2)
  await clock.advance(10_000)
  values = await scrape(url)
  assert.equal(sum(values, 'duebell_deliveries_failed'), 0)
})

test('requests are counted by route, never by their actual path', async (t) => {
  const { client, url } = await startTestApp(t)
  await client.createTask({ title: 'One', key: 'a/secret' })
  for (const path of [
    '/v1/tasks/1',
    '/v1/tasks/1',
    '/v1/tasks/99',
    '/v1/tasks/by-key/a%2Fsecret',
    '/secret-path?x=secret',
  ])
    await (await fetch(url + path)).text()
  await (await fetch(`${url}/v1/tasks/1`, { method: 'OPTIONS' })).text()
  await scrape(url)
  const values = await scrape(url)
  const count = (...labels: string[]) => sum(values, 'duebell_http_request_duration_seconds_count', ...labels)
  assert.equal(count('route="/v1/tasks/:id"', 'method="GET"', 'status="2xx"'), 2)
  assert.equal(count('route="/v1/tasks/:id"', 'method="GET"', 'status="4xx"'), 1)
  assert.equal(count('route="/v1/tasks/:id"', 'method="OPTIONS"', 'status="4xx"'), 1)
  assert.equal(count('route="none"', 'status="4xx"'), 1)
  assert.equal(count('route="/metrics"'), 1)
  assert.ok(![...values.keys()].join().includes('secret'))
})

test('the database is queried at most once in five seconds, and is reported as down when it is', async (t) => {
  let isAway = false
  let reads = 0
  const { clock, url } = await startTestApp(t, {
    wrapDatabase: (dialect) =>
      wrapConnections(dialect, async (_, run) => {
        reads++
        if (isAway) throw new Error('away')
        return run()
      }),
  })
  assert.equal(sum(await scrape(url), 'duebell_database_up'), 1)
  const before = reads
  await scrape(url)
  assert.equal(reads, before)
  isAway = true
  clock.whenIdle = async () => {}
  await clock.advance(6_000)
  const values = await scrape(url)
  isAway = false
  assert.equal(sum(values, 'duebell_database_up'), 0)
  assert.ok(
    ![...values.keys()].some((key) => key.startsWith('duebell_oldest_overdue')),
    'what is not known is not said',
  )
  assert.ok(values.has('process_resident_memory_bytes'))
})
