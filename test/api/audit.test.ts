import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DuebellClient } from '#client/client.ts'
import type { Scope } from '#core/scope.ts'
import { refusal, wireTo } from '#kit/http-requests.ts'
import { clientWith, password, signedIn, signIn, startWithLogin } from '#support/accounts.ts'
import { startTestApp } from '#support/test-app.ts'
import { follow, short, withName } from './audit.ts'

/** Who did what to which object, and from which address. access.test.ts tests who may read it, user-removal.test.ts how long it is kept. */
const startAt = '2026-12-01T09:00:00Z'

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

test('an entry has the user, operation, object, time, credential and address', async (t) => {
  const { app, root, add } = await startWithLogin(t, { startAt, flags: ['--trust-proxy=loopback'] })
  const ada = await add('ada')
  const cookie = await signIn(app.url, 'ada')
  const fresh = await follow(root.client)
  await app.clock.advance(90_000)
  const send = wireTo(app.url)
  const from = { 'x-forwarded-for': '203.0.113.7' }
  const body = { name: 'Phone', kind: 'recording' }
  const made = await send('POST', '/v1/channels', { body, headers: { ...bearer(ada.token), ...from } })
  const { id } = made.body
  const changed = await send('PATCH', `/v1/channels/${id}`, { body: { enabled: false }, headers: { cookie } })
  const [first, second, ...more] = await fresh()
  assert.deepEqual(first, {
    id: first?.id,
    at_dt: '2026-12-01T09:01:30.000Z',
    user_id: ada.id,
    user: 'ada',
    by: 'token',
    by_name: 'of a test',
    operation: 'createChannel',
    object: `/v1/channels/${id}`,
    status: made.status,
    address: '203.0.113.7',
    request_id: made.headers.get('x-request-id'),
  })
  assert.deepEqual(second, {
    ...first,
    id: second?.id,
    by: 'session',
    by_name: 'a browser',
    operation: 'updateChannel',
    status: 200,
    address: '127.0.0.1',
    request_id: changed.headers.get('x-request-id'),
  })
  assert.deepEqual(more, [])
})

test('operations that need the scope admin are logged, done or refused; reads and unauthenticated requests are not', async (t) => {
  const { app, root, add } = await startWithLogin(t)
  const ada = await add('ada')
  const token = async (client: DuebellClient, scope: Scope) =>
    (await client.createToken({ name: scope, scopes: [scope] })).token
  const [reading, writing] = [await token(ada.client, 'read'), await token(ada.client, 'write')]
  const rootsReading = await token(root.client, 'read')
  const fresh = await follow(root.client)
  const settings = { time_zone: 'Europe/Paris' }
  for (const [who, method, path, status, operation, body] of [
    [ada.token, 'PATCH', '/v1/settings', 200, 'updateSettings', settings],
    [reading, 'PATCH', '/v1/settings', 403, 'updateSettings', settings],
    [ada.token, 'PATCH', '/v1/settings', 422, 'updateSettings', { time_zone: 'Mars/Olympus' }],
    [ada.token, 'DELETE', '/v1/channels/99', 404, 'deleteChannel'],
    [ada.token, 'POST', '/v1/users', 403, 'createUser', { name: 'eve', role: 'admin' }],
    [ada.token, 'PATCH', `/v1/users/${ada.id}`, 403, 'updateUser', { role: 'admin' }],
    [ada.token, 'GET', `/v1/users/${root.id}/export`, 403, 'exportUser'],
    [root.token, 'GET', `/v1/users/${ada.id}/export`, 200, 'exportUser'],
    [root.token, 'POST', '/v1/users', 409, 'createUser', { name: 'ada' }],
    // Deleting some tasks needs less than deleting all. Only the query shows which it is.
    [writing, 'DELETE', '/v1/tasks', 403, 'deleteTasks'],
    [ada.token, 'DELETE', '/v1/tasks', 200, 'deleteTasks'],
    [ada.token, 'GET', '/v1/audit', 403, null],
    [rootsReading, 'GET', '/v1/audit', 403, null],
    [root.token, 'GET', '/v1/users', 200, null],
    [reading, 'GET', '/v1/channels', 403, null],
    [`${ada.token.slice(0, -1)}_`, 'PATCH', '/v1/settings', 401, null, settings],
  ] as [string, string, string, number, string | null, object?][]) {
    const answer = await wireTo(app.url)(method, path, { headers: bearer(who), ...(body && { body }) })
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`)
    const name = who === root.token ? 'root' : 'ada'
    const expected = operation === null ? [] : [`${name}: ${operation} ${path} ${status}`]
    assert.deepEqual((await fresh()).map(withName), expected, `${method} ${path}`)
  }
})

test('on a server with login changes of tasks are logged, unless they were refused', async (t) => {
  const { root, add, app } = await startWithLogin(t)
  const ada = await add('ada')
  const { token: reading } = await ada.client.createToken({ name: 'reading', scopes: ['read'] })
  const fresh = await follow(root.client)
  const { id } = await ada.client.createTask({ title: 'Renew passport' })
  await ada.client.putTaskByKey('visa', { title: 'Visa' })
  await ada.client.getTask(id)
  assert.equal((await refusal(clientWith(app.url, reading).completeTask(id))).status, 403)
  assert.equal((await refusal(ada.client.completeTask(99))).status, 404)
  await ada.client.completeTask(id)
  await ada.client.deleteTask(id)
  await ada.client.updateSettings({}) // earlier operations come first
  const expected = [
    `createTask /v1/tasks/${id} 200`,
    `putTaskByKey /v1/tasks/${id + 1} 200`,
    `completeTask /v1/tasks/${id}/complete 200`,
    `deleteTask /v1/tasks/${id} 200`,
    'updateSettings /v1/settings 200',
  ]
  assert.deepEqual((await fresh()).map(short), expected)
})

test('without a login operations that need the scope admin are logged, without a user name; changes of tasks are not', async (t) => {
  const { client } = await startTestApp(t)
  const fresh = await follow(client)
  await client.createTask({ title: 'Renew passport' })
  const { id } = await client.createChannel({ name: 'Phone', kind: 'recording' })
  await client.deleteChannel(id)
  const entries = await fresh()
  assert.deepEqual(entries.map(short), [`createChannel /v1/channels/${id} 200`, `deleteChannel /v1/channels/${id} 200`])
  for (const { user_id, user, by, address } of entries)
    assert.deepEqual([user_id, user, by, address], [1, null, null, '127.0.0.1'])
})

test('sign-in and sign-out are logged; a failed sign-in is logged without the typed text, and does not show whether the name exists', async (t) => {
  const { app, root } = await startWithLogin(t)
  const { id, invitation } = await root.client.createUser({ name: 'ada' })
  const fresh = await follow(root.client)
  const anonymous = clientWith(app.url, '')
  const code = invitation?.code ?? ''
  const typed = 'correct horse battery'
  await refusal(anonymous.acceptInvitation({ code: `${code}x`, password }))
  await anonymous.acceptInvitation({ code, password })
  await refusal(anonymous.signIn({ login: 'ada', password: typed }))
  await refusal(anonymous.signIn({ login: 'zanzibar', password: typed }))
  await refusal(anonymous.signIn({ login: typed, password: 'ada' }))
  await signedIn(app.url, await signIn(app.url, 'ada')).signOut()
  await root.client.updateUser(id, { disabled: true })
  assert.equal((await refusal(anonymous.signIn({ login: 'ada', password: password }))).status, 403)
  const entries = await fresh()
  assert.deepEqual(entries.map(withName), [
    'unknown: acceptInvitation /v1/invitations/accept 401',
    'ada: acceptInvitation /v1/invitations/accept 200',
    'unknown: signIn /v1/session 401',
    'unknown: signIn /v1/session 401',
    'unknown: signIn /v1/session 401',
    'ada: signIn /v1/session 200',
    'ada: signOut /v1/session 200',
    `root: updateUser /v1/users/${id} 200`,
    'unknown: signIn /v1/session 403',
  ])
  const failures = entries.filter(({ operation, status }) => operation === 'signIn' && status === 401)
  const [known, ...unknown] = failures.map(({ id, request_id, ...rest }) => rest)
  assert.deepEqual(unknown, [known, known], 'in nothing are they different')
  assert.deepEqual([known?.user_id, known?.by, known?.by_name, known?.address], [null, null, null, '127.0.0.1'])
  for (const word of [typed, 'zanzibar', code]) assert.ok(!JSON.stringify(entries).includes(word), word)
})

test('each end of access is logged, and each attempt of a token at an operation that needs a session', async (t) => {
  const { app, root, add } = await startWithLogin(t)
  const ada = await add('ada')
  const [page, hers] = [await root.page(), await ada.page()]
  const fresh = await follow(root.client)
  const { id, token } = await ada.client.createToken({ name: 'child', scopes: ['admin'], expires_dt: '2100-01-01' })
  await refusal(clientWith(app.url, token).createToken({ name: 'longer', scopes: ['read'], expires_dt: null }))
  await refusal(ada.client.changePassword({ password }))
  await refusal(root.client.inviteUser(ada.id))
  await refusal(root.client.updateUser(ada.id, { role: 'admin' }))
  await hers.changePassword({ current: password, password, revoke_tokens: true })
  await hers.signOutEverywhere()
  await root.client.signOutUser(ada.id)
  await root.client.updateUser(ada.id, { disabled: true })
  await root.client.updateUser(ada.id, { disabled: false })
  await page.inviteUser(ada.id)
  const entries = await fresh()
  assert.deepEqual(entries.map(withName), [
    `ada: createToken /v1/tokens/${id} 200`,
    'ada: createToken /v1/tokens 422',
    'ada: changePassword /v1/session/password 403',
    `root: inviteUser /v1/users/${ada.id}/invitation 403`,
    `root: updateUser /v1/users/${ada.id} 403`,
    'ada: changePassword /v1/session/password 200',
    'ada: signOutEverywhere /v1/session/sign-out-everywhere 200',
    `root: signOutUser /v1/users/${ada.id}/sign-out-everywhere 200`,
    `root: updateUser /v1/users/${ada.id} 200`,
    `root: updateUser /v1/users/${ada.id} 200`,
    `root: inviteUser /v1/users/${ada.id}/invitation 200`,
  ])
  assert.deepEqual(
    entries.slice(1, 6).map(({ by }) => by),
    ['token', 'token', 'token', 'token', 'session'],
  )
})

test('the log contains no secret, wherever one was sent', async (t) => {
  const { app, root } = await startWithLogin(t, { startAt, flags: ['--public-url=https://tasks.example.org'] })
  const { client } = root
  const send = wireTo(app.url)
  const fresh = await follow(client)
  const { token, id } = await client.createToken({ name: 'reading', scopes: ['read'] })
  const { invitation } = await client.createUser({ name: 'ada' })
  const cookie = await signIn(app.url, 'root')
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const options = { url: 'http://127.0.0.1:1/hook', secret }
  await client.createChannel({ name: 'Hook', kind: 'webhook', options })
  await client.createTask({ title: 'Renew passport', expiry_dt: '2026-12-01T09:10:00Z' })
  await app.app.idle()
  const link = new URL(app.recorder.messages[0]?.links?.complete ?? '').pathname
  await send('POST', link)
  const headers = bearer(root.token)
  await send('DELETE', `/v1/tokens/${token}%00`, { headers })
  await send('DELETE', `/v1/tokens/${id}?token=${token}`, { headers })
  await send('POST', `/v1/users/${invitation?.code}/invitation`, { headers: { cookie } })
  await send('PUT', '/v1/session/password', { headers: { cookie }, body: { current: password, password: secret } })
  const entries = await fresh()
  assert.deepEqual(entries.slice(-6).map(withName), [
    'root: createTask /v1/tasks/1 200',
    'root: actByLink /v1/tasks/1 200',
    'root: revokeToken /v1/tokens/dbl_…%00 404',
    `root: revokeToken /v1/tokens/${id} 400`,
    'root: inviteUser /v1/users/dbi_…/invitation 404',
    'root: changePassword /v1/session/password 200',
  ])
  const text = JSON.stringify(entries)
  const [, session = ''] = cookie.split('=')
  for (const key of [token, invitation?.code ?? '', session, secret, root.token, link])
    assert.ok(!text.includes(key.slice(10, 26)), key)
  assert.ok(!text.includes(password))
})
