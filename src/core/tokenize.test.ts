import assert from 'node:assert/strict'
import { test } from 'node:test'
import { haveTokens, maxWordLength, tokenize } from './tokenize.ts'

for (const [text, ...words] of [
  ['Renew the passport', 'renew', 'the', 'passport'],
  ['a a A b', 'a', 'b'],
  ["e-mail: ann.o'neil+x@example.com", 'e', 'mail', 'ann', 'o', 'neil', 'x', 'example', 'com'],
  ['snake_case, C++ & 3.14', 'snake', 'case', 'c', '3', '14'],
  ['Ünïcode STRASSE straße', 'ünïcode', 'strasse', 'straße'],
  ['e\u0301tude is étude', 'étude', 'is'],
  ['ﬁne ｗｉｄｅ ½', 'fine', 'wide', '1', '2'],
  ['東京タワー2号、 nämlich', '東', '京', 'タ', 'ワ', 'ー', '2', '号', 'nämlich'],
  ['ﾊﾟｽﾎﾟｰﾄ', 'パ', 'ス', 'ポ', 'ー', 'ト'],
  ['हिन्दी 한국어 ไทย', 'हिन्दी', '한국어', 'ไทย'],
  ['x😀y \u0301z', 'x', 'y', 'z'],
  ['" * + - : % ( ) 🎉'],
  [''],
] as [string, ...string[]][])
  test(`«${text}» has the words ${words.join(' · ')}`, () => assert.deepEqual(tokenize(text), words))

test('of several texts, some of which are none', () => {
  assert.deepEqual(tokenize('One two', null, 'two three'), ['one', 'two', 'three'])
})

test('a long word counts by its first characters, whole ones', () => {
  assert.deepEqual(tokenize('x'.repeat(10_000)), ['x'.repeat(maxWordLength)])
  assert.deepEqual(tokenize('𝔘'.normalize('NFKC') + '𐐨'.repeat(100)), [`u${'𐐨'.repeat(maxWordLength - 1)}`])
})

test('each word that is wanted must be one, or the beginning of one, in any of the texts', () => {
  const texts = ['Renew passport', 'bring 2 photos']
  const has = (q: string) => haveTokens(texts, tokenize(q))
  for (const q of ['renew', 'PASS', 'pass ren', 'photo renew 2', 'b']) assert.ok(has(q), q)
  for (const q of ['new', 'port', 'renew x', 'photoss', '22']) assert.ok(!has(q), q)
})
