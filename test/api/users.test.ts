import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UserWire } from '#api/schemas/account.ts'
import { openStream } from '#kit/event-stream.ts'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { clientWith, password, signedIn, signIn, startWithLogin } from '#support/accounts.ts'

/** The guarantees for an administrator: which users exist, who can sign in, and who no longer can. */
const startAt = '2026-12-01T09:00:00Z'
const weekMs = 7 * 86_400_000

test('a user is created with a password, and signs in with it', async (t) => {
  const { app, root } = await startWithLogin(t, { startAt })
  const body = { name: 'ada', email: 'Ada@Example.org', password: 'nine bees in a jar' }
  const made = await wireTo(app.url)('POST', '/v1/users', { body, headers: { authorization: `Bearer ${root.token}` } })
  const { id } = made.body
  const ada: UserWire = {
    id,
    name: 'ada',
    email: 'ada@example.org',
    role: 'member',
    disabled_dt: null,
    create_dt: '2026-12-01T09:00:00.000Z',
    version: 1,
  }
  assert.deepEqual(made.body, { ...ada, invitation: null })
  const { headers } = made
  assert.deepEqual(
    ['location', 'etag', 'cache-control'].map((name) => headers.get(name)),
    [`/v1/users/${id}`, '"1"', 'no-store'],
  )
  assert.deepEqual(await root.client.getUser(id), ada)
  const page = signedIn(app.url, await signIn(app.url, 'ada', body.password))
  assert.deepEqual((await page.getSession()).user, ada)
  assert.deepEqual((await page.listTasks()).tasks, [], 'what is another’s is not hers')

  await (await root.page()).createUser({ name: 'bob', role: 'admin' })
  const first = await root.client.listUsers({ limit: 2 })
  const rest = await root.client.listUsers({ limit: 2, cursor: first.next_cursor ?? '' })
  assert.deepEqual(
    [first, rest].map(({ users }) => users.map(({ name, role }) => `${name} ${role}`)),
    [['root admin', 'ada member'], ['bob admin']],
  )
  assert.equal(rest.next_cursor, null)
})

test('without a password the user is invited: the code sets it, once, within a week', async (t) => {
  const { app, root } = await startWithLogin(t, { startAt, flags: ['--public-url=https://tasks.example.org/'] })
  const made = await root.client.createUser({ name: 'ada' })
  const { code = '', url, expires_dt } = made.invitation ?? {}
  assert.match(code, /^dbi_[0-9A-Za-z]{49}$/)
  assert.deepEqual([url, expires_dt], [`https://tasks.example.org/invitation#${code}&ada`, '2026-12-08T09:00:00.000Z'])
  const anonymous = clientWith(app.url, '')
  assert.equal((await refusal(anonymous.signIn({ login: 'ada', password }))).status, 401, 'there is no password yet')

  app.clock.set(app.clock.now() + weekMs - 1)
  for (const poor of ['ada', 'adaadaada1', 'too short', 'aaaaaaaaaaaa'])
    assert.deepEqual(
      (await refusal(anonymous.acceptInvitation({ code, password: poor }))).problem.errors?.length,
      1,
      poor,
    )
  const accepted = await anonymous.acceptInvitation({ code, password })
  assert.deepEqual([accepted.user.name, accepted.token], ['ada', null])
  const again = await refusal(anonymous.acceptInvitation({ code, password }))
  assert.deepEqual([again.status, again.message.includes('used already')], [401, true])
  await signIn(app.url, 'ada')

  const late = await (await root.page()).inviteUser(made.id)
  app.clock.set(app.clock.now() + weekMs)
  assert.equal((await refusal(anonymous.acceptInvitation({ code: late.code, password }))).status, 401)
})

test('the next invitation replaces the last, and accepting it ends all other access of the user', async (t) => {
  const { app, root, add } = await startWithLogin(t)
  const { id } = await add('ada')
  const cookie = await signIn(app.url, 'ada')
  const page = await root.page()
  const [first, second] = [await page.inviteUser(id), await page.inviteUser(id)]
  const anonymous = clientWith(app.url, '')
  const accept = (code: string) => anonymous.acceptInvitation({ code, password: 'a new one, as it was lost' })
  assert.equal((await refusal(accept(first.code))).status, 401)
  assert.equal((await refusal(signedIn(app.url, cookie).listTasks())).status, 401)
  await accept(second.code)
  assert.equal((await refusal(anonymous.signIn({ login: 'ada', password }))).status, 401)
  await signIn(app.url, 'ada', 'a new one, as it was lost')
})

test('faults of a user are reported with their place; a name or an address in use is a conflict', async (t) => {
  const { app, root } = await startWithLogin(t)
  const send = wireTo(app.url)
  const headers = { authorization: `Bearer ${root.token}` }
  const { id } = await root.client.createUser({ name: 'bob', email: 'bob@example.org' })
  const good = { name: 'ada' }
  const wrongNames = ['', 'Ada', 'a b', '-a', 'a.', 'ä', 'a@b', 'x'.repeat(51), 'a\0', null, 7]
  const wrongEmails = ['', 'ada', '@b', 'a@', 'a b@c', 'a@b@c', '<a@b>', `${'x'.repeat(65)}@b.org`, '\ud800@b.org', 7]
  const wrongPasswords = ['', 'nine char', 'x'.repeat(201), 'abababababab', 'adaadaadaada', 'with\0 a NUL in it', null]
  for (const [member, values] of [
    ['name', wrongNames],
    ['email', wrongEmails],
    ['password', wrongPasswords],
    ['role', ['root', null]],
    ['admin', [true]],
  ] as const)
    for (const value of values)
      assertProblem(await send('POST', '/v1/users', { headers, body: { ...good, [member]: value } }), 422, `/${member}`)
  assertProblem(await send('POST', '/v1/users', { headers, body: {} }), 422, '/name')
  for (const patch of [{ name: 'B' }, { email: 'b' }, { role: 'user' }, { disabled: 'yes' }, { password }])
    assertProblem(await send('PATCH', `/v1/users/${id}`, { headers, body: patch }), 422, `/${Object.keys(patch)[0]}`)

  for (const [body, pointer] of [
    [{ name: 'bob' }, '/name'],
    [{ name: 'ada', email: 'BOB@example.org' }, '/email'],
  ] as const)
    assertProblem(await send('POST', '/v1/users', { headers, body }), 409, pointer)
  const { id: ada } = await root.client.createUser(good)
  const cookie = await signIn(app.url, 'root')
  for (const [body, pointer] of [
    [{ name: 'bob' }, '/name'],
    [{ email: 'Bob@Example.org' }, '/email'],
  ] as const)
    assertProblem(await send('PATCH', `/v1/users/${ada}`, { headers: { cookie }, body }), 409, pointer)
  const both = await Promise.allSettled(['eve', 'eve'].map((name) => root.client.createUser({ name })))
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'], 'of two at once one has it')
  assert.equal((await root.client.listUsers()).users.length, 4)
})

test('name, address and role can be changed, with the current version', async (t) => {
  const { app, root, add } = await startWithLogin(t)
  const ada = await add('ada', { email: 'ada@example.org' })
  assert.equal((await refusal(ada.client.listUsers())).status, 403)
  const before = await root.client.getUser(ada.id)
  const after = await (await root.page()).updateUser(
    ada.id,
    { name: 'lovelace', email: null, role: 'admin' },
    { ifVersion: 1 },
  )
  assert.deepEqual(after, { ...before, name: 'lovelace', email: null, role: 'admin', version: 2 })
  assert.equal((await ada.client.listUsers()).users.length, 2, 'at once')
  assert.equal((await refusal(clientWith(app.url, '').signIn({ login: 'ada', password }))).status, 401)
  await signIn(app.url, 'lovelace')
  assert.equal((await refusal(root.client.updateUser(ada.id, { role: 'member' }, { ifVersion: 1 }))).status, 412)
  // The user as it was read, with one member changed.
  assert.equal((await root.client.updateUser(ada.id, { ...after, role: 'member' } as object)).role, 'member')
  assert.equal((await refusal(ada.client.listUsers())).status, 403)
  assert.equal((await refusal(root.client.getUser(99))).status, 404)
  assert.equal((await refusal(root.client.updateUser(99, { name: 'x' }))).status, 404)
})

test('disabling a user ends all their access at once; their tasks still fire, and are kept', async (t) => {
  const { app, root, add } = await startWithLogin(t, { startAt, channels: [] })
  const ada = await add('ada')
  await ada.client.createChannel({ name: 'Phone', kind: 'recording' })
  const { id } = await ada.client.createTask({ title: 'Renew passport', expiry_dt: '2026-12-01T10:00:00Z' })
  const cookie = await signIn(app.url, 'ada')
  await signedIn(app.url, cookie).listTasks()
  const stream = await openStream(t, `${app.url}/v1/events`, { authorization: `Bearer ${ada.token}` })

  const disabled = await root.client.updateUser(ada.id, { disabled: true })
  assert.deepEqual([disabled.disabled_dt, disabled.version], ['2026-12-01T09:00:00.000Z', 2])
  for (const client of [ada.client, signedIn(app.url, cookie)]) {
    const { status, message } = await refusal(client.listTasks())
    assert.equal(status, 401, message)
  }
  await app.clock.advanceTo('2026-12-01T09:45:00Z')
  await stream.ends()
  assert.deepEqual(
    app.recorder.messages.map(({ task }) => task.title),
    ['Renew passport'],
  )
  const wrong = await refusal(clientWith(app.url, '').signIn({ login: 'ada', password: 'something else' }))
  const right = await refusal(clientWith(app.url, '').signIn({ login: 'ada', password }))
  assert.deepEqual([wrong.status, right.status, right.message.includes('disabled')], [401, 403, true])
  assert.equal((await refusal((await root.page()).inviteUser(ada.id))).status, 409)
  await root.client.updateUser(ada.id, { disabled: true })
  assert.equal((await root.client.getUser(ada.id)).disabled_dt, '2026-12-01T09:00:00.000Z', 'since then, and not anew')

  assert.equal((await root.client.updateUser(ada.id, { disabled: false })).disabled_dt, null)
  for (const client of [ada.client, signedIn(app.url, cookie)])
    assert.equal((await refusal(client.listTasks())).status, 401, 'access that was ended does not come back')
  const again = signedIn(app.url, await signIn(app.url, 'ada'))
  assert.equal((await again.getTask(id)).title, 'Renew passport')
})

test('an invitation of a user who was disabled meanwhile is invalid, even after the user is enabled', async (t) => {
  const { app, root } = await startWithLogin(t)
  const { id, invitation } = await root.client.createUser({ name: 'ada' })
  await root.client.updateUser(id, { disabled: true })
  await root.client.updateUser(id, { disabled: false })
  const accept = clientWith(app.url, '').acceptInvitation({ code: invitation?.code ?? '', password })
  assert.equal((await refusal(accept)).status, 401)
})

test('the last administrator cannot be removed', async (t) => {
  const { root, add } = await startWithLogin(t)
  const id = root.id
  for (const patch of [{ disabled: true }, { role: 'member' }] as const) {
    const { status, message } = await refusal(root.client.updateUser(id, patch))
    assert.deepEqual([status, message.includes('would have no administrator')], [409, true])
  }
  assert.equal((await refusal(root.client.deleteUser(id))).status, 409)
  assert.deepEqual([(await root.client.getUser(id)).role, (await root.client.getUser(id)).version], ['admin', 1])

  const ada = await add('ada', { role: 'admin' })
  await root.client.updateUser(ada.id, { disabled: true })
  assert.equal((await refusal(root.client.updateUser(id, { role: 'member' }))).status, 409, 'who is disabled does not')
  await (await root.page()).updateUser(ada.id, { disabled: false })
  const hers = await ada.page()
  const both = await Promise.allSettled([
    root.client.updateUser(ada.id, { role: 'member' }),
    hers.updateUser(id, { role: 'member' }),
  ])
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'], 'nor when two do so at once')
  const [last, client] = both[0].status === 'fulfilled' ? [root, root.client] : [ada, hers]
  const admins = (await client.listUsers()).users.filter(({ role }) => role === 'admin')
  assert.deepEqual(
    admins.map(({ name }) => name),
    [last.name],
  )
})
