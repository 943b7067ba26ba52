import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { withRunningServer } from './running-server.ts'

test('a control socket that cannot be opened is an error with a reason; one that is missing means that no server runs', async () => {
  const askHealth = (...path: string[]) => withRunningServer(join(...path), (connect) => connect().getHealth())
  assert.equal(await askHealth(import.meta.dirname, 'missing.sock'), undefined)
  await assert.rejects(askHealth(import.meta.filename, 'control.sock'), {
    name: 'Problem',
    kind: 'unavailable',
    message: 'The server cannot be reached: ENOTDIR.',
  })
})
