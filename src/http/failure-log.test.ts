import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFailureLog } from './failure-log.ts'

test('the first failure of a kind is logged with its error, the others as a count once a minute, until they end', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const lines: [fields: object, text: string][] = []
  const failures = createFailureLog({ warn: (fields: object, text: string) => lines.push([fields, text]) } as never)
  const full = () => new Error('database or disk is full')
  const first = full()
  failures.record(first, 'a')
  for (let i = 0; i < 999; i++) failures.record(full(), 'b')
  failures.record(new Error('database disk image is malformed'), 'c')
  assert.deepEqual(
    lines.map(([, text]) => text),
    ['unavailable', 'unavailable'],
  )
  assert.deepEqual(lines[0]?.[0], { err: first, reqId: 'a' })

  t.mock.timers.tick(60_000)
  assert.deepEqual(lines.slice(2), [
    [
      { reason: 'Error: database or disk is full', count: 999, seconds: 60 },
      'more requests failed for the same reason',
    ],
  ])
  failures.record(full(), 'd')
  t.mock.timers.tick(60_000)
  assert.equal(lines.length, 4, 'the count of the second minute')
  t.mock.timers.tick(60_000)
  failures.record(full(), 'e')
  assert.equal(lines.at(-1)?.[1], 'unavailable', 'after a minute without one the next is logged again')
})

test('failures with different messages fill neither memory nor log', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const lines: string[] = []
  const failures = createFailureLog({ warn: (_: object, text: string) => lines.push(text) } as never)
  for (let i = 0; i < 10_000; i++) failures.record(new Error(`port ${i} is closed`), 'a')
  assert.ok(lines.length <= 51, `${lines.length} lines`)
})
