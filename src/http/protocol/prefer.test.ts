import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePrefer } from './prefer.ts'

const read = (header: string) => Object.fromEntries(parsePrefer(header))

test('the examples of RFC 7240', () => {
  assert.deepEqual(read('foo; bar'), { foo: '' })
  assert.deepEqual(read('foo; bar=""'), { foo: '' })
  assert.deepEqual(read('foo=""; bar'), { foo: '' })
  assert.deepEqual(read('respond-async, wait=100, handling=lenient'), {
    'respond-async': '',
    wait: '100',
    handling: 'lenient',
  })
  assert.deepEqual(read('return=minimal; foo="some parameter"'), { return: 'minimal' })
  assert.deepEqual(read('foo; test; , priority=5'), { foo: '', priority: '5' })
  assert.deepEqual(read('return=representation'), { return: 'representation' })
})

test('names are read in any case, values may be quoted, and spaces may stand around =', () => {
  assert.deepEqual(read('Return = "minimal" ,HANDLING="str\\ict"'), { return: 'minimal', handling: 'strict' })
  assert.deepEqual(read('a="x, y; z\\"", b'), { a: 'x, y; z"', b: '' })
})

test('of one that is given twice the first counts', () => {
  assert.deepEqual(read('return=minimal, return=representation, Return=x'), { return: 'minimal' })
})

test('what cannot be read is passed over, and what stands beside it is heeded', () => {
  assert.deepEqual(read('re turn=minimal, handling=strict'), { handling: 'strict' })
  assert.deepEqual(read('=x, handling=strict, return="minimal'), { handling: 'strict' })
  assert.deepEqual(read(''), {})
  assert.deepEqual(read(',, ,'), {})
  assert.deepEqual([...parsePrefer(undefined)], [])
})

test('a header of nonsense is passed over at once, however long', () => {
  const startedAt = performance.now()
  for (const length of [900, 16_000])
    for (const unit of [' ', '"', '"x\\', 'a= ', '; ', ',']) parsePrefer(unit.repeat(length / unit.length))
  assert.ok(performance.now() - startedAt < 200)
})
