import assert from 'node:assert/strict'
import { createECDH } from 'node:crypto'
import { test } from 'node:test'
import { makeVapidKeys } from './vapid.ts'

test('the public key is the uncompressed point of the private key', () => {
  const { publicKey, privateKey } = makeVapidKeys()
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(privateKey, 'base64url')
  assert.equal(curve.getPublicKey('base64url', 'uncompressed'), publicKey)
  assert.equal(Buffer.from(publicKey, 'base64url').length, 65)
})
