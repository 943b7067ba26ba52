import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DuebellClient } from '#client/client.ts'
import { refusal, wireTo } from '#kit/http-requests.ts'
import { clientWith, signIn, startReplicasWithLogin, startWithLogin } from '#support/accounts.ts'
import { testDatabase } from '#support/databases.ts'
import { pauseBefore } from '#support/failing-database.ts'
import { type Entry, follow, short, withName } from './audit.ts'

/** The audit log itself: its pages, how long entries are kept, and when they are written. */

test('the log is paged, the newest first, without gaps or repeats while entries are added', async (t) => {
  const { root, add } = await startWithLogin(t)
  const ada = await add('ada')
  let made = 0
  const makeChannel = () => ada.client.createChannel({ name: `Phone ${++made}`, kind: 'recording' })
  for (let i = 0; i < 3; i++) {
    await root.client.updateSettings({})
    await makeChannel()
  }
  const filters: [Parameters<DuebellClient['listAudit']>[0], (entry: Entry) => boolean][] = [
    [{}, () => true],
    [{ user_id: ada.id }, ({ user }) => user === 'ada'],
    [{ operation: 'createChannel' }, ({ operation }) => operation === 'createChannel'],
    [{ user_id: root.id, operation: 'updateSettings' }, ({ operation }) => operation === 'updateSettings'],
    [{ user_id: ada.id, operation: 'updateSettings' }, () => false],
  ]
  const { id } = await makeChannel()
  assert.equal((await root.client.listAudit({ limit: 1 })).entries[0]?.object, `/v1/channels/${id}`)
  for (const [filter, isIn] of filters) {
    const { entries } = await root.client.listAudit({ limit: 1_000 })
    const read: Entry[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await root.client.listAudit({ ...filter, limit: 2, ...(cursor && { cursor }) })
      read.push(...page.entries)
      cursor = page.next_cursor
      assert.ok(page.entries.length === 2 || cursor === null, 'a page is full, or the last')
      await makeChannel()
    }
    assert.deepEqual(read, entries.filter(isIn))
  }
})

test('an entry remains after its name was changed, its token revoked or its user deleted', async (t) => {
  const { root, add } = await startWithLogin(t)
  const ada = await add('ada')
  const { id } = await ada.client.createToken({ name: 'watcher', scopes: ['write'] })
  const { entries: before } = await root.client.listAudit({ user_id: ada.id })
  assert.deepEqual(new Set(before.map(({ user }) => user)), new Set(['ada']))
  await ada.client.revokeToken(id)
  await root.client.updateUser(ada.id, { name: 'lovelace', disabled: true })
  await root.client.deleteUser(ada.id)
  const bob = await add('ada')
  assert.notEqual(bob.id, ada.id)
  const after = (await root.client.listAudit({ user_id: ada.id })).entries
  assert.deepEqual(after.map(withName)[0], `ada: revokeToken /v1/tokens/${id} 200`)
  assert.deepEqual(after.slice(1), before, 'as they were')
})

test('sensitive operations are logged before the response; a change of a task does not wait for the log', async (t) => {
  const paused = pauseBefore(/^insert [a-z ]*into audit\b/i)
  t.after(() => paused.open())
  const { app, root } = await startWithLogin(t, { wrapDatabase: paused.wrap })
  const completed: string[] = []
  const note = (what: string, asked: Promise<unknown>) => asked.then(() => completed.push(what))
  for (const [what, ask, isWaiting] of [
    ['a token', () => root.client.createToken({ name: 'a', scopes: ['read'] }), true],
    ['a sign-in', () => signIn(app.url, 'root'), true],
    ['a wrong sign-in', () => refusal(clientWith(app.url, '').signIn({ login: 'root', password: 'wrong' })), true],
    ['a task', () => root.client.createTask({ title: 'Renew passport' }), false],
  ] as const) {
    paused.close()
    const asked = note(what, ask())
    await paused.isReached
    // The entry would be there by now: these requests have completed since, on the same machine.
    for (let i = 0; i < 10; i++) await wireTo(app.url)('GET', '/livez')
    assert.equal(completed.includes(what), !isWaiting, what)
    paused.open()
    await asked
  }
})

test('after the response every replica shows the entry', {
  skip: testDatabase === 'sqlite' && 'of an embedded database there is one server',
}, async (t) => {
  const { here, there, token } = await startReplicasWithLogin(t)
  const [a, b] = [clientWith(here.url, token), clientWith(there.url, token)]
  const fresh = await follow(b)
  for (let i = 0; i < 20; i++) {
    const { id } = await a.createToken({ name: `${i}`, scopes: ['read'] })
    assert.deepEqual((await fresh()).map(short), [`createToken /v1/tokens/${id} 200`])
  }
})

test('a server that stops has logged every operation that it answered', async (t) => {
  const { app, root } = await startWithLogin(t)
  for (let i = 0; i < 5; i++) {
    const { id } = await root.client.createTask({ title: 'Renew passport' })
    await app.restart()
    const [last] = (await root.client.listAudit()).entries
    assert.equal(last && short(last), `createTask /v1/tasks/${id} 200`)
  }
})
