import assert from 'node:assert/strict'
import { test } from 'node:test'
import { afterAttempt, assumeTryingSince, backoffMs, giveUpMs, holdMs, isRateLimit, maxHoldMs } from './delivery.ts'

const now = 1_000_000
const unavailable = { retry: true, reason: '503 Service Unavailable' } as const
const limited = { retry: true, reason: '429 Too Many Requests', status: 429 } as const
const at = (attempt: number, tryingSinceAt = now) => ({ attempt, tryingSinceAt })

test('a success is final', () => {
  assert.deepEqual(afterAttempt(at(1), 'sent', now, 0.5), { state: 'sent', nextAt: null, error: null })
})

test('a failed attempt is retried after the back-off, 20 % more or less; the last back-off repeats', () => {
  for (const [i, wait] of [...backoffMs, backoffMs.at(-1) as number].entries()) {
    const nextAt = (random: number) => (afterAttempt(at(i + 1), unavailable, now, random).nextAt as number) - now
    assert.equal(nextAt(0.5), wait)
    assert.equal(nextAt(0), wait * 0.8)
    assert.ok(nextAt(0.999999) <= wait * 1.2)
  }
})

test('a delivery fails when an attempt fails a day after the first, however many there were, and says why', () => {
  const failed = { state: 'failed', nextAt: null, error: '503 Service Unavailable' } as const
  assert.deepEqual(afterAttempt(at(2, now - giveUpMs), unavailable, now, 0.5), failed)
  assert.equal(afterAttempt(at(1_000, now - giveUpMs + 1), unavailable, now, 0.5).state, 'pending')
})

test('the last attempt is made when the day is over', () => {
  const last = afterAttempt(at(10, now - giveUpMs + 3_600_000), unavailable, now, 0.5)
  assert.deepEqual([last.state, last.nextAt], ['pending', now + 3_600_000])
  const atLeast = afterAttempt(at(10, now - giveUpMs + 1), unavailable, now, 0.5)
  assert.equal(atLeast.nextAt, now + 1_000, 'no two attempts within a second')
})

test('a permanent refusal fails at once', () => {
  assert.equal(afterAttempt(at(1), { retry: false, reason: '410 Gone' }, now, 0.5).state, 'failed')
})

test('the longer of Retry-After and back-off counts, up to a day', () => {
  const wait = (afterMs: number, attempt = 1) =>
    (afterAttempt(at(attempt), { ...unavailable, afterMs }, now, 0.5).nextAt as number) - now
  assert.deepEqual([wait(0), wait(1_000), wait(90_000), wait(1e12)], [5_000, 5_000, 90_000, 86_400_000])
  assert.deepEqual([wait(90_000, 3), wait(90_000, 2)], [120_000, 90_000])
  for (const garbage of [Number.NaN, -1, Number.NEGATIVE_INFINITY]) assert.equal(wait(garbage), 5_000)
  assert.equal(wait(Number.POSITIVE_INFINITY), 86_400_000)
})

test('a reason is truncated, so that a receiver cannot fill the database', () => {
  const long = { retry: true, reason: 'x'.repeat(10_000) } as const
  assert.equal(afterAttempt(at(1), long, now, 0.5).error?.length, 500)
})

test('a delivery of a former version has been tried for as long as its back-offs took', () => {
  const hourMs = 3_600_000
  assert.equal(assumeTryingSince(1, now), now)
  assert.equal(assumeTryingSince(3, now), now - 35_000)
  const elevenMs = now - assumeTryingSince(11, now)
  assert.ok(elevenMs > 23 * hourMs && elevenMs < 24 * hourMs, `${elevenMs} ms`)
  assert.equal(assumeTryingSince(1_000_000, now), now - giveUpMs)
})

test('a rate limit is the status 429 of HTTP (RFC 6585 section 4), or what a protocol says instead', () => {
  assert.ok(isRateLimit(limited))
  assert.ok(isRateLimit({ retry: true, reason: '450 4.7.28', isRateLimited: true }))
  assert.ok(!isRateLimit({ ...unavailable, status: 503, afterMs: 1_000 }))
  assert.ok(!isRateLimit({ retry: false, reason: '429', status: 429 }), 'refused for good')
  assert.ok(!isRateLimit('sent'))
})

test('a rate limit holds a channel for as long as it asks, from a second to an hour', () => {
  const hold = (afterMs: number) => holdMs({ ...limited, afterMs }, 1, 0.5)
  assert.deepEqual([hold(-5), hold(0), hold(1_000), hold(90_000), hold(1e12)], [1_000, 1_000, 1_000, 90_000, maxHoldMs])
  assert.equal(hold(Number.NaN), 5_000, 'garbage asks for nothing: the back-off')
})

test('a rate limit that names no time holds a channel for its back-off; so does one that comes again and again', () => {
  const holds = (afterMs?: number) =>
    [1, 2, 3, 4, 100].map((count) => holdMs(afterMs === undefined ? limited : { ...limited, afterMs }, count, 0.5))
  assert.deepEqual(holds(), [5_000, 30_000, 120_000, 600_000, maxHoldMs])
  assert.deepEqual(holds(1_000), [1_000, 5_000, 30_000, 120_000, maxHoldMs])
})
