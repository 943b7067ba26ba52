import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLimiter } from './gcra.ts'

/** Returns how many requests are allowed at one instant, at most a thousand. */
function allowedAt(limiter: ReturnType<typeof createLimiter>, key: string, now: number): number {
  for (let count = 0; count < 1_000; count++) if (!limiter.take(key, now).isAllowed) return count
  return Number.POSITIVE_INFINITY
}

test('a quota may be used all at once, and fills again evenly', () => {
  const limiter = createLimiter({ quota: 60, windowMs: 60_000 })
  assert.equal(allowedAt(limiter, 'a', 0), 60)
  assert.equal(allowedAt(limiter, 'a', 999), 0)
  assert.equal(allowedAt(limiter, 'a', 1_000), 1)
  assert.equal(allowedAt(limiter, 'a', 11_000), 10)
  assert.equal(allowedAt(limiter, 'a', 1_000_000), 60, 'it never exceeds the quota')
})

test('a caller that keeps to the quota in every window is never rejected, however its requests are spread', () => {
  for (const quota of [1, 3, 7, 10, 6_000]) {
    const limiter = createLimiter({ quota, windowMs: 60_000 })
    for (let window = 0; window < 5; window++)
      for (let i = 0; i < quota; i++)
        assert.ok(limiter.take('a', window * 60_000).isAllowed, `${i + 1} of ${quota} in window ${window + 1}`)
    const even = createLimiter({ quota, windowMs: 60_000 })
    for (let i = 0; i < 5 * quota; i++)
      assert.ok(even.take('a', (i * 60_000) / quota).isAllowed, `${i + 1}, evenly, ${quota} a minute`)
  }
})

test('no period allows more than a full quota and its refill', () => {
  const limiter = createLimiter({ quota: 60, windowMs: 60_000 })
  let allowed = 0
  for (let now = 0; now < 180_000; now += 10) if (limiter.take('a', now).isAllowed) allowed++
  assert.equal(allowed, 60 + 179)
})

test('a verdict has what is left, when the quota is full again, and when to retry', () => {
  const limiter = createLimiter({ quota: 10, windowMs: 10_000 })
  assert.deepEqual(limiter.take('a', 0), { isAllowed: true, remaining: 9, resetMs: 1_000, retryAfterMs: 0 })
  for (let i = 0; i < 7; i++) limiter.take('a', 500)
  assert.deepEqual(limiter.take('a', 500), { isAllowed: true, remaining: 1, resetMs: 8_500, retryAfterMs: 0 })
  assert.deepEqual(limiter.take('a', 500), { isAllowed: true, remaining: 0, resetMs: 9_500, retryAfterMs: 0 })
  assert.deepEqual(limiter.take('a', 500), { isAllowed: false, remaining: 0, resetMs: 9_500, retryAfterMs: 500 })
  assert.ok(!limiter.take('a', 999).isAllowed)
  assert.deepEqual(limiter.take('a', 1_000), { isAllowed: true, remaining: 0, resetMs: 10_000, retryAfterMs: 0 })
})

test('a rejection costs nothing: a caller that asks in a loop gets as much as a patient one', () => {
  const limiter = createLimiter({ quota: 10, windowMs: 10_000 })
  for (const key of ['patient', 'greedy']) assert.equal(allowedAt(limiter, key, 0), 10)
  for (let now = 0; now < 1_000; now++) assert.ok(!limiter.take('greedy', now).isAllowed)
  for (const key of ['patient', 'greedy']) assert.ok(limiter.take(key, 1_000).isAllowed)
})

test('peek takes nothing, and a take can be given back', () => {
  const limiter = createLimiter({ quota: 2, windowMs: 2_000 })
  for (let i = 0; i < 5; i++) assert.equal(limiter.peek('a', 0).remaining, 1)
  assert.equal(allowedAt(limiter, 'a', 0), 2)
  assert.ok(!limiter.peek('a', 0).isAllowed)
  limiter.giveBack('a')
  assert.ok(limiter.peek('a', 0).isAllowed)
  assert.equal(allowedAt(limiter, 'a', 0), 1)
  limiter.giveBack('unknown')
  assert.equal(allowedAt(limiter, 'unknown', 0), 2)
})

test('keys are independent', () => {
  const limiter = createLimiter({ quota: 3, windowMs: 3_000 })
  for (const key of ['a', 'b', '', '__proto__', 'a ']) assert.equal(allowedAt(limiter, key, 0), 3, key)
})

test('memory holds the keys of two windows', () => {
  const limiter = createLimiter({ quota: 10, windowMs: 1_000, maxKeys: 1_000 })
  for (let i = 0; i < 100_000; i++) limiter.take(`key ${i}`, i * 10)
  assert.ok(limiter.size <= 200, `${limiter.size} keys are in memory, and a window has 100`)
})

test('a key keeps its level for as long as that is not full, however many windows pass meanwhile', () => {
  for (const offset of [0, 1, 500, 999]) {
    const limiter = createLimiter({ quota: 10, windowMs: 1_000 })
    limiter.take('first', 0)
    assert.equal(allowedAt(limiter, 'a', offset), 10)
    for (let now = offset + 1; now < offset + 1_000; now++) {
      limiter.take('other', now)
      const { remaining } = limiter.peek('a', now)
      const expected = Math.max(0, Math.floor((now - offset) / 100) - 1)
      assert.equal(remaining, expected, `${now - offset} ms later`)
    }
  }
})

test('the number of keys in memory has a maximum', () => {
  const limiter = createLimiter({ quota: 10, windowMs: 1_000, maxKeys: 100 })
  for (let i = 0; i < 10_000; i++) {
    limiter.take(`key ${i}`, i / 1_000)
    assert.ok(limiter.size <= 100, `${limiter.size} after ${i + 1} keys`)
  }
})

test('a limited key that goes on asking stays limited, however many others ask', () => {
  const limiter = createLimiter({ quota: 10, windowMs: 1_000_000, maxKeys: 100 })
  assert.equal(allowedAt(limiter, 'limited', 0), 10)
  for (let i = 0; i < 500; i++) {
    limiter.take(`key ${i}`, i)
    assert.ok(!limiter.take('limited', i).isAllowed, `after ${i + 1} others`)
  }
})

test('a limited key stays limited while at most half as many others ask as fit in memory', () => {
  const limiter = createLimiter({ quota: 10, windowMs: 1_000_000, maxKeys: 100 })
  for (let before = 0; before < 100; before++) {
    limiter.take(`before ${before}`, 0)
    const limited = `limited ${before}`
    assert.equal(allowedAt(limiter, limited, 0), 10)
    for (let i = 0; i < 49; i++) limiter.take(`${before} ${i}`, 0)
    assert.ok(!limiter.peek(limited, 0).isAllowed, limited)
  }
})

test('no flood of limited keys limits a new key', () => {
  const limiter = createLimiter({ quota: 5, windowMs: 50_000, maxKeys: 20 })
  for (let i = 0; i < 100; i++) assert.equal(allowedAt(limiter, `key ${i}`, 0), 5)
  for (let i = 0; i < 100; i++) assert.equal(allowedAt(limiter, `newcomer ${i}`, 0), 5)
})

test('the limit of each key is kept, in whatever order requests arrive', () => {
  // Half as many keys as fit in memory: each count must be exact.
  const limiter = createLimiter({ quota: 20, windowMs: 20_000, maxKeys: 100 })
  const allowed = new Map<string, number>()
  let seed = 1
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  for (let i = 0; i < 20_000; i++) {
    const key = `key ${random(50)}`
    if (limiter.take(key, i).isAllowed) allowed.set(key, (allowed.get(key) ?? 0) + 1)
  }
  for (const [key, count] of allowed) assert.ok(count >= 38 && count <= 40, `${key} was allowed ${count} in 20 s`)
  assert.equal(allowed.size, 50)
})
