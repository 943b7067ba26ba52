import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { createControlClient } from './control-client.ts'

test('a control socket that cannot be opened is an error with a reason; one that is missing means that no server runs', async () => {
  const missing = createControlClient(join(import.meta.dirname, 'missing.sock'))
  assert.equal(await missing('GET', '/v1/health'), undefined)
  const send = createControlClient(join(import.meta.filename, 'control.sock'))
  await assert.rejects(send('GET', '/v1/health'), {
    name: 'Problem',
    kind: 'unavailable',
    message: 'The server cannot be reached: ENOTDIR.',
  })
})
