import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from './log.ts'

async function logged(format: 'pretty' | 'json', error: unknown): Promise<string> {
  const lines: string[] = []
  const { log } = await createLog({ level: 'debug', format }, { writableLength: 0, write: (text) => lines.push(text) })
  log.error({ err: error }, 'it failed')
  return lines.join('')
}

/** As libraries throw them. */
function failure() {
  const cause = Object.assign(new TypeError('deep down'), { config: { headers: { authorization: 'hush 1' } } })
  return Object.assign(new Error('no such table', { cause }), {
    code: 'ER_NO_SUCH_TABLE',
    sql: "insert into channels values ('hush 2')",
    options: { password: 'hush 3' },
    errors: [Object.assign(new Error('one of them'), { response: 'hush 4' })],
    toString: () => 'hush 5',
  })
}

for (const format of ['pretty', 'json'] as const)
  test(`an error is logged with its message, code, stack and cause, and no other property: ${format}`, async () => {
    const text = await logged(format, failure())
    for (const part of ['it failed', 'no such table', 'ER_NO_SUCH_TABLE', 'deep down', 'log.test.ts'])
      assert.ok(text.includes(part), `${part} in ${text}`)
    assert.doesNotMatch(text, /hush/)
  })

test('the code of an error without a message is logged, unless it is a sentence', async () => {
  const refused = Object.assign(new AggregateError([new Error('connect ECONNREFUSED ::1')], ''), {
    code: 'ECONNREFUSED',
  })
  assert.match(await logged('json', refused), /"type":"AggregateError","message":"","code":"ECONNREFUSED"/)
  assert.doesNotMatch(await logged('json', Object.assign(new Error('x'), { code: 'hush '.repeat(20) })), /hush/)
  assert.doesNotMatch(await logged('json', Object.assign(new Error('x'), { code: { hush: 1 } })), /hush/)
})

test('a thrown value that is no error is logged as text, with secrets redacted', async () => {
  assert.match(await logged('json', 'just words'), /"err":"just words"/)
  assert.match(await logged('json', new Error(`no ${'dbl_'.padEnd(53, '0')}`)), /"message":"no dbl_…"/)
})
