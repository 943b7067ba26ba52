import assert from 'node:assert/strict'
import { argon2Sync } from 'node:crypto'
import { test } from 'node:test'
import { hashPassword, isPassword } from './passwords.ts'

test('only the right password matches', async () => {
  const stored = await hashPassword('correct horse battery staple')
  assert.match(stored, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  assert.ok(await isPassword('correct horse battery staple', stored))
  for (const other of ['correct horse battery stapl', 'Correct horse battery staple', '', ' '])
    assert.equal(await isPassword(other, stored), false, other)
})

test('the same password is hashed differently each time, so that equal passwords are not visible', async () => {
  assert.notEqual(await hashPassword('the same password'), await hashPassword('the same password'))
})

test('an umlaut is one character, however a keyboard composes it', async () => {
  assert.ok(await isPassword('pru\u0308fung 2026', await hashPassword('prüfung 2026')))
})

test('without a stored password nothing matches, and the check takes a computation all the same', async () => {
  for (const guess of ['', 'password', 'null']) assert.equal(await isPassword(guess, null), false)
})

test('a hash with other costs still matches', async () => {
  const stored = '$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHQ$'
  const known = hashOf('password', 'somesalt', { memory: 1024, passes: 2, parallelism: 1 }, 24)
  assert.ok(await isPassword('password', stored + known))
  assert.equal(await isPassword('Password', stored + known), false)
})

function hashOf(
  message: string,
  salt: string,
  cost: { memory: number; passes: number; parallelism: number },
  tagLength: number,
): string {
  const nonce = Buffer.from(salt)
  const hash = argon2Sync('argon2id', { message, nonce, tagLength, ...cost })
  return hash.toString('base64').replace(/=+$/, '')
}

test('twenty concurrent checks are queued, and all are correct', async () => {
  const stored = await hashPassword('correct horse battery staple')
  const guesses = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'correct horse battery staple' : `guess ${i}`))
  assert.deepEqual(
    await Promise.all(guesses.map((guess) => isPassword(guess, stored))),
    guesses.map((_, i) => i % 2 === 0),
  )
})
