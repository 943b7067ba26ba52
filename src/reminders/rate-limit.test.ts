import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maxHoldMs } from '#core/delivery.ts'
import { createRateLimit } from './rate-limit.ts'

const limited = { retry: true, reason: '429 Too Many Requests', status: 429, afterMs: 10_000 } as const
const concurrency = 32
const at = (startedAt: number, endedAt = startedAt) => ({ startedAt, endedAt, chance: 0.5 })

test('without a rate limit, as many attempts as the channel kind allows may be in flight', () => {
  const rateLimit = createRateLimit()
  rateLimit.record('sent', at(0))
  rateLimit.record({ retry: true, reason: '503', status: 503, afterMs: 10_000 }, at(1))
  assert.equal(rateLimit.allowed(concurrency), concurrency)
  assert.ok(rateLimit.heldUntil(1) < 1)
})

test('attempts that were in flight together count as one rate limit', () => {
  const rateLimit = createRateLimit()
  const untils = Array.from({ length: 10 }, () => rateLimit.record({ ...limited, afterMs: 1_000 }, at(0, 5)))
  assert.deepEqual([untils[0], new Set(untils.slice(1))], [1_005, new Set([undefined])])
  assert.equal(rateLimit.record(limited, at(0, 6)), 10_006, 'the longest wait counts')
})

test('after a hold one attempt is allowed, and one more for each ten accepted messages', () => {
  const rateLimit = createRateLimit()
  rateLimit.record(limited, at(0))
  rateLimit.record('sent', at(0))
  assert.equal(rateLimit.allowed(concurrency), 1)
  const allowed = []
  for (let i = 0; i < 310; i++) {
    rateLimit.record('sent', at(10_000 + i))
    if (i % 10 === 9) allowed.push(rateLimit.allowed(concurrency))
  }
  assert.deepEqual(
    allowed,
    Array.from({ length: 31 }, (_, i) => i + 2),
  )
})

test('the stored hold of another process counts, unless it is impossible', () => {
  const rateLimit = createRateLimit()
  for (const nonsense of [-1, 0, 1, 2 + maxHoldMs, Number.MAX_SAFE_INTEGER]) rateLimit.holdUntil(nonsense, 1)
  assert.deepEqual([rateLimit.heldUntil(1) > 1, rateLimit.allowed(concurrency)], [false, concurrency])
  rateLimit.holdUntil(5_000, 1)
  assert.deepEqual([rateLimit.heldUntil(1), rateLimit.allowed(concurrency)], [5_000, 1])
})

test('a clock that is set back prolongs no hold beyond an hour', () => {
  const rateLimit = createRateLimit()
  rateLimit.record(limited, at(1_000_000_000))
  assert.equal(rateLimit.heldUntil(0), maxHoldMs)
  assert.ok(rateLimit.heldUntil(maxHoldMs) <= maxHoldMs, 'and it ends')
})
