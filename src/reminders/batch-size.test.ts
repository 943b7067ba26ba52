import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBatchSize } from './batch-size.ts'

test('batches shrink while requests come, and until 100 ms after the last', () => {
  let now = 0
  const batchSize = createBatchSize(() => now)
  assert.equal(batchSize.current(), 1_000, 'no request has come yet')
  now = 5_000
  batchSize.noteRequest()
  assert.equal(batchSize.current(), 100)
  now += 60
  batchSize.noteRequest()
  now += 99
  assert.equal(batchSize.current(), 100)
  now += 1
  assert.equal(batchSize.current(), 1_000)
})
