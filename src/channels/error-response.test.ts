import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createActionLinks } from '#actions/links.ts'
import { cleaned, secretsOf } from './error-response.ts'

/** What a receiver says of its refusal, and what of it is never repeated. */

test('of an address everything is cleaned that may be its key, as it is sent and as it is read', () => {
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
    const line = cleaned(words, secrets) ?? ''
    assert.doesNotMatch(line, /key/, `${words} became ${line}`)
  }
})

test('what is secret besides is cleaned however short it is; a host alone is not', () => {
  const secrets = secretsOf(new URL('https://ntfy.sh/'), ['hush', 'hush-hush'])
  assert.equal(
    cleaned('not with hush-hush or hush: see https://ntfy.sh/docs', secrets),
    'not with … or …: see https://ntfy.sh/docs',
  )
})

test('a message that is repeated is repeated without its links, also where it is cut in one', () => {
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
    assert.ok(!cleaned(words, [])?.includes(signature.slice(0, 8)), words)
})
