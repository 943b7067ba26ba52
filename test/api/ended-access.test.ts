import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changePassword, signIn as signInAs } from '#actions/sign-in.ts'
import { createToken, issue } from '#actions/tokens.ts'
import { Problem } from '#core/problem.ts'
import { openStream } from '#kit/event-stream.ts'
import { eventually } from '#kit/eventually.ts'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { saveUser } from '#store/user-writes.ts'
import { getUser } from '#store/users.ts'
import {
  type Account,
  clientWith,
  password,
  signedIn,
  signIn,
  startReplicasWithLogin,
  startWithLogin,
} from '#support/accounts.ts'
import { testDatabase } from '#support/databases.ts'
import { failingDatabase } from '#support/failing-database.ts'
import type { TestApp } from '#support/test-app.ts'

/** Ended access stays ended: in another session, by a token, and in requests in flight. */
const newPassword = 'nine bees in a jar'
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Every credential of a user. */
async function waysIn({ url }: TestApp, { name, token, client }: Account) {
  const cookie = await signIn(url, name)
  const child = await client.createToken({ name: 'child', scopes: ['read'] })
  return { token: bearer(token), session: { cookie }, child: bearer(child.token) }
}

async function assertEnded({ url }: TestApp, ways: Awaited<ReturnType<typeof waysIn>>) {
  for (const [way, headers] of Object.entries(ways))
    assert.equal((await wireTo(url)('GET', '/v1/tasks', { headers })).status, 401, way)
}

test('a reset by an administrator ends sessions, tokens and the password at once; accepting it ends the rest', async (t) => {
  const { app, root, add } = await startWithLogin(t)
  const ada = await add('ada')
  const ways = await waysIn(app, ada)
  const { code } = await (await root.page()).inviteUser(ada.id)
  await assertEnded(app, ways)
  const anonymous = clientWith(app.url, '')
  assert.equal(
    (await refusal(anonymous.signIn({ login: 'ada', password }))).status,
    401,
    'else a thief could change it first',
  )
  await root.client.listTasks()

  // Credentials that were created meanwhile in other ways: by a command on the server, by an identity provider.
  const { store } = app.app
  const draft = { name: 'meanwhile', scope: 'admin', expiresAt: app.clock.now() + 86_400_000 } as const
  const token = await store.transact((tx, now) => issue(tx, ada.id, 'token', draft, now))
  const session = await store.transact((tx, now) => issue(tx, ada.id, 'session', draft, now))
  for (const { secret } of [token, session]) await clientWith(app.url, secret).listTasks()
  await anonymous.acceptInvitation({ code, password: newPassword })
  for (const { secret } of [token, session])
    assert.equal((await refusal(clientWith(app.url, secret).listTasks())).status, 401)
  await signIn(app.url, 'ada', newPassword)
})

for (const [action, end] of [
  ['a reset', async (root, { id }) => (await root.page()).inviteUser(id)],
  ['disabling the account', (root, { id }) => root.client.updateUser(id, { disabled: true })],
  ['an administrator who signs them out', (root, { id }) => root.client.signOutUser(id)],
  ['signing out everywhere', (_, { client }) => client.signOutEverywhere()],
] as [string, (root: Account, ada: Account) => Promise<unknown>][])
  test(`streams and long polls are ended at once by ${action}, and those of no other user`, async (t) => {
    const database = failingDatabase()
    const { app, root, add } = await startWithLogin(t, { wrapDatabase: database.wrap })
    const ada = await add('ada')
    const child = await ada.client.createToken({ name: 'child', scopes: ['read'] })
    const cookie = await signIn(app.url, 'ada')
    const streamBy = (headers: Record<string, string>) => openStream(t, `${app.url}/v1/events`, headers)
    const streams = [await streamBy(bearer(ada.token)), await streamBy(bearer(child.token)), await streamBy({ cookie })]
    const other = await streamBy(bearer(root.token))
    const before = database.statements.length
    const headers = { ...bearer(ada.token), accept: 'application/json' }
    const polling = wireTo(app.url)('GET', '/v1/events?wait=60', { headers })
    const isAsked = () => database.statements.slice(before).some((text) => text.includes('counters'))
    await eventually('the poll has looked where it is to begin', isAsked)
    await root.client.listTasks()

    // The clock stands still: nothing waits for the next check.
    await end(root, ada)
    for (const stream of streams) await stream.ends()
    assertProblem(await polling, 401)
    const first = await Promise.race([other.ends().then(() => 'ended'), root.client.listTasks().then(() => 'goes on')])
    assert.equal(first, 'goes on')
  })

test('tokens that were cached before their user was disabled do not work after the user is enabled', async (t) => {
  const { app, root, add } = await startWithLogin(t)
  const ada = await add('ada')
  const ways = await waysIn(app, ada)
  await app.app.store.transact((tx, now) => saveUser(tx, ada.id, { disabledAt: now }))
  await root.client.updateUser(ada.id, { disabled: false })
  await assertEnded(app, ways)
})

test('a change of password ends all other sessions, and tokens if requested', async (t) => {
  const { app, add } = await startWithLogin(t)
  const ada = await add('ada')
  const { session, ...programs } = await waysIn(app, ada)
  const here = await ada.page()
  const remaining = await here.changePassword({ current: password, password: newPassword })
  // One session from the accepted invitation, one of the browser.
  assert.deepEqual(remaining, { changed: true, sessions_ended: 2, tokens_revoked: 0 })
  assert.equal((await wireTo(app.url)('GET', '/v1/tasks', { headers: session })).status, 401)
  await ada.client.listTasks()

  const all = await here.changePassword({ current: newPassword, password, revoke_tokens: true })
  assert.deepEqual(all, { changed: true, sessions_ended: 0, tokens_revoked: 2 })
  await here.listTasks()
  await assertEnded(app, { session, ...programs })
})

test('one request signs out everywhere, including tokens and its own credential, and returns the numbers', async (t) => {
  const { app, root, add } = await startWithLogin(t)
  const ada = await add('ada')
  const ways = await waysIn(app, ada)
  const here = await signIn(app.url, 'ada')
  const out = await wireTo(app.url)('POST', '/v1/session/sign-out-everywhere', { headers: { cookie: here } })
  assert.deepEqual([out.status, out.body], [200, { sessions_ended: 3, tokens_revoked: 2 }])
  assert.match(out.headers.getSetCookie()[0] ?? '', /^__Host-duebell=; .*Max-Age=0/)
  await assertEnded(app, { ...ways, session: { cookie: here } })

  const again = signedIn(app.url, await signIn(app.url, 'ada'))
  const { token } = await again.createToken({ name: 'a', scopes: ['admin'] })
  assert.deepEqual(await clientWith(app.url, token).signOutEverywhere(), { sessions_ended: 1, tokens_revoked: 1 })
  assert.equal((await refusal(clientWith(app.url, token).listTasks())).status, 401)
  assert.equal((await refusal(again.listTasks())).status, 401)
  await root.client.listTasks()
})

test('an administrator can end all access of another user, including open invitations; a member cannot', async (t) => {
  const { app, root, add } = await startWithLogin(t)
  const [ada, bob] = [await add('ada'), await add('bob')]
  const ways = await waysIn(app, ada)
  assert.equal((await refusal(bob.client.signOutUser(ada.id))).status, 403)
  assert.deepEqual(await root.client.signOutUser(ada.id), { sessions_ended: 2, tokens_revoked: 2 })
  await assertEnded(app, ways)
  assert.deepEqual(await root.client.signOutUser(ada.id), { sessions_ended: 0, tokens_revoked: 0 })
  await signIn(app.url, 'ada')
  await bob.client.listTasks()
  assert.equal((await refusal(root.client.signOutUser(99))).status, 404)

  const { id, invitation } = await root.client.createUser({ name: 'eve' })
  await root.client.signOutUser(id)
  const late = clientWith(app.url, '').acceptInvitation({ code: invitation?.code ?? '', password })
  assert.equal((await refusal(late)).status, 401)
})

test('a request in flight when access ended does not restore it', async (t) => {
  const { app, root, add } = await startWithLogin(t)
  const ada = await add('ada')
  const { db, transact } = app.app.store
  const [session = assert.fail()] = (await ada.client.listTokens()).tokens.filter(({ kind }) => kind === 'session')
  const by = { kind: 'session', id: session.id, name: 'a browser' } as const
  const issuer = { userId: ada.id, scope: 'admin', by } as const
  const page = await root.page()
  const reset = () => page.inviteUser(ada.id)
  /** Another request commits first, after all checks outside of the transaction. */
  const ctx = (first: () => Promise<unknown>) => ({
    db,
    wake() {},
    transact: (async (work) => {
      await first()
      return transact(work)
    }) as typeof transact,
  })
  const isUnauthorized = (error: unknown) => error instanceof Problem && error.kind === 'unauthorized'
  // A replica that cached the session half a second ago has accepted these.
  await assert.rejects(createToken(ctx(reset), issuer, { name: 'a', scope: 'admin' }), isUnauthorized)
  const change = { current: '', password: newPassword, revokeTokens: false }
  await assert.rejects(
    changePassword(
      ctx(async () => {}),
      issuer,
      change,
    ),
    isUnauthorized,
    'there is no password any more that would be asked for',
  )

  const { code } = await reset()
  await clientWith(app.url, '').acceptInvitation({ code, password })
  const attempt = { login: 'ada', password, device: 'a browser' }
  await assert.rejects(signInAs(ctx(reset), attempt), isUnauthorized, 'the old password was right when it was checked')
  const left = await db.selectFrom('tokens').select('kind').where('user_id', '=', ada.id).execute()
  assert.deepEqual(left, [{ kind: 'invitation' }])
  assert.equal((await getUser(db, ada.id)).name, 'ada')
})

test('a token set up before its server had a login stays valid; no account was reset', async (t) => {
  const { app, root } = await startWithLogin(t)
  const draft = { name: 'dashboard', scope: 'read', expiresAt: null } as const
  const { store } = app.app
  // The state before the server was set up.
  const invitation = await store.transact(async (tx, now) => {
    await tx.updateTable('users').set({ name: null }).where('id', '=', root.id).execute()
    return issue(tx, root.id, 'invitation', { ...draft, expiresAt: now + 1_000 }, now)
  })
  const { secret } = await store.transact((tx, now) => issue(tx, root.id, 'token', draft, now))
  await clientWith(app.url, '').acceptInvitation({ code: invitation.secret, name: 'ada', password })
  await clientWith(app.url, secret).listTasks()
})

test('on every replica', {
  skip: testDatabase === 'sqlite' && 'of an embedded database there is one server',
}, async (t) => {
  const { clock, here, there, token: first } = await startReplicasWithLogin(t)
  const root = clientWith(here.url, first)
  const { token } = await root.createToken({ name: 'child', scopes: ['read'] })
  const stream = await openStream(t, `${there.url}/v1/events`, bearer(token))
  await root.signOutEverywhere()
  await clock.advance(1_000)
  await stream.ends()
  for (const secret of [first, token])
    assert.equal((await refusal(clientWith(there.url, secret).listTasks())).status, 401)
})
