import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sleep } from './sleep.ts'

test('a wait ends at once when its signal aborts, before or during it', async (t) => {
  const { mock } = t.mock.method(globalThis, 'setTimeout')
  await sleep(3_600_000, AbortSignal.abort())
  assert.equal(mock.callCount(), 0)
  const stopping = new AbortController()
  const slept = sleep(3_600_000, stopping.signal)
  stopping.abort()
  await slept
})
