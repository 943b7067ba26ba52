import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createActionLinks } from '#actions/links.ts'
import { safeErrorText, secretsOf } from './error-response.ts'

/** Error texts of receivers, and the parts that are never repeated. */

test('every part of an address that may be a key is redacted, encoded and decoded', () => {
  const url = new URL('https://chat.example.org/hooks/a%2Fkey%20of%20mine/second-key?sig=third%2Bkey&v=1')
  const secrets = secretsOf(url)
  for (const words of [
    `nobody at ${url.href}`,
    `no ${url.pathname}`,
    `no ${decodeURIComponent(url.pathname)}`,
    `no ${decodeURIComponent(url.pathname + url.search)}`,
    'a%2Fkey%20of%20mine is none',
    'a/key of mine is none',
    'second-key is none',
    'third%2Bkey is none',
    'third+key is none',
  ]) {
    const line = safeErrorText(words, secrets) ?? ''
    assert.doesNotMatch(line, /key/, `${words} became ${line}`)
  }
})

test('other secrets are redacted at any length; a host alone is not', () => {
  const secrets = secretsOf(new URL('https://ntfy.sh/'), ['hush', 'hush-hush'])
  assert.equal(
    safeErrorText('not with hush-hush or hush: see https://ntfy.sh/docs', secrets),
    'not with … or …: see https://ntfy.sh/docs',
  )
})

test('a repeated message loses its links, even if truncated inside one', () => {
  const links = createActionLinks('key', 'https://bell.example.org').linksFor({
    id: 1,
    userId: 1,
    taskId: 1,
    dueAt: 1e12,
  })
  const { complete = '' } = links ?? {}
  const signature = complete.slice(-22)
  for (const words of [
    `not ${complete}`,
    `not "${complete}"}`,
    `${'x'.repeat(130)} ${complete}`,
    complete.slice(0, -5),
  ])
    assert.ok(!safeErrorText(words, [])?.includes(signature.slice(0, 8)), words)
})
