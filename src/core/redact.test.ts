import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createActionLinks } from '#actions/links.ts'
import { makeSecret } from '#actions/tokens.ts'
import { redact, redactPath } from './redact.ts'

const links = createActionLinks('a key', 'https://bell.example.org').linksFor({
  id: 7,
  userId: 1,
  taskId: 12,
  dueAt: 1e12,
})
const keys = [
  ...(['token', 'session', 'invitation'] as const).map(makeSecret),
  ...Object.values(links ?? {}).map((link) => link.replace(/.*\//, '')),
]

test('a credential is redacted wherever it stands, whole or not, and its kind stays', () => {
  for (const key of keys)
    for (const one of [key, key.slice(0, -1), `${key}x`])
      for (const [before, after] of [
        ['', ''],
        ['There is nothing at /v1/', '.'],
        ['{"token":"', '"}'],
        ['Bearer ', ', and so on'],
      ]) {
        const shown = redact(before + one + after)
        assert.match(shown, /…/)
        assert.ok(!shown.includes(one.slice(-12)), shown)
        assert.ok(shown.startsWith(before as string) && shown.endsWith(after as string), shown)
      }
  assert.equal(redact(`/v1/tokens/${keys[0]}`), '/v1/tokens/dbl_…')
  assert.equal(redact(`/a/${keys[3]}`), '/a/complete.…')
})

test('other text stays as it is', () => {
  for (const text of ['dbl_', 'begins with dbl_0aZ9x', 'complete', '/v1/tasks/7/complete', 'version 1.2.3.4.5', ''])
    assert.equal(redact(text), text)
})

test('the piece of invalid JSON that Node quotes is left out', () => {
  for (const text of ['hush-hush', '{"a": hush}', `{"a": "x", \n hush}`, `${'x'.repeat(99)} hush`, '["hush",]']) {
    let message = ''
    try {
      JSON.parse(text)
    } catch (error) {
      message = (error as Error).stack ?? ''
    }
    assert.match(redact(message), /^SyntaxError: [^\n]+\n +at /)
    assert.doesNotMatch(redact(message), /hush/)
  }
})

test('a URL loses its query, and the credentials in its path, also encoded ones', () => {
  for (const key of keys)
    for (const path of [
      key,
      encodeURIComponent(key),
      key.replace(/[._]/, (one: string) => `%${one.charCodeAt(0).toString(16)}`),
    ])
      for (const url of [`/a/${path}`, `/v1/tokens/${path}?x=1`, `/%zz/${path}`, `/v1/tasks?token=${path}`])
        assert.ok(!redactPath(url).includes(key.slice(-12)), redactPath(url))
  assert.equal(redactPath(`/v1/tokens/${keys[0]}%2f%00%0a`), '/v1/tokens/dbl_…/%00%0a', 'nothing else becomes of it')
  for (const path of ['/v1/tasks/7', '/v1/tasks/by-key/a%2Fb%C3%BC', '/%zz', '/']) {
    assert.equal(redactPath(path), path)
    assert.equal(redactPath(`${path}?q=hush`), path)
  }
})
