import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderText, splitAtAddresses } from './addresses-in-text.ts'

const addressesIn = (text: string) => splitAtAddresses(text).flatMap(({ text, isAddress }) => (isAddress ? [text] : []))

test('an address ends where a reader would end it', () => {
  for (const [text, ...expected] of [
    ['See https://example.org/Renew_the_passport.', 'https://example.org/Renew_the_passport'],
    ['(https://example.org/a) and (see https://example.org/b).', 'https://example.org/a', 'https://example.org/b'],
    ['https://en.wikipedia.org/wiki/Rust_(fungus)', 'https://en.wikipedia.org/wiki/Rust_(fungus)'],
    [
      '<https://example.org/a?b=1&c=2#d>, "http://example.org"',
      'https://example.org/a?b=1&c=2#d',
      'http://example.org',
    ],
    ['**https://example.org/a**', 'https://example.org/a'],
  ] as const)
    assert.deepEqual(addressesIn(text), expected, text)
})

test('no links: other schemes, truncated addresses, and a host behind a user name', () => {
  for (const text of [
    'javascript:alert(1)',
    'https://',
    'https://example.org/a…',
    'https://bank.example@evil.example/',
  ])
    assert.deepEqual(addressesIn(text), [], text)
})

test('the text around addresses is escaped, and nothing is lost', () => {
  const text = 'a_b https://example.org/c_d, e_f'
  const write = (plain: string) => plain.replaceAll('_', '\\_')
  assert.equal(
    renderText(text, write, (url) => `<${url}>`),
    'a\\_b <https://example.org/c_d>, e\\_f',
  )
  assert.equal(
    splitAtAddresses(text)
      .map((part) => part.text)
      .join(''),
    text,
  )
})
