import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Browser, openBrowser, type Page } from '#kit/browser.ts'
import { type Account, signInAt, startOidcProvider } from '#kit/oidc-provider.ts'
import { password, signIn, startWithLogin } from '#support/accounts.ts'

/** Sign-in through an OpenID Connect provider: the browser goes there and comes back, and this server knows the user. */
const ofPublic = 'http://127.0.0.1:1'
const redirectUri = `${ofPublic}/auth/oidc/callback`

async function start(t: TestContext, accounts: Account[], more: readonly string[] = []) {
  const provider = await startOidcProvider(t, { redirectUri, accounts, clientAuth: 'none' })
  const at = [`--oidc-issuer=${provider.issuer}`, `--oidc-client-id=${provider.clientId}`, `--public-url=${ofPublic}`]
  const flags = ['--login', ...at, '--oidc-name=Sesame', ...more]
  const login = await startWithLogin(t, { flags })
  const { app } = login
  const browse = () => openBrowser({ stopsAt: redirectUri })
  /** The names of the cookies that this server has set; those of the provider are of the same host. */
  const ours = (browser: Browser) => browser.cookies(app.url).flatMap((one) => /^(__Host-[^=]*)=/.exec(one)?.[1] ?? [])

  /** There is no proxy in front of this server: redirects of the provider to the public address are sent to the server's own. */
  const comeBack = (browser: Browser, { url }: Page) =>
    browser.open(`${app.url}/auth/oidc/callback${new URL(url).search}`)

  async function arrive(sub: string, { returnTo = '/v1/session', browser = browse() } = {}) {
    const begin = `${app.url}/auth/oidc?return_to=${encodeURIComponent(returnTo)}`
    const page = await comeBack(browser, await signInAt(provider, browser, begin, sub))
    return { ...page, cookies: ours(browser) }
  }

  /** The user of these cookies. */
  async function userOf(sub: string) {
    const { status, text, cookies, url } = await arrive(sub)
    assert.deepEqual([status, url, cookies], [200, `${app.url}/v1/session`, ['__Host-duebell']], text)
    const { user, by } = JSON.parse(text)
    assert.equal(by, 'session')
    return user
  }
  return { ...login, flags, provider, ours, browse, comeBack, arrive, userOf }
}

/** Checks that the browser is not signed in, and that a page says why. */
function assertRefused(
  { status, headers, text, cookies }: Page & { cookies: string[] },
  expected: number,
  words: RegExp,
) {
  assert.equal(status, expected, text)
  assert.equal(headers.get('content-type'), 'text/html; charset=utf-8')
  assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none';/)
  assert.equal(headers.get('cache-control'), 'no-store')
  const [, sentence = ''] = /<p>(.*?)<\/p>/.exec(text) ?? []
  assert.match(sentence, words)
  assert.match(sentence, /^[A-Z].*\.$/)
  assert.ok(text.includes('href="/sign-in"'), 'and how it goes on')
  assert.deepEqual(cookies, [], 'neither a session nor what was begun')
}

const ada = { sub: '1815', email: 'Ada@Example.org', email_verified: true, name: 'Ada Lovelace' }

test("a user created with an address is matched by it once, and from then on by the provider's subject", async (t) => {
  const accounts: Account[] = [{ ...ada }, { sub: 'thief', email: 'ada@example.org', email_verified: true }]
  const { root, arrive, userOf, app, flags } = await start(t, accounts)
  assert.deepEqual((await root.client.getSession()).sign_in, { required: true, password: true, provider: 'Sesame' })
  const { id } = await root.client.createUser({ name: 'ada', email: 'ada@example.org' })
  const user = await userOf(ada.sub)
  assert.deepEqual([user.id, user.name, user.role], [id, 'ada', 'member'])

  accounts[0] = { sub: ada.sub, email: 'countess@example.org', email_verified: false }
  assert.equal((await userOf(ada.sub)).id, id, 'whatever address she has there')
  await (await root.page()).updateUser(id, { email: 'lovelace@example.org' })
  assert.equal((await userOf(ada.sub)).id, id, 'or here')

  await (await root.page()).updateUser(id, { email: 'ada@example.org' })
  assertRefused(await arrive('thief'), 403, /no account here for ada@example\.org/)
  await app.restart({ flags: [...flags, '--oidc-new-users'] })
  assertRefused(await arrive('thief'), 403, /no account here/)
  assert.equal((await root.client.listUsers()).users.length, 2)
})

test('an address that the provider did not verify, or that no user has, is refused', async (t) => {
  const { root, arrive } = await start(t, [
    { sub: 'unverified', email: 'ada@example.org', email_verified: false },
    { sub: 'silent', email: 'ada@example.org' },
    { sub: 'stranger', email: 'eve@example.org', email_verified: true },
    { sub: 'nameless' },
  ])
  await root.client.createUser({ name: 'ada', email: 'ada@example.org' })
  for (const sub of ['unverified', 'silent', 'nameless'])
    assertRefused(await arrive(sub), 403, /no account here for you/)
  assertRefused(await arrive('stranger'), 403, /no account here for eve@example\.org\. Ask an administrator/)
  assert.equal((await root.client.listUsers()).users.length, 2)
})

test('with --oidc-new-users unknown people are signed in, each as a new member', async (t) => {
  const accounts = [
    ada,
    { sub: '2', name: 'Ada  LOVELACE!' },
    { sub: '3', email: 'émile@example.org', email_verified: true },
    { sub: '4', email: 'unverified@example.org', name: '日本' },
    { sub: '5', email: `${'x'.repeat(250)}@example.org`, email_verified: true },
  ]
  const { root, arrive, userOf } = await start(t, accounts, ['--oidc-new-users'])
  await root.client.createTask({ title: 'of root' })
  const users = []
  for (const { sub } of accounts) users.push(await userOf(sub))
  assert.deepEqual(
    users.map(({ name, email, role }) => [name, email, role]),
    [
      ['ada-lovelace', 'ada@example.org', 'member'],
      ['ada-lovelace-2', null, 'member'],
      ['emile', 'émile@example.org', 'member'],
      ['user', null, 'member'],
      ['user-2', null, 'member'],
    ],
  )
  assert.equal((await userOf(ada.sub)).id, users[0].id, 'and is the same the next time')
  const { text } = await arrive(ada.sub, { returnTo: '/v1/tasks' })
  assert.deepEqual(JSON.parse(text).tasks, [], 'what was there is not hers')
})

test('a disabled user gets a page that says so, and is not signed in', async (t) => {
  const { root, arrive, userOf } = await start(t, [ada])
  const { id } = await root.client.createUser({ name: 'ada', email: 'ada@example.org' })
  await userOf(ada.sub)
  await root.client.updateUser(id, { disabled: true })
  assertRefused(await arrive(ada.sub), 403, /disabled/)
})

test('after sign-in the browser is on the requested page, and never at another site', async (t) => {
  const { app, arrive } = await start(t, [ada], ['--oidc-new-users'])
  for (const [returnTo, path] of [
    ['/v1/tasks?tag=a%20b', '/v1/tasks?tag=a%20b'],
    ['https://evil.example/', '/'],
    ['//evil.example/', '/'],
    ['', '/'],
  ] as const)
    assert.equal((await arrive(ada.sub, { returnTo })).url, app.url + path, returnTo)
})

test('the sign-in is in the audit log, without tokens and codes, or the requested page', async (t) => {
  const { app, root, arrive } = await start(t, [ada], ['--oidc-new-users'])
  await arrive(ada.sub, { returnTo: `/v1/session?then=${root.token}` })
  await fetch(`${app.url}/auth/oidc/callback?code=hush&state=hush`)
  const { entries } = await root.client.listAudit({ operation: 'signIn' })
  assert.deepEqual(
    entries.map(({ user, object, status }) => [user, object, status]),
    [
      [null, '/auth/oidc/callback', 400],
      ['ada-lovelace', '/auth/oidc/callback', 302],
    ],
  )
})

test('every failure during sign-in is a page with a sentence, and its status', async (t) => {
  const { app, provider, browse, comeBack, arrive, ours } = await start(t, [ada], ['--oidc-new-users'])
  const callback = async (query: string, browser = browse()) => {
    const page = await browser.open(`${app.url}/auth/oidc/callback${query}`)
    return { ...page, cookies: ours(browser) }
  }
  assertRefused(await callback(''), 400, /Start one at/)
  assertRefused(await callback('?code=a&state=b'), 400, /No sign-in is in progress/)

  const undecided = browse()
  const atProvider = await undecided.open(`${app.url}/auth/oidc`)
  const back = await comeBack(undecided, await atProvider.submit({ cancel: '' }))
  assertRefused({ ...back, cookies: ours(undecided) }, 403, /cancelled/)

  const twice = browse()
  const done = await signInAt(provider, twice, `${app.url}/auth/oidc`, ada.sub)
  await comeBack(twice, done)
  const again = await comeBack(twice, done)
  assert.equal(again.status, 400, 'what was finished once is not finished again')
  assert.deepEqual(ours(twice), ['__Host-duebell'], 'whoever is signed in stays so')

  const late = browse()
  const tooLate = await signInAt(provider, late, `${app.url}/auth/oidc`, ada.sub)
  app.clock.set(app.clock.now() + 600_000)
  assertRefused({ ...(await comeBack(late, tooLate)), cookies: ours(late) }, 403, /longer than 10 minutes/)

  await provider.stop()
  const away = browse()
  await app.restart()
  const page = await away.open(`${app.url}/auth/oidc`)
  assertRefused({ ...page, cookies: ours(away) }, 503, /cannot be reached just now/)
  await provider.start()
  await app.clock.advance(60_000)
  assert.equal((await arrive(ada.sub)).status, 200, 'it is asked again')
  assert.ok(!app.lines.join().includes('code='), 'nothing of it is in the log')
})

test('a user with both can sign in with either', async (t) => {
  const { app, root, userOf } = await start(t, [ada])
  const { id } = await root.client.createUser({ name: 'ada', email: 'ada@example.org', password })
  assert.equal((await userOf(ada.sub)).id, id)
  await signIn(app.url, 'ada')
})
