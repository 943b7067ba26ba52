import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isNotModified, parseIfNoneMatch } from './conditions.ts'

for (const [header, expected] of [
  [undefined, undefined],
  ['*', '*'],
  [' * ', '*'],
  ['"3"', ['"3"']],
  ['W/"3"', ['"3"']],
  ['"c7", W/"3" ,"x"', ['"c7"', '"3"', '"x"']],
  ['"a,b","\u00e9",""', ['"a,b"', '"\u00e9"', '""']],
  [', "3",, ', ['"3"']],
  ['', []],
] as const)
  test(`If-None-Match: ${header} is ${JSON.stringify(expected)}`, () =>
    assert.deepEqual(parseIfNoneMatch(header), expected))

for (const header of ['3', 'c7', "'3'", '"3', '3"', '"3" "4"', 'w/"3"', 'W/ "3"', 'W/3', '*, "3"', '"a b"', '"\u0001"'])
  test(`If-None-Match: ${header} is refused`, () =>
    assert.throws(() => parseIfNoneMatch(header), { name: 'Problem', kind: 'malformed' }))

test('what somebody has is not sent again, whether its ETag came back weak or strong', () => {
  const isSent = (header?: string) => !isNotModified({ 'if-none-match': header }, '"c7"')
  assert.deepEqual([isSent('"c7"'), isSent('"c6", W/"c7"'), isSent('*')], [false, false, false])
  assert.deepEqual([isSent(), isSent('"c6"'), isSent('"7"'), isSent('"c70"')], [true, true, true, true])
})
