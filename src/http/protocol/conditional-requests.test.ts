import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isNotModified, parseConditions, parseIfMatch, parseIfNoneMatch } from './conditional-requests.ts'

test('If-Match as in RFC 9110 section 13.1.1: one, several, any', () => {
  assert.equal(parseIfMatch(undefined), undefined)
  assert.equal(parseIfMatch('*'), '*')
  assert.equal(parseIfMatch(' * '), '*')
  assert.deepEqual(parseIfMatch('"3"'), [3])
  assert.deepEqual(parseIfMatch('"3", "5" ,"8"'), [3, 5, 8])
  // Its examples: of other servers, so that they match no version.
  assert.deepEqual(parseIfMatch('"xyzzy"'), [])
  assert.deepEqual(parseIfMatch('"xyzzy", "r2d2xxxx", "c3piozzzz"'), [])
})

test('If-Match compares strongly: a weak ETag matches nothing, not even beside a strong one of the same text', () => {
  assert.deepEqual(parseIfMatch('W/"3"'), [])
  assert.deepEqual(parseIfMatch('W/"3", "4"'), [4])
})

test('If-None-Match as in RFC 9110 section 13.1.2 compares weakly', () => {
  assert.equal(parseIfNoneMatch(undefined), undefined)
  assert.equal(parseIfNoneMatch('*'), '*')
  assert.deepEqual(parseIfNoneMatch('"xyzzy"'), ['"xyzzy"'])
  assert.deepEqual(parseIfNoneMatch('W/"xyzzy"'), ['"xyzzy"'])
  assert.deepEqual(parseIfNoneMatch('"xyzzy", "r2d2xxxx", "c3piozzzz"'), ['"xyzzy"', '"r2d2xxxx"', '"c3piozzzz"'])
  assert.deepEqual(parseIfNoneMatch('W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz"'), ['"xyzzy"', '"r2d2xxxx"', '"c3piozzzz"'])
})

test('the comparison of RFC 9110 section 8.8.3.2', () => {
  const rows = [
    ['W/"1"', 'W/"1"', false, true],
    ['W/"1"', 'W/"2"', false, false],
    ['W/"1"', '"1"', false, true],
    ['"1"', '"1"', true, true],
  ] as const
  for (const [asked, ours, strongly, weakly] of rows) {
    if (!ours.startsWith('W/')) assert.equal(parseIfMatch(asked)?.includes(1 as never), strongly, `${asked} ${ours}`)
    assert.equal(isNotModified({ 'if-none-match': asked }, ours.replace('W/', '')), weakly, `${asked} ${ours}`)
  }
})

test('a list may have empty elements, tabs, and commas within an ETag (RFC 9110 sections 5.6.1 and 8.8.3)', () => {
  assert.deepEqual(parseIfMatch(', "3",,\t"4" ,'), [3, 4])
  assert.deepEqual(parseIfMatch(''), [])
  assert.deepEqual(parseIfMatch(' ,, '), [])
  assert.deepEqual(parseIfNoneMatch('"a,b", "", "\xe9"'), ['"a,b"', '""', '"\xe9"'])
})

test('a version is written in one way only', () => {
  for (const tag of ['"0"', '"03"', '"3.0"', '"+3"', '"-3"', '" 3"', '"0x3"', '"3-gzip"', `"${'9'.repeat(20)}"`])
    assert.deepEqual(tag.includes(' ') ? [] : parseIfMatch(tag), [], tag)
})

test('what is no list of ETags is refused, in either header', () => {
  for (const header of [
    '3',
    '"3',
    '3"',
    '""3""',
    '"3" "4"',
    '"3"; "4"',
    '*, "3"',
    '"3", *',
    'w/"3"',
    'W/ "3"',
    '" 3"',
  ]) {
    assert.throws(() => parseIfMatch(header), { kind: 'malformed', message: /^If-Match must be / }, header)
    assert.throws(() => parseIfNoneMatch(header), { kind: 'malformed', message: /^If-None-Match must be / }, header)
  }
})

test('a long header of nonsense is refused at once', () => {
  const startedAt = performance.now()
  for (const header of [' '.repeat(16_000), ', '.repeat(8_000), '"x'.repeat(8_000), `"${'x'.repeat(16_000)}`])
    assert.throws(() => parseIfMatch(`${header}!`), { kind: 'malformed' })
  assert.ok(performance.now() - startedAt < 100)
})

test('a write may carry both', () => {
  assert.deepEqual(parseConditions({}), { version: undefined, notVersion: undefined })
  assert.deepEqual(parseConditions({ 'if-match': '"3"', 'if-none-match': '*' }), { version: [3], notVersion: '*' })
  assert.deepEqual(parseConditions({ 'if-none-match': 'W/"3", "x"' }), { version: undefined, notVersion: [3] })
})

test('304 is for who has it already', () => {
  assert.equal(isNotModified({}, '"3"'), false)
  assert.equal(isNotModified({ 'if-none-match': '*' }, '"3"'), true)
  assert.equal(isNotModified({ 'if-none-match': '"1", W/"3"' }, '"3"'), true)
  assert.equal(isNotModified({ 'if-none-match': '"c3"' }, '"3"'), false)
})
