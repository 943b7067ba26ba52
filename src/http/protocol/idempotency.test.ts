import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIdempotencyKey } from './idempotency.ts'

test('an Idempotency-Key in quotes, as the draft has it, or bare', () => {
  const uuid = '8e03978e-40d5-43dd-bc93-6894a57f9324'
  for (const [header, key] of [
    [`"${uuid}"`, uuid],
    [uuid, uuid],
    [`  ${uuid} `, uuid],
    ['"with, comma; and = \\"quotes\\" and \\\\"', 'with, comma; and = "quotes" and \\'],
    ['" "', ' '],
    ['q83vEjRWeJA/+w==', 'q83vEjRWeJA/+w=='],
    ['x', 'x'],
    [`"${'x'.repeat(255)}"`, 'x'.repeat(255)],
    ['x'.repeat(255), 'x'.repeat(255)],
  ] as const)
    assert.equal(parseIdempotencyKey(header), key)
})

test('what is no key is refused', () => {
  for (const header of [
    '',
    '""',
    ' ',
    '"x',
    'x"',
    '"x" "y"',
    '"x", "y"',
    'x, y',
    'x y',
    '"x";a=1',
    '"\\x"',
    '"\xe9"',
    'schl\xfcssel',
    '"\t"',
    'x'.repeat(256),
    `"${'x'.repeat(256)}"`,
  ])
    assert.throws(() => parseIdempotencyKey(header), { kind: 'malformed' }, header)
})
