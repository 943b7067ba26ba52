import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonShapeFault, maxJsonDepth, maxJsonParts } from './json-shape.ts'

const faultOf = (text: string) => jsonShapeFault(Buffer.from(text))
const arrays = (depth: number, inner = '') => '['.repeat(depth) + inner + ']'.repeat(depth)
const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`

test('64 levels are accepted and 65 are not, in arrays, objects and both', () => {
  for (const nest of [arrays, objects, (depth: number) => arrays(depth - 4, objects(4))]) {
    assert.equal(faultOf(nest(64)), undefined)
    assert.equal(faultOf(nest(65))?.kind, 'malformed')
  }
  assert.match(faultOf(arrays(65))?.message ?? '', /more than 64 deep/)
  assert.equal(faultOf('['.repeat(200_000))?.kind, 'malformed', 'also without closing brackets')
})

test('brackets in strings do not count, whatever is escaped before them', () => {
  const brackets = '['.repeat(100)
  for (const text of [
    `"${brackets}"`,
    `"\\"${brackets}"`,
    `"\\\\\\"${brackets}"`,
    `"\\u0022${brackets}"`,
    `"é😀${brackets}"`,
  ])
    assert.equal(faultOf(`{"a":${text},"b":[${text}]}`), undefined, text)
  for (const text of ['"\\\\"', '""', '"\\""', '"é"'])
    assert.equal(faultOf(`[${text},${arrays(64)}]`)?.kind, 'malformed', text)
  assert.equal(faultOf(`[${`${arrays(60)},`.repeat(50)}1]`), undefined, 'closed arrays do not count as depth')
})

test('30,000 objects, arrays and members are accepted, and no more', () => {
  const rest = (parts: number) => `[${Array(parts - 1).fill('[]')}]`
  assert.equal(faultOf(rest(maxJsonParts)), undefined)
  assert.equal(faultOf(rest(maxJsonParts + 1))?.kind, 'too-large')
  const members = Array.from({ length: maxJsonParts }, (_, i) => `"${i}":0`)
  assert.equal(faultOf(`{${members}}`)?.kind, 'too-large', 'with the object itself')
  assert.equal(faultOf(`{${members.slice(1)}}`), undefined)
  assert.equal(faultOf(`[${Array(400_000).fill('1')}]`), undefined, 'numbers and strings do not count')
  assert.equal(faultOf(`["${':'.repeat(400_000)}"]`), undefined)
})

test('an edit of 1,000 complete tasks is accepted', () => {
  const id = 1
  const texts = (length: number) => Array.from({ length }, (_, i) => String(i))
  const dates = { expiry_dt: '2099-01-01', completed_dt: null, time_zone: 'Europe/Paris' }
  const task = {
    id,
    title: 'x',
    description: 'x',
    ...dates,
    reminders: texts(10),
    tags: texts(20),
    priority: 'low',
    key: 'k',
  }
  assert.equal(faultOf(JSON.stringify({ tasks: Array(1_000).fill(task) })), undefined)
})

test('the depth is that of the result of JSON.parse', () => {
  const depthOf = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0
  const inner = fc.jsonValue({ depthSize: 'large', maxDepth: 12 })
  fc.assert(
    fc.property(inner, fc.integer({ min: 50, max: 70 }), fc.boolean(), (value, outer, isSpaced) => {
      const text = arrays(outer, JSON.stringify([value], null, isSpaced ? ' ' : ''))
      assert.equal(faultOf(text)?.kind === 'malformed', depthOf(JSON.parse(text)) > maxJsonDepth, text)
    }),
    { numRuns: 300 },
  )
})
