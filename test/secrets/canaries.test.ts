import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCanaries } from './canaries.ts'

/** Checks that planted secrets are found: otherwise test/secrets/leaks.test.ts would prove nothing. */

const disguises: Record<string, (secret: string) => string> = {
  'as it is': (secret) => secret,
  'within a line of the log': (secret) => `{"level":50,"err":{"message":"refused: ${secret}"}}`,
  'as JSON in JSON': (secret) => JSON.stringify({ body: JSON.stringify({ secret }) }),
  'in a path': (secret) => `/a/${encodeURIComponent(secret)}?x=1`,
  'in a query': (secret) => `?${new URLSearchParams({ token: secret })}`,
  'with every byte encoded': (secret) =>
    [...Buffer.from(secret)].map((byte) => `%${byte.toString(16).toUpperCase()}`).join(''),
  'in HTML': (secret) => `<p>${secret.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)}</p>`,
  'in capitals': (secret) => secret.toUpperCase(),
  'as hex': (secret) => Buffer.from(secret).toString('hex'),
  'as hex in capitals': (secret) => Buffer.from(secret).toString('hex').toUpperCase(),
  'cut at its end': (secret) => secret.slice(0, -6),
  'cut at its beginning': (secret) => `…${secret.slice(6)}`,
}
for (const encoding of ['base64', 'base64url'] as const)
  for (const before of ['', 'u', 'me', 'user:', 'a longer name:'])
    for (const after of ['', '@', '==', '@db.example.org/x'])
      disguises[`between «${before}» and «${after}» as ${encoding}`] = (secret) =>
        `Basic ${Buffer.from(before + secret + after).toString(encoding)}`

const shapes: Record<string, (mark: string) => string> = {
  plain: (mark) => mark,
  'of odd characters': (mark) => `p@ss/"ü\\%:${mark}&<>+=`,
  'of a signature': (mark) => `whsec_${mark}AAAAAAAAAAAA`,
}

for (const [shape, make] of Object.entries(shapes))
  test(`a secret ${shape} is found in every encoding, and reported by its name`, () => {
    const canaries = createCanaries()
    canaries.make('another')
    const secret = canaries.make('the password', make)
    for (const [name, disguise] of Object.entries(disguises)) {
      const text = `before ${disguise(secret)} after`
      const names = new Set(canaries.findIn(text).map((find) => find.name))
      assert.deepEqual([...names], ['the password'], `${name}: ${text}`)
    }
  })

test('a secret that another program made is found as well', () => {
  const canaries = createCanaries()
  const token = canaries.add('a token', 'dbl_0aZ9xYw8vUt7sRq6pOn5mLk4jIh3gFe2dCb1aZ0yXw9vUt8sR')
  for (const [name, disguise] of Object.entries(disguises))
    assert.notEqual(canaries.findIn(`before ${disguise(token)} after`).length, 0, name)
})

test('without a secret nothing is found: neither another secret, nor the beginning of one', () => {
  const canaries = createCanaries()
  const token = canaries.add('a token', 'dbl_0aZ9xYw8vUt7sRq6pOn5mLk4jIh3gFe2dCb1aZ0yXw9vUt8sR')
  const others = [createCanaries().make('x'), 'dbl_', 'password', token.slice(0, 9), '{"token":"********"}', '']
  for (const text of others) assert.deepEqual(canaries.findIn(text), [])
})

test('a secret that is too short to be unique is refused, and so is a shape that loses the mark', () => {
  assert.throws(() => createCanaries().add('a PIN', '1234'), /a PIN is too short/)
  assert.throws(() => createCanaries().make('x', () => 'hush'), /does not hold its mark/)
})
