import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSealedCookie } from './sealed-cookie.ts'

const sealer = createSealedCookie('the key of all replicas', 'test')

test('what is sealed comes back, on every replica', () => {
  for (const text of ['', 'état 🔔', 'a'.repeat(3_000)]) {
    const sealed = sealer.seal(text)
    assert.match(sealed, /^[\w-]+$/)
    assert.equal(createSealedCookie('the key of all replicas', 'test').unseal(sealed), text)
  }
})

test('nobody else can read it, and the same text never looks the same', () => {
  const [one, other] = [sealer.seal('verifier'), sealer.seal('verifier')]
  assert.notEqual(one, other)
  assert.ok(!Buffer.from(one, 'base64url').includes('verifier'))
})

test('a change of any byte is noticed, and so is another key or purpose', () => {
  const bytes = Buffer.from(sealer.seal('verifier'), 'base64url')
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes)
    changed[i] = (changed[i] as number) ^ 1
    assert.equal(sealer.unseal(changed.toString('base64url')), null, `byte ${i}`)
  }
  for (const text of ['', 'x', 'not base64 at all!', bytes.subarray(0, -1).toString('base64url')])
    assert.equal(sealer.unseal(text), null, text)
  assert.equal(createSealedCookie('another key', 'test').unseal(bytes.toString('base64url')), null)
  assert.equal(createSealedCookie('the key of all replicas', 'other').unseal(bytes.toString('base64url')), null)
})
