import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCookieCipher } from './encrypted-cookie.ts'

const cipher = createCookieCipher('the key of all replicas', 'test')

test('every replica decrypts a text', () => {
  for (const text of ['', 'état 🔔', 'a'.repeat(3_000)]) {
    const encrypted = cipher.encrypt(text)
    assert.match(encrypted, /^[\w-]+$/)
    assert.equal(createCookieCipher('the key of all replicas', 'test').decrypt(encrypted), text)
  }
})

test('the text is unreadable without the key, and never encrypts to the same bytes', () => {
  const [one, other] = [cipher.encrypt('verifier'), cipher.encrypt('verifier')]
  assert.notEqual(one, other)
  assert.ok(!Buffer.from(one, 'base64url').includes('verifier'))
})

test('a change of any byte, another key and another purpose are rejected', () => {
  const bytes = Buffer.from(cipher.encrypt('verifier'), 'base64url')
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes)
    changed[i] = (changed[i] as number) ^ 1
    assert.equal(cipher.decrypt(changed.toString('base64url')), null, `byte ${i}`)
  }
  for (const text of ['', 'x', 'not base64 at all!', bytes.subarray(0, -1).toString('base64url')])
    assert.equal(cipher.decrypt(text), null, text)
  assert.equal(createCookieCipher('another key', 'test').decrypt(bytes.toString('base64url')), null)
  assert.equal(createCookieCipher('the key of all replicas', 'other').decrypt(bytes.toString('base64url')), null)
})
