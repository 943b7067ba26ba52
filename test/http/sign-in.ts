import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import { inspect } from 'node:util'
import { Problem, type ProblemKind } from '#core/problem.ts'
import { createCookieCipher } from '#http/auth/encrypted-cookie.ts'
import { createOidc, type OidcOptions } from '#http/auth/oidc.ts'
import { openBrowser } from '#kit/browser.ts'
import { answers, type Behaviour } from '#kit/http-receiver.ts'
import { type OidcProviderOptions, signInAt, startOidcProvider } from '#kit/oidc-provider.ts'
import { fakeClock } from '#support/fake-clock.ts'

/** No server listens at our own address in these tests: the browser stops before it. */
export const redirectUri = 'http://127.0.0.1:1/auth/oidc/callback'
const cookieKey = 'the key of all replicas'

const accounts = [
  { sub: 'ada', email: 'ada@example.org', email_verified: true, name: 'Ada Lovelace' },
  { sub: 'bob', email: 'bob@example.org', email_verified: false },
  { sub: 'eve' },
]

/** A provider, and us as its client. */
export async function start(t: TestContext, provided: Partial<OidcProviderOptions> = {}) {
  const provider = await startOidcProvider(t, { redirectUri, accounts, ...provided })
  const { issuer, clientId, clientSecret } = provider
  const clock = fakeClock()
  const replica = (options: Partial<OidcOptions> = {}) =>
    createOidc({ issuer, clientId, clientSecret, redirectUri, cookieKey, clock, ...options })
  const oidc = replica()

  /** A person signs in there and returns. @param change changes the redirect to the provider */
  async function arrive(login = 'ada', change = (_: URLSearchParams) => {}) {
    const { location, cookie } = await oidc.begin({ returnTo: '/tasks/7' })
    const { url } = await signInAt(provider, openBrowser({ stopsAt: redirectUri }), changed(location, change), login)
    return { cookie, url }
  }

  /** The content of the encrypted cookie, which no error may contain. */
  const reveal = async (cookie: string): Promise<Record<'state' | 'nonce' | 'verifier' | 'returnTo', string>> =>
    JSON.parse((await createCookieCipher(cookieKey, `oidc ${issuer} ${clientId}`).decrypt(cookie)) ?? '')

  return { provider, clock, oidc, replica, arrive, reveal }
}

export function changed(url: string, change: (query: URLSearchParams) => void): string {
  const altered = new URL(url)
  change(altered.searchParams)
  return altered.href
}

/** All secrets here contain the word; a header of HTTP Basic contains it in this form. */
const canaries = ['canary', Buffer.from('duebell:canary').toString('base64').slice(0, 16)]

/** Checks that a sign-in is refused with a sentence for people, and that the error contains no secret. */
export async function assertRefused(
  attempt: Promise<unknown>,
  kind: ProblemKind,
  words: RegExp,
  secrets: readonly string[] = [],
): Promise<Problem> {
  const error = await attempt.then(
    () => assert.fail('it was accepted'),
    (thrown: unknown) => thrown,
  )
  const everything = inspect(error, { depth: null, showHidden: true })
  assert.ok(error instanceof Problem, everything)
  assert.equal(error.kind, kind, everything)
  assert.match(error.message, words)
  assert.match(error.message, /^[A-Z].*\.$/, 'a sentence')
  for (const secret of [...canaries, ...secrets]) assert.ok(!everything.includes(secret), `${secret} in ${everything}`)
  return error
}

/** The log lines of a refusal. */
export const causeOf = (problem: Problem) => (problem.extras.cause as Error).message

/** Answers requests whose path begins with this; all others pass. */
export const at =
  (start: string, answer: Behaviour) =>
  ({ method = '', url: path = '', headers }: IncomingMessage, response: ServerResponse) => {
    if (!path.startsWith(start)) return false
    answer({ method, path, headers, body: '' }, response)
    return true
  }

export const json = (body: object, status = 200): Behaviour =>
  answers(status, JSON.stringify(body), { 'content-type': 'application/json' })
