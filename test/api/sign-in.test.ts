import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issue } from '#actions/tokens.ts'
import { eventually } from '#kit/eventually.ts'
import { assertProblem, rawRequest, refusal, wireTo } from '#kit/http-requests.ts'
import { saveUser } from '#store/user-writes.ts'
import { builtInUserId } from '#store/users.ts'
import { clientWith, password, sessionOf, setUpCode, signedIn, signIn, startWithLogin } from '#support/accounts.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

/** Signing in, staying signed in, and signing out. */
const startAt = '2026-12-01T09:00:00Z'
const dayMs = 86_400_000
const newPassword = 'nine bees in a jar'
const login = ['--login']

const linesWithLinks = ({ lines }: TestApp) => lines.filter((line) => line.includes('/set-up#'))

test('a server without a user who can sign in prints a setup link, which works once', async (t) => {
  const app = await startTestApp(t, { startAt, flags: login })
  const [line = ''] = linesWithLinks(app)
  assert.ok(line.includes(`Set this server up, once and within a day: ${app.url}/set-up#dbi_`), line)
  const code = setUpCode(app.lines) ?? ''
  const withoutName = await refusal(app.client.acceptInvitation({ code, password }))
  assert.deepEqual(
    [withoutName.status, withoutName.problem.errors],
    [422, [{ pointer: '/name', detail: 'is missing' }]],
  )

  const { user, token } = await app.client.acceptInvitation({ code, name: 'ada', password })
  assert.deepEqual([user.id, user.name, user.role], [builtInUserId, 'ada', 'admin'])
  assert.equal((await clientWith(app.url, token ?? '').listUsers()).users.length, 1, 'with a token for everything')
  await signIn(app.url, 'ada')
  assert.equal((await refusal(app.client.acceptInvitation({ code, name: 'eve', password }))).status, 401)

  await app.restart()
  assert.equal(linesWithLinks(app).length, 1, 'the next start prints none')
})

test('the link is valid for a day; the next start prints another', async (t) => {
  const app = await startTestApp(t, { startAt, flags: [...login, '--public-url=https://tasks.example.org/'] })
  const first = setUpCode(app.lines) ?? ''
  assert.ok(linesWithLinks(app)[0]?.includes(' https://tasks.example.org/set-up#dbi_'))
  app.clock.set(app.clock.now() + dayMs)
  const late = await refusal(app.client.acceptInvitation({ code: first, name: 'ada', password }))
  assert.equal(late.status, 401)
  await app.restart()
  const second = setUpCode(app.lines) ?? ''
  assert.notEqual(second, first)
  await app.client.acceptInvitation({ code: second, name: 'ada', password })
})

test('none is printed without --login, nor if an administrator can sign in', async (t) => {
  const app = await startTestApp(t, { startAt })
  const asFirst = (change: Parameters<typeof saveUser>[2]) =>
    app.app.store.transact((tx) => saveUser(tx, builtInUserId, change))
  const printsOne = async () => {
    const before = linesWithLinks(app).length
    await app.restart({ flags: login })
    return linesWithLinks(app).length > before
  }
  await app.restart()
  assert.equal(linesWithLinks(app).length, 0)
  // A user who can sign in, and cannot help the others to.
  await app.client.createToken({ name: 'dashboard', scopes: ['read'] })
  await app.client.createUser({ name: 'member', password })
  assert.ok(await printsOne())

  await asFirst({ identity: 'https://id.example.org 7' })
  assert.ok(!(await printsOne()), 'by a provider')
  await asFirst({ identity: null })
  assert.ok(await printsOne())
  await asFirst({ password: 'a hash' })
  assert.ok(!(await printsOne()), 'by a password')
  await asFirst({ password: null })
  const expiresAt = app.clock.now() + dayMs
  await app.app.store.transact((tx, now) =>
    issue(tx, builtInUserId, 'token', { name: 'a', scope: 'admin', expiresAt }, now),
  )
  assert.ok(!(await printsOne()), 'by a token')
  app.clock.set(expiresAt)
  assert.ok(await printsOne(), 'which has expired')
})

test('signing in gives a browser a session, and returns its user', async (t) => {
  const { app, add } = await startWithLogin(t, { startAt })
  const ada = await add('ada', { email: 'ada@example.org' })
  const send = wireTo(app.url)
  const how = { required: true, password: true, provider: null }
  const anonymous = await send('GET', '/v1/session')
  assert.deepEqual(anonymous.body, { user: null, scopes: [], by: null, sign_in: how })

  for (const name of ['ada', 'Ada', 'ADA@example.ORG', 'ada@example.org']) {
    const { status, headers, body } = await send('POST', '/v1/session', { body: { login: name, password } })
    assert.equal(status, 200, name)
    const [cookie = ''] = headers.getSetCookie()
    assert.match(
      cookie,
      /^__Host-duebell=dbs_[0-9A-Za-z]{49}; Path=\/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax$/,
    )
    assert.equal(headers.get('cache-control'), 'no-store')
    const wanted = { user: body.user, scopes: ['read', 'write', 'admin'], by: 'session', sign_in: how }
    assert.deepEqual([body, body.user.id], [wanted, ada.id])
    const session = sessionOf(headers) ?? ''
    assert.deepEqual(await signedIn(app.url, session).getSession(), body)
    assert.ok(!JSON.stringify(body).includes(session.slice(-20)), 'a page cannot read it')
  }
})

test('a wrong password and an unknown name get the same response', async (t) => {
  const { app, root } = await startWithLogin(t)
  await root.client.createUser({ name: 'invited' })
  const answers = await Promise.all(
    [
      ['root', 'wrong'],
      ['root', ''],
      ['root', password.toUpperCase()],
      ['nobody', password],
      ['nobody@example.org', password],
      ['invited', password],
      ["' or 1=1 --", password],
    ].map(([login, password]) => wireTo(app.url)('POST', '/v1/session', { body: { login, password } })),
  )
  for (const answer of answers) {
    assertProblem(answer, 401)
    assert.deepEqual({ ...answer.body, request_id: '' }, { ...answers[0]?.body, request_id: '' })
    assert.deepEqual(answer.headers.getSetCookie(), [])
  }
  assertProblem(await wireTo(app.url)('POST', '/v1/session', { body: { login: 'root' } }), 422, '/password')
})

test('a password is not accepted over plain HTTP, except from the machine itself', async (t) => {
  const { app } = await startWithLogin(t)
  const { port } = new URL(app.url)
  const post = (host: string, secret = password) => {
    const body = JSON.stringify({ login: 'root', password: secret })
    const head = ['POST /v1/session HTTP/1.1', `Host: ${host}`, 'Content-Type: application/json']
    return rawRequest(app.url, [...head, `Content-Length: ${body.length}`], body)
  }
  for (const host of ['tasks.example', 'tasks.example:8888', '192.168.1.7', 'localhost.example']) {
    const [right, wrong] = [await post(host), await post(host, 'something else')]
    assertProblem(right, 403, 'https')
    assert.deepEqual({ ...right.body, request_id: '' }, { ...wrong.body, request_id: '' }, 'nor is it looked at')
    assert.equal(right.headers.get('set-cookie'), null)
  }
  for (const host of ['localhost', `127.0.0.1:${port}`, '[::1]'])
    assert.match((await post(host)).headers.get('set-cookie') ?? '', /^__Host-duebell=dbs_/, host)
})

test('a session lasts as long as it is used, and ends after a month without use; so does its cookie', async (t) => {
  const { app } = await startWithLogin(t, { startAt })
  const cookie = await signIn(app.url, 'root')
  const list = () => wireTo(app.url)('GET', '/v1/tasks', { headers: { cookie } })
  const to = (day: number, ms = 0) => app.clock.set(Date.parse(startAt) + day * dayMs + ms)
  const { db } = app.app.store
  const endsAt = async () =>
    (
      await db.selectFrom('tokens').select('expires_at').where('kind', '=', 'session').orderBy('id', 'desc').execute()
    )[0]?.expires_at
  to(1, -1)
  assert.deepEqual((await list()).headers.getSetCookie(), [], 'once a day is enough')
  to(20)
  const used = await list()
  assert.equal(used.status, 200)
  assert.deepEqual(used.headers.getSetCookie(), [`${cookie}; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax`])
  // It is written beside the request.
  await eventually('it is prolonged', async () => (await endsAt()) === Date.parse(startAt) + 50 * dayMs)
  to(50, -1)
  assert.equal((await wireTo(app.url)('GET', '/v1/session', { headers: { cookie } })).headers.getSetCookie().length, 1)
  await eventually('it is prolonged again', async () => (await endsAt()) === Date.parse(startAt) + 80 * dayMs - 1)
  to(80, -2)
  assert.equal((await list()).status, 200)
  await eventually('and again', async () => ((await endsAt()) ?? 0) > Date.parse(startAt) + 100 * dayMs)
  to(110, -2)
  const over = await list()
  assertProblem(over, 401, 'The session has expired. Sign in again.')
  assert.deepEqual(over.headers.getSetCookie(), [])
})

test('signing out ends the session, for every copy of its cookie', async (t) => {
  const { app, root } = await startWithLogin(t)
  const [cookie, other] = [await signIn(app.url, 'root'), await signIn(app.url, 'root')]
  await signedIn(app.url, cookie).listTasks()
  const out = await wireTo(app.url)('DELETE', '/v1/session', { headers: { cookie } })
  assert.deepEqual([out.status, out.body], [200, { signed_out: true }])
  assert.deepEqual(out.headers.getSetCookie(), ['__Host-duebell=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax'])
  assert.equal((await refusal(signedIn(app.url, cookie).listTasks())).status, 401)
  await signedIn(app.url, other).listTasks()
  assert.deepEqual(await root.client.signOut(), { signed_out: false })
  await root.client.listTasks()
})

test('a new password needs the current one, and ends all sessions but this', async (t) => {
  const { app, add } = await startWithLogin(t)
  const ada = await add('ada')
  const [here, there] = [
    signedIn(app.url, await signIn(app.url, 'ada')),
    signedIn(app.url, await signIn(app.url, 'ada')),
  ]
  for (const current of ['something else', '', undefined]) {
    const change = { password: newPassword, ...(current !== undefined && { current }) }
    const { status, message } = await refusal(here.changePassword(change))
    assert.deepEqual([status, message], [403, 'The present password is not right.'])
  }
  for (const poor of ['short', 'adaadaadaada', 'aaaaaaaaaaaa']) {
    const { status, problem } = await refusal(here.changePassword({ current: password, password: poor }))
    const pointers = problem.errors?.map((error) => ('pointer' in error ? error.pointer : ''))
    assert.deepEqual([status, pointers], [422, ['/password']], poor)
  }
  await there.listTasks()
  assert.deepEqual(await here.changePassword({ current: password, password: newPassword }), {
    changed: true,
    sessions_ended: 2,
    tokens_revoked: 0,
  })
  await here.listTasks()
  assert.equal((await refusal(there.listTasks())).status, 401)
  await ada.client.listTasks()
  assert.equal((await refusal(app.client.signIn({ login: 'ada', password }))).status, 401)
  const again = signedIn(app.url, await signIn(app.url, 'ada', newPassword))
  await again.changePassword({ current: newPassword, password })
  assert.equal((await refusal(here.listTasks())).status, 401)
})

test('a session is for pages of the server: for a page of another site it does not count', async (t) => {
  const { app } = await startWithLogin(t)
  const cookie = await signIn(app.url, 'root')
  const send = wireTo(app.url)
  const { host } = new URL(app.url)
  for (const origin of [
    'https://evil.example',
    'null',
    `http://${host}.evil.example`,
    'http://127.0.0.1:1',
    'nonsense',
  ]) {
    const headers = { cookie, origin }
    assertProblem(await send('GET', '/v1/tasks', { headers }), 401)
    assert.equal((await send('GET', '/v1/session', { headers })).body.user, null)
    assertProblem(await send('POST', '/v1/tasks', { headers, body: { title: 'a' } }), 403, 'another site')
  }
  for (const headers of [{ cookie }, { cookie, origin: `http://${host}` }, { cookie: `a=b; ${cookie}; c=d` }])
    assert.equal((await send('POST', '/v1/tasks', { headers, body: { title: 'a' } })).status, 200)
  const [name, secret = ''] = cookie.split('=')
  for (const wrong of [`x${name}=${secret}`, `${name}=${secret.slice(0, -1)}`, `${name}=`, `${name}="${secret}"`])
    assertProblem(await send('GET', '/v1/tasks', { headers: { cookie: wrong } }), 401)
  // A request with a token uses the token, whatever session the browser has besides.
  assertProblem(await send('GET', '/v1/tasks', { headers: { cookie, authorization: 'Bearer dbl_x' } }), 401)
})

test('turning login on and off does not affect existing data', async (t) => {
  const app = await startTestApp(t, { startAt, channels: [] })
  await app.client.createChannel({ name: 'Phone', kind: 'recording' })
  await app.client.updateSettings({ default_reminders: ['PT30M'] })
  const before = await app.client.createTask({ title: 'before', expiry_dt: '2026-12-02T09:00:00Z' })
  const open = await app.client.getSession()
  assert.deepEqual([open.user?.id, open.user?.name, open.sign_in.required], [builtInUserId, null, false])

  await app.restart({ flags: login })
  assert.equal((await refusal(app.client.listTasks())).status, 401)
  const { token } = await app.client.acceptInvitation({ code: setUpCode(app.lines) ?? '', name: 'ada', password })
  const ada = clientWith(app.url, token ?? '')
  assert.deepEqual((await ada.listTasks()).tasks, [before])
  assert.ok((await ada.listChannels()).channels.some(({ name }) => name === 'Phone'))
  assert.deepEqual((await ada.getSettings()).default_reminders, ['PT30M'])
  await ada.createTask({ title: 'meanwhile' })
  const cookie = await signIn(app.url, 'ada')

  await app.restart()
  assert.deepEqual(
    (await app.client.listTasks()).tasks.map(({ title }) => title),
    ['before', 'meanwhile'],
  )
  assert.equal((await app.client.listUsers()).users[0]?.name, 'ada')
  await clientWith(app.url, token ?? '').listTasks()
  assert.equal((await refusal(clientWith(app.url, 'dbl_x').listTasks())).status, 401)
  // A browser keeps sending a cookie that it once got, here or on another port of this machine.
  for (const stale of [cookie, `${cookie.slice(0, -3)}xyz`])
    assert.equal((await signedIn(app.url, stale).listTasks()).tasks.length, 2)

  await app.restart({ flags: login })
  assert.equal((await signedIn(app.url, cookie).listTasks()).tasks.length, 2)
})
