import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maxMs, tries, waitBeforeRetry } from './retry.ts'

const first = { attempt: 1, elapsedMs: 0, failure: { status: 503 }, isRepeatable: true, random: 0, tries }

test('every response is final, except the statuses of temporary errors', () => {
  const statuses = [
    200, 304, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 422, 425, 429, 500, 501, 502, 503, 504,
  ]
  const again = statuses.filter((status) => waitBeforeRetry({ ...first, failure: { status } }) !== undefined)
  assert.deepEqual(again, [429, 502, 503, 504])
})

test('a request that may have succeeded is repeated only if it is idempotent', () => {
  for (const failure of [{}, { status: 502 }, { status: 504 }]) {
    assert.ok(waitBeforeRetry({ ...first, failure }) !== undefined)
    assert.equal(waitBeforeRetry({ ...first, failure, isRepeatable: false }), undefined)
  }
  for (const failure of [{ status: 429 }, { status: 503 }])
    assert.ok(waitBeforeRetry({ ...first, failure, isRepeatable: false }) !== undefined)
})

test('the waits double, with a jitter of a half, and end with the last attempt', () => {
  const waits = (random: number) => [1, 2, 3, 4].map((attempt) => waitBeforeRetry({ ...first, attempt, random }))
  assert.deepEqual(waits(0), [200, 400, 800, undefined])
  assert.deepEqual(waits(1), [100, 200, 400, undefined])
  assert.equal(waitBeforeRetry({ ...first, tries: 1 }), undefined)
})

test('the longer of Retry-After and back-off counts, if time is left', () => {
  const wait = (retryAfterMs: number, elapsedMs = 0) =>
    waitBeforeRetry({ ...first, elapsedMs, failure: { status: 503, retryAfterMs } })
  assert.equal(wait(5_000), 5_000)
  assert.equal(wait(0), 200)
  assert.equal(wait(maxMs), maxMs)
  assert.equal(wait(maxMs + 1), undefined)
  assert.equal(wait(5_000, maxMs - 4_999), undefined)
  assert.equal(wait(0, maxMs), undefined)
})
