import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCookieCipher } from './encrypted-cookie.ts'

const cipher = createCookieCipher('the key of all replicas', 'test')

test('every replica decrypts a text', async () => {
  for (const text of ['', 'état 🔔', 'a'.repeat(3_000)]) {
    const encrypted = await cipher.encrypt(text)
    assert.match(encrypted, /^[\w.-]+$/)
    assert.equal(await createCookieCipher('the key of all replicas', 'test').decrypt(encrypted), text)
  }
})

test('the text is unreadable without the key, and never encrypts to the same bytes', async () => {
  const [one, other] = [await cipher.encrypt('verifier'), await cipher.encrypt('verifier')]
  assert.notEqual(one, other)
  for (const part of one.split('.')) assert.ok(!Buffer.from(part, 'base64url').includes('verifier'))
  const [header = ''] = one.split('.')
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), { alg: 'dir', enc: 'A256GCM' })
})

test('a change of any byte, another key and another purpose are rejected', async () => {
  const encrypted = await cipher.encrypt('verifier')
  const parts = encrypted.split('.')
  assert.equal(parts.length, 5)
  for (const [i, part] of parts.entries()) {
    const bytes = Buffer.from(part, 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] as number) ^ 1
      const text = parts.with(i, changed.toString('base64url')).join('.')
      assert.equal(await cipher.decrypt(text), null, `byte ${at} of part ${i}`)
    }
    assert.equal(await cipher.decrypt(parts.with(i, `${part}AAAA`).join('.')), null, `more in part ${i}`)
    if (part !== '')
      assert.equal(await cipher.decrypt(parts.with(i, part.slice(0, -4)).join('.')), null, `less in part ${i}`)
  }
  for (const text of ['', 'x', '....', 'not base64 at all!', encrypted.slice(0, -2), parts.slice(1).join('.')])
    assert.equal(await cipher.decrypt(text), null, text)
  assert.equal(await createCookieCipher('another key', 'test').decrypt(encrypted), null)
  assert.equal(await createCookieCipher('the key of all replicas', 'other').decrypt(encrypted), null)
})

test('a text in another algorithm is rejected, though its key is ours', async () => {
  const { CompactEncrypt } = await import('jose')
  const { hkdfSync } = await import('node:crypto')
  const key = new Uint8Array(hkdfSync('sha256', 'the key of all replicas', '', 'test', 32))
  const encryptAs = (header: { alg: string; enc: string }) =>
    new CompactEncrypt(Buffer.from('verifier')).setProtectedHeader(header).encrypt(key)
  assert.equal(await cipher.decrypt(await encryptAs({ alg: 'dir', enc: 'A256GCM' })), 'verifier')
  for (const header of [
    { alg: 'dir', enc: 'A128CBC-HS256' },
    { alg: 'A256KW', enc: 'A256GCM' },
    { alg: 'A256GCMKW', enc: 'A256GCM' },
  ])
    assert.equal(await cipher.decrypt(await encryptAs(header)), null, JSON.stringify(header))
})
