import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DuebellClient } from '#client/client.ts'
import { refusal } from '#kit/http-requests.ts'
import { clientWith, password, signedIn, signIn, startWithLogin } from '#support/accounts.ts'
import { startTestApp } from '#support/test-app.ts'

/** A leaked token is useless once it is revoked. So no token can create access that would outlast it: that needs a session. */
const newPassword = 'nine bees in a jar'

test('a token sets no password, whether there is one or not; a session does', async (t) => {
  const { app, root, add } = await startWithLogin(t)
  const ada = await add('ada')
  const page = await ada.page()
  const refuses = async (change: { current?: string; password: string }) => {
    const { status, message } = await refusal(ada.client.changePassword(change))
    assert.deepEqual([status, message.includes('A token cannot do this')], [403, true])
  }
  await refuses({ current: password, password: newPassword })
  await refuses({ current: 'wrong', password: newPassword })
  // A password of a user who signs in through an identity provider.
  await app.app.store.transact((tx) =>
    tx.updateTable('users').set({ password: null }).where('id', '=', ada.id).execute(),
  )
  await refuses({ password: newPassword })
  assert.equal((await refusal(clientWith(app.url, '').signIn({ login: 'ada', password: newPassword }))).status, 401)
  await page.changePassword({ password: newPassword })
  await signIn(app.url, 'ada', newPassword)
  await root.client.listTasks()
})

test('a token of an administrator resets no account, creates and enables no administrator, changes no address', async (t) => {
  const { root, add } = await startWithLogin(t)
  const [ada, eve] = [await add('ada', { email: 'ada@example.org' }), await add('eve', { role: 'admin' })]
  await root.client.updateUser(eve.id, { disabled: true })
  const page = await root.page()
  for (const [action, ask] of [
    ['invite', (client) => client.inviteUser(ada.id)],
    ['invite oneself', (client) => client.inviteUser(root.id)],
    ['make an administrator', (client) => client.createUser({ name: 'zoe', role: 'admin' })],
    ['make one an administrator', (client) => client.updateUser(ada.id, { role: 'admin' })],
    ['enable an administrator', (client) => client.updateUser(eve.id, { disabled: false })],
    ['change an address', (client) => client.updateUser(ada.id, { email: 'evil@example.org' })],
    ['give an address', (client) => client.updateUser(root.id, { email: 'bad@example.org' })],
    ['take an address away', (client) => client.updateUser(ada.id, { email: null })],
  ] as [string, (client: DuebellClient) => Promise<unknown>][]) {
    const before = await root.client.listUsers()
    const { status, message } = await refusal(ask(root.client))
    assert.deepEqual([status, /token cannot/i.test(message)], [403, true], `${action}: ${message}`)
    assert.deepEqual(await root.client.listUsers(), before, action)
    if (action !== 'invite oneself') await ask(page)
  }
})

test('a token of an administrator can still end access, and create members', async (t) => {
  const { app, root, add } = await startWithLogin(t)
  const ada = await add('ada', { email: 'ada@example.org', role: 'admin' })
  const { invitation } = await root.client.createUser({ name: 'bob', email: 'bob@example.org' })
  assert.ok(invitation)
  await root.client.createUser({ name: 'carl', password })
  const read = await root.client.getUser(ada.id)
  await root.client.updateUser(ada.id, { ...read, name: 'lovelace' } as object)
  await root.client.updateUser(ada.id, { role: 'member' })
  await root.client.updateUser(ada.id, { disabled: true })
  await root.client.updateUser(ada.id, { disabled: false })
  await root.client.signOutUser(ada.id)
  await signedIn(app.url, await signIn(app.url, 'lovelace')).listTasks()
})

test('a server without login is not affected: its programs may do everything, and a token there is still a token', async (t) => {
  const app = await startTestApp(t)
  const { token } = await app.client.createToken({ name: 'a', scopes: ['admin'] })
  assert.equal((await refusal(clientWith(app.url, token).changePassword({ password }))).status, 403)
  await app.client.createUser({ name: 'ada', role: 'admin' })
  const { changed } = await app.client.changePassword({ password })
  assert.ok(changed)
  await clientWith(app.url, token).listTasks()
})
