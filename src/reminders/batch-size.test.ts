import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPace } from './batch-size.ts'

test('the bell does less at once while requests come, and until 100 ms after the last', () => {
  let now = 0
  const pace = createPace(() => now)
  assert.equal(pace.mostAtOnce(), 1_000, 'nobody has asked yet')
  now = 5_000
  pace.asked()
  assert.equal(pace.mostAtOnce(), 100)
  now += 60
  pace.asked()
  now += 99
  assert.equal(pace.mostAtOnce(), 100)
  now += 1
  assert.equal(pace.mostAtOnce(), 1_000)
})
