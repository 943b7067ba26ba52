import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBatchSize } from './batch-size.ts'

test('the bell does less at once while requests come, and until 100 ms after the last', () => {
  let now = 0
  const batchSize = createBatchSize(() => now)
  assert.equal(batchSize.maxConcurrent(), 1_000, 'nobody has asked yet')
  now = 5_000
  batchSize.asked()
  assert.equal(batchSize.maxConcurrent(), 100)
  now += 60
  batchSize.asked()
  now += 99
  assert.equal(batchSize.maxConcurrent(), 100)
  now += 1
  assert.equal(batchSize.maxConcurrent(), 1_000)
})
