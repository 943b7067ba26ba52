import assert from 'node:assert/strict'
import { test } from 'node:test'
import { afterAttempt, backoffMs } from './delivery.ts'

const now = 1_000_000
const failed = { retry: true, reason: '503 Service Unavailable' } as const

test('accepted is the end of it', () => {
  assert.deepEqual(afterAttempt(1, 'sent', now, 0.5), { state: 'sent', nextAt: null, error: null })
})

test('what fails for now comes back after the back-off, 20 % more or less', () => {
  for (const [i, wait] of backoffMs.entries()) {
    const nextAt = (random: number) => (afterAttempt(i + 1, failed, now, random).nextAt as number) - now
    assert.equal(nextAt(0.5), wait)
    assert.equal(nextAt(0), wait * 0.8)
    assert.ok(nextAt(0.999999) <= wait * 1.2)
  }
})

test('after about a day it is dead, and says why', () => {
  const dead = afterAttempt(backoffMs.length + 1, failed, now, 0.5)
  assert.deepEqual(dead, { state: 'dead', nextAt: null, error: '503 Service Unavailable' })
  const hours = backoffMs.reduce((sum, ms) => sum + ms, 0) / 3_600_000
  assert.ok(hours > 23 && hours < 25, `${hours} h`)
})

test('what was refused for good is dead at once', () => {
  assert.equal(afterAttempt(1, { retry: false, reason: '410 Gone' }, now, 0.5).state, 'dead')
})

test('a Retry-After counts, between a second and a day', () => {
  const nextAt = (afterMs: number) => (afterAttempt(1, { ...failed, afterMs }, now, 0.5).nextAt as number) - now
  assert.deepEqual([nextAt(0), nextAt(90_000), nextAt(1e12)], [1_000, 90_000, 86_400_000])
})

test('a reason is cut, so that a receiver cannot fill the database', () => {
  assert.equal(afterAttempt(1, { retry: true, reason: 'x'.repeat(10_000) }, now, 0.5).error?.length, 500)
})
