import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { openBrowser } from '#kit/browser.ts'
import { answers, answersEndlessly, type Behaviour, startHttpReceiver } from '#kit/http-receiver.ts'
import { signInAt } from '#kit/oidc-provider.ts'
import { selfSigned } from '#kit/self-signed.ts'
import { flood } from '#test/channels/floods.ts'
import { assertRefused, at, causeOf, json, redirectUri, start } from './sign-in.ts'

describe('signing in through a provider', () => {
  test('returns the subject, and the requested page', async (t) => {
    const { oidc, provider, arrive } = await start(t)
    const { issuer } = provider
    assert.deepEqual(await oidc.finish(await arrive('ada')), {
      identity: { issuer, subject: 'ada', email: 'ada@example.org', emailVerified: true, name: 'Ada Lovelace' },
      returnTo: '/tasks/7',
    })
    const { identity: bob } = await oidc.finish(await arrive('bob'))
    assert.deepEqual(bob, { issuer, subject: 'bob', email: 'bob@example.org', emailVerified: false, name: null })
    const { identity: eve } = await oidc.finish(await arrive('eve'))
    assert.deepEqual(eve, { issuer, subject: 'eve', email: null, emailVerified: false, name: null })
  })

  test('uses PKCE, state and nonce, each different every time, and shows the browser nothing else', async (t) => {
    const { oidc, reveal } = await start(t)
    const [one, other] = [await oidc.begin({}), await oidc.begin({})]
    const query = new URL(one.location).searchParams
    assert.deepEqual(
      ['response_type', 'code_challenge_method', 'scope', 'redirect_uri'].map((name) => query.get(name)),
      ['code', 'S256', 'openid email profile', redirectUri],
    )
    const { state, nonce, verifier } = await reveal(one.cookie)
    assert.deepEqual([query.get('state'), query.get('nonce')], [state, nonce])
    assert.ok(!one.location.includes(verifier))
    for (const hidden of [state, nonce, verifier]) {
      assert.ok(hidden.length >= 43, 'it is 256 bits long')
      assert.ok(!Object.values(await reveal(other.cookie)).includes(hidden))
    }
    assert.match(one.cookie, /^[\w.-]{100,1000}$/)
  })

  test('begun on one replica can finish on another, under any name of the server', async (t) => {
    const { arrive, replica } = await start(t)
    const { cookie, url } = await arrive()
    const { identity } = await replica().finish({ cookie, url: `/auth/oidc/callback${new URL(url).search}` })
    assert.equal(identity.subject, 'ada')
  })

  test('requests no userinfo that the ID token already has', async (t) => {
    const { oidc, provider, arrive } = await start(t, { hasClaimsInIdToken: true })
    const { email, emailVerified, name } = (await oidc.finish(await arrive())).identity
    assert.deepEqual([email, emailVerified, name], ['ada@example.org', true, 'Ada Lovelace'])
    assert.ok(!provider.asked.includes('GET /me'))
  })

  for (const clientAuth of ['client_secret_post', 'none'] as const)
    test(`a client that authenticates by ${clientAuth} works`, async (t) => {
      const { oidc, arrive } = await start(t, { clientAuth })
      assert.equal((await oidc.finish(await arrive())).identity.subject, 'ada')
    })

  test("uses TLS, if the provider's certificate is trusted", async (t) => {
    const stranger = await start(t, { isSecure: true })
    const problem = await assertRefused(stranger.oidc.begin({}), 'unavailable', /cannot be reached/)
    assert.match(causeOf(problem), /DEPTH_ZERO_SELF_SIGNED_CERT/)

    const usual = getCACertificates('default')
    setDefaultCACertificates([...usual, selfSigned.cert])
    t.after(() => setDefaultCACertificates(usual))
    const { oidc, arrive } = await start(t, { isSecure: true })
    assert.equal((await oidc.finish(await arrive())).identity.subject, 'ada')
  })

  test('redirects a browser there and back, with a temporary cookie', async (t) => {
    const answer: { now: Behaviour } = { now: answers(404) }
    const own = await startHttpReceiver(t, (request, response) => answer.now(request, response))
    const callback = `${own.url}/auth/oidc/callback`
    const { provider, replica } = await start(t, { redirectUri: callback })
    const oidc = replica({ redirectUri: callback })
    const browser = openBrowser()
    answer.now = async ({ path, headers }, response) => {
      const cookie = /sign-in=([\w.-]+)/.exec(headers.cookie ?? '')?.[1]
      if (path === '/auth/oidc') {
        const begun = await oidc.begin({ returnTo: '/welcome' })
        const attributes = `Path=/auth/oidc; Max-Age=600; HttpOnly; SameSite=Lax`
        response
          .writeHead(303, { location: begun.location, 'set-cookie': `sign-in=${begun.cookie}; ${attributes}` })
          .end()
      } else if (path.startsWith('/auth/oidc/callback?')) {
        const { returnTo, identity } = await oidc.finish({ cookie, url: path })
        const cookies = ['sign-in=; Path=/auth/oidc; Max-Age=0', `who=${identity.subject}; Path=/`]
        response.writeHead(303, { location: returnTo, 'set-cookie': cookies }).end()
      } else response.end(`${path} ${headers.cookie}`)
    }
    const page = await signInAt(provider, browser, `${own.url}/auth/oidc`, 'ada')
    assert.equal(page.url, `${own.url}/welcome`)
    assert.match(page.text, /^\/welcome .*\bwho=ada\b/)
    assert.ok(!browser.cookies(callback).some((one) => one.startsWith('sign-in=')))

    const again = await browser.open(`${own.url}/auth/oidc`)
    assert.equal(again.url, `${own.url}/welcome`, 'known there, so without a form')
  })

  test('redirects to no other server', async (t) => {
    const { oidc, reveal } = await start(t)
    const { cookie } = await oidc.begin({ returnTo: 'https://evil.example/' })
    assert.equal((await reveal(cookie)).returnTo, '/')
  })
})

const discovery = '/.well-known/openid-configuration'
const timesAsked = ({ asked }: { asked: string[] }) => asked.filter((one) => one === `GET ${discovery}`).length

describe('an unavailable provider', () => {
  test('is asked again after ten seconds, however many people wait', async (t) => {
    const { oidc, provider, clock } = await start(t)
    assert.equal(timesAsked(provider), 0, 'not before somebody wants to sign in')
    provider.intercept = at(discovery, answers(503))
    const request = () => assertRefused(oidc.begin({}), 'unavailable', /cannot be reached just now\. Try again/)
    const [problem] = await Promise.all([request(), request(), request()])
    assert.equal(problem?.extras.retryAfterMs, 10_000)
    assert.match(causeOf(await request()), /it answered 503/)
    provider.intercept = () => false
    await clock.advance(9_999)
    await request()
    assert.equal(timesAsked(provider), 1)
    await clock.advance(1)
    await oidc.begin({})
    assert.equal(timesAsked(provider), 2)
  })

  test('delays no sign-in for longer if the clock was set back', async (t) => {
    const { oidc, provider, clock } = await start(t)
    await provider.stop()
    await assertRefused(oidc.begin({}), 'unavailable', /cannot be reached/)
    await provider.start()
    clock.set(clock.now() - 86_400_000)
    await oidc.begin({})
  })

  test('is reported whether it is silent or refuses connections, at the beginning of a sign-in and at its end', async (t) => {
    const { provider, arrive, replica } = await start(t)
    const { cookie, url } = await arrive()
    const code = new URL(url).searchParams.get('code') as string
    const impatient = replica({ callMs: 1_000 }) // the maximum duration on a busy machine
    await impatient.begin({})
    const requests = [() => replica({ callMs: 1_000 }).begin({}), () => impatient.finish({ cookie, url })]
    async function assertAway(why: RegExp) {
      for (const request of requests)
        assert.match(causeOf(await assertRefused(request(), 'unavailable', /cannot be reached/, [code])), why)
    }
    provider.intercept = () => true
    await assertAway(/timed out/)
    await provider.stop()
    await assertAway(/ECONNREFUSED|UND_ERR_SOCKET/)
    await provider.start()
    provider.intercept = () => false
    assert.equal((await replica().finish({ cookie, url })).identity.subject, 'ada', 'it can still be finished')
  })

  test('is cached for an hour, then checked again, and is kept for longer while that fails', async (t) => {
    const { oidc, provider, clock } = await start(t)
    await oidc.begin({})
    await clock.advance(3_599_999)
    await oidc.begin({})
    assert.equal(timesAsked(provider), 1)
    await clock.advance(1)
    provider.intercept = at(discovery, answers(500))
    await oidc.begin({})
    await oidc.begin({})
    assert.equal(timesAsked(provider), 2, 'every ten seconds here too')
    provider.intercept = () => false
    await clock.advance(10_000)
    await oidc.begin({})
    await oidc.begin({})
    assert.equal(timesAsked(provider), 3)
  })
})

describe('a misconfigured provider', () => {
  async function assertUnusable(t: TestContext, describe: (issuer: string) => object, why: RegExp) {
    const { oidc, provider } = await start(t)
    provider.intercept = at(discovery, json(describe(provider.issuer)))
    assert.match(causeOf(await assertRefused(oidc.begin({}), 'unavailable', /./)), why)
  }

  test('has another issuer: the log has both', async (t) => {
    await assertUnusable(t, (issuer) => ({ issuer: `${issuer}/realm/` }), /its issuer is http.*\/realm\/, and must/)
  })

  test('has an authorization endpoint without TLS', async (t) => {
    const authorization_endpoint = 'http://provider.example/auth'
    await assertUnusable(t, (issuer) => ({ issuer, authorization_endpoint }), /an address without TLS/)
  })

  test('has a token endpoint without TLS', async (t) => {
    const { oidc, provider, arrive } = await start(t)
    provider.intercept = at(
      discovery,
      json({
        issuer: provider.issuer,
        authorization_endpoint: `${provider.issuer}/auth`,
        token_endpoint: 'http://169.254.169.254/token',
        id_token_signing_alg_values_supported: ['RS256'],
      }),
    )
    const problem = await assertRefused(oidc.finish(await arrive()), 'unavailable', /./)
    assert.match(causeOf(problem), /an address without TLS/)
  })

  test('has no authorization endpoint', (t) => assertUnusable(t, (issuer) => ({ issuer }), /authorization_endpoint/))

  for (const status of ['100 Continue', '102 Processing', '103 Early Hints'])
    test(`responds with ${status} without an end`, async (t) => {
      const { oidc, provider } = await start(t)
      const sent = Promise.withResolvers<number>()
      provider.intercept = at(discovery, (_, response) => {
        flood(response.socket as Socket, `HTTP/1.1 ${status}\r\n\r\n`).then(sent.resolve)
      })
      const problem = await assertRefused(oidc.begin({}), 'unavailable', /cannot be reached just now/)
      assert.match(causeOf(problem), /kept sending data that is no response/)
      assert.ok((await sent.promise) < 24 * 1024 * 1024)
    })

  test('redirects us elsewhere, responds with a page, or never ends', async (t) => {
    const elsewhere = await startHttpReceiver(t, answers(200, '{}'))
    for (const [behaviour, why] of [
      [answers(302, '', { location: elsewhere.url }), /it answered 302/],
      [answers(200, '<h1>Welcome</h1>', { 'content-type': 'text/html' }), /content-type/],
      [answersEndlessly(200), /a response of more than 256 KiB/],
      [answers(204), /it answered 204/],
    ] as const) {
      const { oidc, provider } = await start(t)
      provider.intercept = at(discovery, behaviour)
      assert.match(causeOf(await assertRefused(oidc.begin({}), 'unavailable', /./)), why)
    }
    assert.equal(elsewhere.requests.length, 0)
  })

  test('refuses our secret: the log says so, without the secret', async (t) => {
    const { replica, arrive } = await start(t)
    const { cookie, url } = await arrive()
    const request = replica({ clientSecret: 'another canary' }).finish({ cookie, url })
    const problem = await assertRefused(request, 'unavailable', /is not configured correctly/)
    assert.match(causeOf(problem), /401/)
  })
})
