import assert from 'node:assert/strict'
import { makeSecret } from '#actions/tokens.ts'
import { extendSession } from '#store/tokens.ts'
import { signIn } from '#support/accounts.ts'
import type { TestApp } from '#support/test-app.ts'
import type { Account, Accounts } from './accounts.ts'
import type { UnauthenticatedCaller } from './matrix.ts'

/** The expected refusal of a request without a token. */
const bare = 'Bearer realm="Duebell"'
const wrong = `${bare}, error="invalid_token"`

/**
 * All unauthenticated callers: without a credential, with an invalid one, and with one that is no longer valid. The same requests from
 * their user with all scopes, or from an administrator in a session, would be accepted.
 */
export async function unauthenticatedCallersOf(
  app: TestApp,
  people: Accounts,
  user: Account,
): Promise<UnauthenticatedCaller[]> {
  const { url, clock } = app
  const { root } = people
  const good = user.tokens.admin
  const session = await signIn(url, root.name)
  assert.equal((await whoIs(url, session)).user?.name, root.name)
  const isRead = (method: string) => method === 'GET' || method === 'HEAD'

  /** A session is for pages of this server only. For a page of another site it does not count, and every write from there is refused. */
  const fromPage = (origin: string): UnauthenticatedCaller => ({
    words: `a session, from a page of ${origin}`,
    headers: { cookie: session, origin },
    refusal: (method) => (isRead(method) ? { status: 401, challenge: bare } : { status: 403, challenge: null }),
  })

  return [
    unauthenticated('a caller without a credential', {}),
    unauthenticated('a token of no scheme', { authorization: good }),
    unauthenticated('another scheme', { authorization: `Basic ${btoa(`${user.name}:${good}`)}` }),
    holder('an invalid token', 'open-sesame'),
    holder('an unknown token', makeSecret('token')),
    holder('a token that was cut', good.slice(0, -1)),
    holder(
      'a token that was mistyped',
      good.replace(/.$/, (last) => (last === 'x' ? 'y' : 'x')),
    ),
    holder('two tokens', `${good} ${good}`),
    ...(await pastTokens(app, people, user)),
    unauthenticated('an unknown session', { cookie: `__Host-duebell=${makeSecret('session')}` }),
    unauthenticated('a token in place of a session', { cookie: `__Host-duebell=${good}` }),
    unauthenticated('a session in another cookie', { cookie: session.replace('__Host-', '') }),
    ...(await pastSessions(app, people)),
    fromPage('https://evil.example'),
    fromPage('null'),
    fromPage(`https://127.0.0.1:${Number(new URL(url).port) + 1}`),
  ]

  async function pastTokens(
    { clock }: TestApp,
    { root, add }: Accounts,
    { ask }: Account,
  ): Promise<UnauthenticatedCaller[]> {
    const make = (more: object = {}) => ask('POST', '/v1/tokens', { name: 'past', scopes: ['admin'], ...more })
    const revoked = await make()
    await ask('DELETE', `/v1/tokens/${revoked.id}`)
    const expired = await make({ expires_dt: new Date(clock.now() + 3_600_000).toISOString() })
    await clock.advance(3_600_000)
    const disabled = await add('disabled', 'admin')
    await root.ask('PATCH', `/v1/users/${disabled.id}`, { disabled: true })
    const { invitation } = await root.ask('POST', '/v1/users', { name: 'invited', role: 'admin' })
    return [
      holder('a revoked token', revoked.token),
      holder('an expired token', expired.token),
      holder('a token of a disabled user', disabled.tokens.admin),
      holder('an invitation', invitation.code),
    ]
  }

  async function pastSessions({ app }: TestApp, { root, add }: Accounts): Promise<UnauthenticatedCaller[]> {
    const ended = await signIn(url, root.name)
    const out = await fetch(`${url}/v1/session`, { method: 'DELETE', headers: { cookie: ended } })
    assert.deepEqual(await out.json(), { signed_out: true })
    const over = await signIn(url, root.name)
    const { tokens } = await root.ask('GET', '/v1/tokens')
    await app.store.transact((tx) => extendSession(tx, tokens[0].id, clock.now()))
    const gone = await add('gone', 'admin')
    const ofDisabled = await signIn(url, gone.name)
    await root.ask('PATCH', `/v1/users/${gone.id}`, { disabled: true })
    return [
      unauthenticated('a session that was signed out', { cookie: ended }),
      unauthenticated('an expired session', { cookie: over }),
      unauthenticated('a session of a disabled user', { cookie: ofDisabled }),
    ]
  }
}

const unauthenticated = (words: string, headers: Record<string, string>): UnauthenticatedCaller => ({
  words,
  headers,
  refusal: () => ({ status: 401, challenge: bare }),
})

const holder = (words: string, token: string): UnauthenticatedCaller => ({
  words,
  headers: { authorization: `Bearer ${token}` },
  refusal: () => ({ status: 401, challenge: wrong }),
})

async function whoIs(url: string, cookie: string): Promise<{ user: { name: string } | null }> {
  const response = await fetch(`${url}/v1/session`, { headers: { cookie } })
  return (await response.json()) as { user: { name: string } | null }
}
