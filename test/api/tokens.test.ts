import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { makeSecret } from '#actions/tokens.ts'
import { openStream } from '#kit/event-stream.ts'
import { eventually } from '#kit/eventually.ts'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import {
  clientWith,
  type LoginApp,
  password,
  signedIn,
  signIn,
  startReplicasWithLogin,
  startWithLogin,
} from '#support/accounts.ts'
import { testDatabase } from '#support/databases.ts'
import { placesOf } from '#support/dump-database.ts'
import { failingDatabase } from '#support/failing-database.ts'
import { watchQuiescence } from '#support/quiescence.ts'

/** The credentials of programs: created, shown once, with some scopes, for some time, and invalid as soon as they are revoked. */
const startAt = '2026-12-01T09:00:00Z'
const admin = ['admin'] as const

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const streamOf = (t: TestContext, url: string, token: string) => openStream(t, `${url}/v1/events`, bearer(token))

test('a token is in the response that created it, and nowhere else: the server stores its hash', async (t) => {
  const { app, root } = await startWithLogin(t, { startAt })
  const send = wireTo(app.url)
  const headers = { ...bearer(root.token), 'idempotency-key': 'again' }
  const body = { name: 'certificate watcher', scopes: ['read', 'write'] }
  const made = await send('POST', '/v1/tokens', { headers, body })
  const { token, ...rest } = made.body
  assert.match(token, /^dbl_[0-9A-Za-z]{49}$/)
  assert.deepEqual(rest, {
    id: rest.id,
    kind: 'token',
    name: 'certificate watcher',
    hint: token.slice(0, 9),
    scopes: ['read', 'write'],
    is_current: false,
    create_dt: '2026-12-01T09:00:00.000Z',
    expires_dt: null,
    last_used_dt: null,
    parent_id: (await root.client.listTokens()).tokens.find(({ name }) => name === 'set-up')?.id,
  })
  assert.equal(made.headers.get('location'), `/v1/tokens/${rest.id}`)
  assert.equal(made.headers.get('cache-control'), 'no-store')

  const again = await send('POST', '/v1/tokens', { headers, body })
  assert.notEqual(again.body.token, token, 'to repeat it, it would have to be kept')
  const { tokens } = await root.client.listTokens()
  assert.deepEqual(tokens[1], rest)

  await root.client.createTask({ title: 'to be found' })
  const { store } = app.app
  assert.ok((await placesOf(store, 'to be found')).includes('tasks'), 'the premise: what is there is found')
  for (const secret of [token, token.slice('dbl_'.length), token.slice(10, 40)])
    assert.deepEqual(await placesOf(store, secret), [], 'also not among the answers that are kept')
  const hash = createHash('sha256').update(token).digest('base64url')
  assert.ok((await placesOf(store, hash)).includes('tokens'))
  assert.ok(!app.lines.join().includes(token.slice(10)), 'nor in the log')
})

test('a token may do what its scopes allow, each including the previous one', async (t) => {
  const { root, app } = await startWithLogin(t)
  const make = async (...scopes: ('read' | 'write' | 'admin')[]) => {
    const made = await root.client.createToken({ name: 'of a test', scopes })
    return { scopes: made.scopes, client: clientWith(app.url, made.token) }
  }
  const [reading, writing, all] = [await make('read'), await make('write'), await make('admin')]
  assert.deepEqual(
    [reading.scopes, writing.scopes, all.scopes],
    [['read'], ['read', 'write'], ['read', 'write', 'admin']],
  )
  const { id } = await writing.client.createTask({ title: 'a' })
  assert.equal((await reading.client.getTask(id)).title, 'a')
  const refused = await refusal(reading.client.createTask({ title: 'b' }))
  assert.deepEqual(
    [refused.status, refused.message.includes('«write»') && refused.message.includes('«read»')],
    [403, true],
    'it says which it has, and which it would take',
  )
  assert.equal((await refusal(writing.client.deleteTasks())).status, 403, 'everything at once is another matter')
  assert.equal((await writing.client.deleteTasks({ ids: [id] })).deleted, 1)
  for (const request of [
    () => writing.client.createToken({ name: 'more', scopes: ['read'] }),
    () => writing.client.listTokens(),
    () => writing.client.updateSettings({ time_zone: 'Europe/Paris' }),
    () => writing.client.listChannels(),
    () => writing.client.purgeTrash(),
  ])
    assert.equal((await refusal(request())).status, 403)
  assert.equal((await all.client.purgeTrash()).purged, 1)
  const more = await all.client.createToken({ name: 'more', scopes: ['admin'] })
  assert.deepEqual(more.scopes, ['read', 'write', 'admin'])
})

test('it expires at the given millisecond, in the user’s own zone if the time has no offset', async (t) => {
  const { root, app } = await startWithLogin(t, { startAt })
  const { token } = await root.client.createToken({ name: 'a', scopes: [...admin], expires_dt: '2026-12-01T10:00:00Z' })
  await app.clock.advanceTo('2026-12-01T09:59:59.999Z')
  await clientWith(app.url, token).listTasks()
  await app.clock.advance(1)
  const { status, message } = await refusal(clientWith(app.url, token).listTasks())
  assert.deepEqual([status, message], [401, 'The token has expired.'])
  assert.ok(!(await root.client.listTokens()).tokens.some(({ name }) => name === 'a'), 'nor is it in the list')

  await root.client.updateSettings({ time_zone: 'Europe/Paris' })
  const local = await root.client.createToken({ name: 'b', scopes: [...admin], expires_dt: '2026-12-01T12:00' })
  assert.equal(local.expires_dt, '2026-12-01T11:00:00.000Z')
  const past = await refusal(
    root.client.createToken({ name: 'c', scopes: [...admin], expires_dt: '2026-12-01T10:00:00Z' }),
  )
  assert.deepEqual([past.status, past.problem.errors], [422, [{ pointer: '/expires_dt', detail: 'is past' }]])
})

test('faults of a new token are reported with their place', async (t) => {
  const { root, app } = await startWithLogin(t)
  const headers = bearer(root.token)
  const good = { name: 'a', scopes: ['read'] }
  for (const [change, pointer] of [
    [{ name: '' }, '/name'],
    [{ name: 'x'.repeat(101) }, '/name'],
    [{ name: 'a\0b' }, '/name'],
    [{ name: '\ud800' }, '/name'],
    [{ scopes: [] }, '/scopes'],
    [{ scopes: ['root'] }, '/scopes/0'],
    [{ scopes: ['read', 'read'] }, '/scopes'],
    [{ expires_dt: 'soon' }, '/expires_dt'],
    [{ token: 'dbl_x' }, '/token'],
  ] as const)
    assertProblem(await wireTo(app.url)('POST', '/v1/tokens', { headers, body: { ...good, ...change } }), 422, pointer)
  assert.equal((await root.client.listTokens()).tokens.filter(({ name }) => name !== 'set-up').length, 1, 'the session')
})

test('the last use is known to the minute', async (t) => {
  const { root, app } = await startWithLogin(t, { startAt })
  const { id, token } = await root.client.createToken({ name: 'a', scopes: [...admin] })
  const used = clientWith(app.url, token)
  const lastUsed = async () => (await root.client.listTokens()).tokens.find((one) => one.id === id)?.last_used_dt
  assert.equal(await lastUsed(), null)
  await used.listTasks()
  // It is written beside the request.
  await eventually('it was used', async () => (await lastUsed()) === '2026-12-01T09:00:00.000Z')
  await app.clock.advance(59_000)
  await used.listTasks()
  await app.clock.advance(1_000)
  await used.listTasks()
  await eventually('it was used again', async () => (await lastUsed()) === '2026-12-01T09:01:00.000Z')
})

test('a revoked token is invalid from the response on; a user cannot revoke another’s', async (t) => {
  const { root, add, app } = await startWithLogin(t)
  const ada = await add('ada')
  const { id, token } = await ada.client.createToken({ name: 'lost', scopes: [...admin] })
  await clientWith(app.url, token).listTasks()
  assert.equal((await refusal(root.client.revokeToken(id))).status, 404)
  assert.deepEqual(await ada.client.revokeToken(id), { id, revoked: 1 })
  assert.equal((await refusal(clientWith(app.url, token).listTasks())).status, 401)
  assert.equal((await refusal(ada.client.revokeToken(id))).status, 404)
  assert.deepEqual(
    (await ada.client.listTokens()).tokens.map(({ name }) => name),
    ['of a test', 'a browser'],
  )
})

test('the list has tokens and sessions, and marks the one of the request', async (t) => {
  const { add, app } = await startWithLogin(t)
  const ada = await add('ada')
  const page = signedIn(app.url, await signIn(app.url, 'ada'))
  const inWords = (tokens: Awaited<ReturnType<typeof page.listTokens>>['tokens']) =>
    tokens.map(({ kind, name, is_current }) => `${kind} ${name}${is_current ? ', this one' : ''}`)
  assert.deepEqual(inWords((await page.listTokens()).tokens), [
    'session a browser, this one',
    'token of a test',
    'session a browser',
  ])
  assert.deepEqual(inWords((await ada.client.listTokens()).tokens), [
    'session a browser',
    'token of a test, this one',
    'session a browser',
  ])
  const [{ id, hint, scopes } = assert.fail()] = (await page.listTokens()).tokens
  assert.match(hint, /^dbs_/)
  assert.deepEqual(scopes, ['read', 'write', 'admin'])
  await ada.client.revokeToken(id)
  assert.equal((await refusal(page.listTokens())).status, 401, 'a session is ended as a token is')
})

test('a mistyped, truncated or unknown token is recognized without a query of the database', async (t) => {
  const database = failingDatabase()
  const { app, root } = await startWithLogin(t, { wrapDatabase: database.wrap })
  await root.client.listTasks()
  const send = wireTo(app.url)
  const ask = (authorization: string) => send('GET', '/v1/tasks', { headers: { authorization } })
  const { token } = root
  const swapped = token.replace(/(.)(.)(.{20})$/, '$2$1$3')
  const looks = () => database.statements.filter((text) => /^select .*["`]hash["`] = /.test(text)).length
  const before = looks()
  for (const [i, wrong] of [
    ...Array.from({ length: 8 }, (_, i) => changedAt(token, 5 + 6 * i)),
    swapped === token ? changedAt(token, 20) : swapped,
    token.slice(0, -1),
    `${token}0`,
    token.replace('dbl_', 'dbs_'),
    token.toLowerCase(),
    'ghp_16C7e42F292c6912E7710c838347Ae178B4a',
    '',
  ].entries()) {
    const answer = await ask(`Bearer ${wrong}`)
    assertProblem(answer, 401)
    assert.ok(wrong === '' || !answer.text.includes(wrong), `what was sent is not repeated (${i})`)
  }
  assertProblem(await ask(`Basic ${Buffer.from(`root:${password}`).toString('base64')}`), 401)
  assertProblem(await send('GET', '/v1/tasks'), 401)
  assert.equal(looks(), before)
  assertProblem(await ask(`Bearer ${makeSecret('token')}`), 401)
  assert.equal(looks(), before + 1, 'the premise: one that is whole is looked for')
})

function changedAt(text: string, i: number): string {
  return text.slice(0, i) + (text[i] === 'x' ? 'y' : 'x') + text.slice(i + 1)
}

test('an invitation is no token', async (t) => {
  const { app, root } = await startWithLogin(t)
  const { invitation } = await root.client.createUser({ name: 'ada' })
  assert.equal((await refusal(clientWith(app.url, invitation?.code ?? '').listTasks())).status, 401)
})

for (const [what, end] of [
  ['revoked', ({ root }: LoginApp, id: number) => root.client.revokeToken(id)],
  ['expired', async () => {}],
] as const)
  test(`streams and long polls end within a second when their token is ${what}`, async (t) => {
    const [database, rest] = [failingDatabase(), watchQuiescence()]
    const login = await startWithLogin(t, { startAt, wrapDatabase: (dialect) => rest.wrap(database.wrap(dialect)) })
    const { app, root } = login
    rest.rule(app.clock)
    const expires_dt = '2026-12-01T09:00:10.000Z'
    const made = await root.client.createToken({ name: 'a', scopes: ['read'], expires_dt })
    const headers = { ...bearer(made.token), accept: 'application/json' }
    const [stream, other] = [await streamOf(t, app.url, made.token), await streamOf(t, app.url, root.token)]
    const before = database.statements.length
    const polling = wireTo(app.url)('GET', '/v1/events?wait=60', { headers })
    const isAsked = () => database.statements.slice(before).some((text) => text.includes('counters'))
    await eventually('the poll has looked where it is to begin', isAsked)
    await root.client.listTasks()

    await app.clock.advance(9_000)
    await end(login, made.id)
    await app.clock.advance(what === 'revoked' ? 1_000 : 2_000)
    await stream.ends()
    assertProblem(await polling, 401)
    assert.equal(
      await Promise.race([other.ends().then(() => 'ended'), root.client.listTasks().then(() => 'goes on')]),
      'goes on',
    )
  })

test('a token revoked on one replica is invalid on the others within a second', {
  skip: testDatabase === 'sqlite' && 'of an embedded database there is one server',
}, async (t) => {
  const { clock, here, there, token: first } = await startReplicasWithLogin(t)
  const root = clientWith(here.url, first)
  const { id, token } = await root.createToken({ name: 'lost', scopes: ['read'] })
  await clientWith(there.url, token).listTasks()
  const stream = await streamOf(t, there.url, token)
  await root.revokeToken(id)
  await clock.advance(1_000)
  assert.equal((await refusal(clientWith(there.url, token).listTasks())).status, 401)
  await stream.ends()
})
