import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAcceptLanguage } from './accept-language.ts'

test('the languages of RFC 9110 section 12.5.4, by weight, then in their order', () => {
  for (const [header, languages] of [
    ['da, en-gb;q=0.8, en;q=0.7', ['da', 'en-gb', 'en']],
    ['en;q=0.5,de', ['de', 'en']],
    ['fr , zh-Hant-TW;q=1.000,*;q=0.1', ['fr', 'zh-Hant-TW']],
    ['de;q=0, en', ['en']],
    ['de;q=2, e_n, ,;q=1, es; q=0.25 , en;q=.5', ['es']],
    ['', []],
    ['x'.repeat(1_001), []],
    [undefined, []],
  ] as const)
    assert.deepEqual(parseAcceptLanguage(header), languages, String(header))
})
