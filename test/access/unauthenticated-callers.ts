import assert from 'node:assert/strict'
import { makeSecret } from '#actions/tokens.ts'
import { extendSession } from '#store/tokens.ts'
import { signIn } from '#support/accounts.ts'
import type { TestApp } from '#support/test-app.ts'
import type { Account, Accounts } from './accounts.ts'
import type { UnauthenticatedCaller } from './matrix.ts'

/** To who has sent no token. */
const bare = 'Bearer realm="Duebell"'
const wrong = `${bare}, error="invalid_token"`

/**
 * Everybody who is nobody: with nothing, with what never was a token or a session, and with what was one. What they send would let an
 * user of all scopes in, and a session one who administers the server.
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

  /** A session is for pages of our own: to another's it is none, and what is written from there is refused whoever asks. */
  const fromPage = (origin: string): UnauthenticatedCaller => ({
    words: `a session, from a page of ${origin}`,
    headers: { cookie: session, origin },
    refusal: (method) => (isRead(method) ? { status: 401, challenge: bare } : { status: 403, challenge: null }),
  })

  return [
    nobody('nobody', {}),
    nobody('a token of no scheme', { authorization: good }),
    nobody('another scheme', { authorization: `Basic ${btoa(`${user.name}:${good}`)}` }),
    holder('a token that is none', 'open-sesame'),
    holder('an unknown token', makeSecret('token')),
    holder('a token that was cut', good.slice(0, -1)),
    holder(
      'a token that was mistyped',
      good.replace(/.$/, (last) => (last === 'x' ? 'y' : 'x')),
    ),
    holder('two tokens', `${good} ${good}`),
    ...(await pastTokens(app, people, user)),
    nobody('an unknown session', { cookie: `__Host-duebell=${makeSecret('session')}` }),
    nobody('a token in place of a session', { cookie: `__Host-duebell=${good}` }),
    nobody('a session by another name', { cookie: session.replace('__Host-', '') }),
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
      holder('a token of who is disabled', disabled.tokens.admin),
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
      nobody('a session that was signed out', { cookie: ended }),
      nobody('a session that is over', { cookie: over }),
      nobody('a session of who is disabled', { cookie: ofDisabled }),
    ]
  }
}

const nobody = (words: string, headers: Record<string, string>): UnauthenticatedCaller => ({
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
