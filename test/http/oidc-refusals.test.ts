import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { describe, test } from 'node:test'
import { signInMs } from '#http/auth/oidc.ts'
import { openBrowser } from '#kit/browser.ts'
import { answers } from '#kit/http-receiver.ts'
import { signToken } from '#kit/oidc-provider.ts'
import { assertRefused, at, causeOf, changed, json, redirectUri, start } from './sign-in.ts'

/** A sign-in must begin in this browser and end at this provider. */
describe('a callback is refused', () => {
  test('with another state, none, or a second one', async (t) => {
    const { oidc, arrive, reveal } = await start(t)
    const { cookie, url } = await arrive()
    const secrets = Object.values(await reveal(cookie)).slice(0, 3)
    for (const change of [
      (query: URLSearchParams) => query.set('state', 'x'.repeat(43)),
      (query: URLSearchParams) => query.delete('state'),
      (query: URLSearchParams) => query.append('state', 'x'),
    ])
      await assertRefused(oidc.finish({ cookie, url: changed(url, change) }), 'forbidden', /Another sign-in/, secrets)
    await oidc.finish({ cookie, url })
  })

  test('with the cookie of another sign-in', async (t) => {
    const { oidc, arrive } = await start(t)
    const [ada, bob] = [await arrive('ada'), await arrive('bob')]
    await assertRefused(oidc.finish({ cookie: bob.cookie, url: ada.url }), 'forbidden', /perhaps in another tab/)
  })

  test('with the code of another sign-in: PKCE', async (t) => {
    const { oidc, arrive } = await start(t)
    const [ada, bob] = [await arrive('ada'), await arrive('bob')]
    const code = new URL(ada.url).searchParams.get('code') as string
    const url = changed(bob.url, (query) => query.set('code', code))
    await assertRefused(oidc.finish({ cookie: bob.cookie, url }), 'forbidden', /finished already/, [code])
  })

  test('with a used code', async (t) => {
    const { oidc, arrive } = await start(t)
    const { cookie, url } = await arrive()
    await oidc.finish({ cookie, url })
    const code = new URL(url).searchParams.get('code') as string
    await assertRefused(oidc.finish({ cookie, url }), 'forbidden', /finished already, or took too long/, [code])
  })

  test('without a cookie, or with one of another server or a changed one', async (t) => {
    const { oidc, arrive, replica } = await start(t)
    const { cookie, url } = await arrive()
    for (const missing of [undefined, ''])
      await assertRefused(
        oidc.finish({ cookie: missing, url }),
        'malformed',
        /No sign-in is in progress in this browser/,
      )
    const middle = cookie[150] === 'A' ? 'B' : 'A'
    for (const other of ['x', cookie.slice(0, -4), `${cookie.slice(0, 150)}${middle}${cookie.slice(151)}`])
      await assertRefused(oidc.finish({ cookie: other, url }), 'malformed', /not from this server, or was changed/)
    for (const different of [{ cookieKey: 'another' }, { clientId: 'another' }, { issuer: 'https://other.example' }])
      await assertRefused(replica(different).finish({ cookie, url }), 'malformed', /not from this server/)
    await oidc.finish({ cookie, url })
  })

  test('after ten minutes, and not before', async (t) => {
    const { oidc, arrive, clock } = await start(t)
    const [one, other] = [await arrive(), await arrive()]
    await clock.advance(signInMs - 1)
    await oidc.finish(one)
    await clock.advance(1)
    await assertRefused(oidc.finish(other), 'forbidden', /longer than 10 minutes/)
  })

  test('in the name of another provider, or of none', async (t) => {
    const { oidc, arrive } = await start(t)
    const { cookie, url } = await arrive()
    for (const change of [
      (query: URLSearchParams) => query.set('iss', 'https://other.example'),
      (query: URLSearchParams) => query.delete('iss'),
      (query: URLSearchParams) => query.append('iss', 'https://other.example'),
      (query: URLSearchParams) => query.append('code', 'another'),
      (query: URLSearchParams) => query.append('id_token', 'x.y.z'),
    ])
      await assertRefused(oidc.finish({ cookie, url: changed(url, change) }), 'forbidden', /cannot be trusted/)
    await oidc.finish({ cookie, url })
  })

  test('for another nonce than ours', async (t) => {
    const { oidc, arrive } = await start(t)
    const back = await arrive('ada', (query) => query.set('nonce', 'somebody else’s'))
    const problem = await assertRefused(oidc.finish(back), 'forbidden', /cannot be trusted/)
    assert.match(causeOf(problem), /nonce/)
  })

  test('when the person cancelled', async (t) => {
    const { oidc, provider } = await start(t)
    const { location, cookie } = await oidc.begin({})
    const login = await openBrowser({ stopsAt: redirectUri }).open(location)
    const { url } = await login.submit({ cancel: '' })
    assert.match(url, /error=access_denied/)
    await assertRefused(oidc.finish({ cookie, url }), 'forbidden', /^The sign-in was cancelled/)
    assert.ok(!provider.asked.includes('POST /token'))
  })

  test('when the provider reports an error of its own or of our request', async (t) => {
    const { oidc, provider, reveal } = await start(t)
    const { cookie } = await oidc.begin({})
    const { state } = await reveal(cookie)
    const back = (error: string) =>
      oidc.finish({
        cookie,
        url: `?${new URLSearchParams({ error, state, iss: provider.issuer })}`,
      })
    await assertRefused(back('temporarily_unavailable'), 'unavailable', /Try again in a minute/)
    const problem = await assertRefused(back('invalid_scope'), 'unavailable', /is not configured correctly/)
    assert.match(causeOf(problem), /invalid_scope/)
    assert.doesNotMatch(
      causeOf(await assertRefused(back('<script>'), 'unavailable', /not configured correctly/)),
      /script/,
    )
  })

  test('without any parameters', async (t) => {
    const { oidc } = await start(t)
    const { cookie } = await oidc.begin({})
    for (const url of ['/auth/oidc/callback', '', '?state=x', 'http://[', '/?'])
      await assertRefused(oidc.finish({ cookie, url }), 'malformed', /where a sign-in ends/)
  })
})

/** A provider that returns an invalid token; all of them contain the word canary. */
describe('an ID token is refused', () => {
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey
  const now = Math.floor(Date.now() / 1_000)
  const cases: Record<string, { claims?: object; signed?: Parameters<typeof signToken>[1]; alg?: string }> = {
    'of another issuer': { claims: { iss: 'https://other.example' } },
    'for another client': { claims: { aud: 'another' } },
    'for us and others, got by another': { claims: { aud: ['duebell', 'another'], azp: 'another' } },
    'that has ended': { claims: { exp: now - 3_600 } },
    'that does not end': { claims: { exp: undefined } },
    'that begins in an hour': { claims: { nbf: now + 3_600 } },
    'without a nonce': { claims: { nonce: undefined } },
    'about nobody': { claims: { sub: '' } },
    'about somebody whose name is too long': { claims: { sub: 'a'.repeat(256) } },
    'signed by another key': { signed: (text) => sign('sha256', Buffer.from(text), stranger) },
    'signed by nobody': { alg: 'none', signed: () => Buffer.alloc(0) },
    'signed with our secret': {
      alg: 'HS256',
      signed: (text) => createHmac('sha256', 'canary-of-the-secret+/%&=:').update(text).digest(),
    },
  }

  async function answerWith(t: Parameters<typeof start>[0], one: (typeof cases)[string]) {
    const { oidc, provider, arrive, reveal } = await start(t)
    const back = await arrive()
    const { nonce } = await reveal(back.cookie)
    const usual = {
      iss: provider.issuer,
      aud: 'duebell',
      sub: 'ada',
      email: 'canary@example.org',
      iat: Math.floor(Date.now() / 1_000),
      exp: Math.floor(Date.now() / 1_000) + 60,
    }
    const token = signToken({ ...usual, nonce, ...one.claims }, one.signed, one.alg)
    const tokens = { access_token: 'canary-access', token_type: 'Bearer', id_token: token }
    provider.intercept = at('/token', json(tokens))
    return { request: oidc.finish(back), secrets: [token, nonce] }
  }

  test('never, if it is valid', async (t) => {
    const { identity } = await (await answerWith(t, {})).request
    assert.equal(identity.email, 'canary@example.org')
  })

  for (const [name, one] of Object.entries(cases))
    test(name, async (t) => {
      const { request, secrets } = await answerWith(t, one)
      await assertRefused(request, 'forbidden', /cannot be trusted/, secrets)
    })

  test('that is malformed, or in a malformed response', async (t) => {
    const { oidc, provider, arrive } = await start(t)
    const back = await arrive()
    for (const [answer, kind] of [
      [json({ access_token: 'canary', token_type: 'Bearer', id_token: 'canary' }), 'forbidden'],
      [json({ access_token: 'canary', token_type: 'Bearer' }), 'forbidden'],
      [json({ id_token: 'canary' }), 'forbidden'],
      [json({ error: 'invalid_client', error_description: 'canary' }, 400), 'unavailable'],
      [answers(200, '<p>canary'), 'unavailable'],
      [answers(200, '{"access_token":"canary"', { 'content-type': 'application/json' }), 'forbidden'],
      [answers(302, '', { location: 'https://canary.example' }), 'unavailable'],
      [answers(500, 'canary'), 'unavailable'],
    ] as const) {
      provider.intercept = at('/token', answer)
      await assertRefused(oidc.finish(back), kind, /./)
    }
  })
})

describe('userinfo of the provider', () => {
  async function finishWith(t: Parameters<typeof start>[0], claims: object) {
    const { oidc, provider, arrive } = await start(t)
    provider.intercept = at('/me', json(claims))
    return oidc.finish(await arrive())
  }

  test('must be about the same subject', async (t) => {
    await assertRefused(finishWith(t, { sub: 'bob', email: 'canary@example.org' }), 'forbidden', /cannot be trusted/)
  })

  test('has a verified address only if it says so', async (t) => {
    for (const [value, isVerified] of [
      [true, true],
      ['true', true],
      [false, false],
      ['false', false],
      [undefined, false],
      [1, false],
    ] as const) {
      const { identity } = await finishWith(t, { sub: 'ada', email: 'ada@example.org', email_verified: value })
      assert.equal(identity.emailVerified, isVerified, String(value))
    }
  })

  test('is ignored if it is not a valid address or name', async (t) => {
    for (const email of [7, '', 'ada', 'a@b@c', 'ada@example.org\r\nbcc: eve@example.org', `${'a'.repeat(320)}@b.c`]) {
      const { identity } = await finishWith(t, { sub: 'ada', email, email_verified: true, name: { first: 'Ada' } })
      assert.deepEqual([identity.email, identity.emailVerified, identity.name], [null, false, null], String(email))
    }
    const { identity } = await finishWith(t, { sub: 'ada', name: ` Ada\r\n\tLovelace\u0000${'🔔'.repeat(300)}` })
    assert.equal(identity.name, `Ada Lovelace ${'🔔'.repeat(187)}`)
  })

  test('is required: a sign-in without it fails', async (t) => {
    const { oidc, provider, arrive } = await start(t)
    provider.intercept = at('/me', answers(502, 'canary'))
    await assertRefused(oidc.finish(await arrive()), 'unavailable', /cannot be reached/)
  })
})
