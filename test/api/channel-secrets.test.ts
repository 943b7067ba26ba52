import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { emailKind } from '#channels/email.ts'
import { ntfyKind } from '#channels/ntfy.ts'
import type { ProblemError } from '#client/client.ts'
import { answers, startHttpReceiver } from '#kit/http-receiver.ts'
import { startTestApp } from '#support/test-app.ts'

/** One request to `PATCH /v1/channels/{id}` or `POST /v1/channels/{id}/test` must not send a stored secret to another address. */

const token = 'tk_canary0123456789'
const open = (t: TestContext) => startTestApp(t, { channels: [], kinds: [ntfyKind, emailKind] })

async function assertRefused(request: Promise<unknown>, pointers: readonly string[]) {
  const { problem } = await request.then(
    () => assert.fail('was not refused'),
    (error: ProblemError) => error,
  )
  assert.equal(problem.status, 422)
  assert.deepEqual(
    problem.errors?.map(({ pointer }) => pointer),
    pointers,
  )
  assert.match(problem.detail ?? '', /again in this request/)
  assert.doesNotMatch(JSON.stringify(problem), /canary/)
}

test('a stored token is sent to the server that it was entered for, and to no other', async (t) => {
  const { client } = await open(t)
  const [home, evil] = [await startHttpReceiver(t, answers(200)), await startHttpReceiver(t, answers(200))]
  const options = { url: home.url, topic: 'tasks', token }
  const { id } = await client.createChannel({ name: 'Phone', kind: 'ntfy', options })
  for (const more of [{}, { token: '********' }]) {
    await assertRefused(client.testChannel(id, { options: { url: evil.url, ...more } }), ['/options/token'])
    await assertRefused(client.updateChannel(id, { options: { url: evil.url, ...more } }), ['/options/token'])
  }
  assert.equal((await client.testChannel(id)).ok, true)
  assert.equal((await client.testChannel(id, { options: { topic: 'other' } })).ok, true)
  assert.deepEqual(
    home.requests.map(({ headers }) => headers.authorization),
    [`Bearer ${token}`, `Bearer ${token}`],
  )
  assert.equal(evil.requests.length, 0)
  assert.equal((await client.testChannel(id, { options: { url: evil.url, token: 'tk_fresh' } })).ok, true)
  assert.deepEqual(
    evil.requests.map(({ headers }) => headers.authorization),
    ['Bearer tk_fresh'],
  )
})

test('removing an address would select the public server, so the token must be entered again', async (t) => {
  const { client } = await open(t)
  const home = await startHttpReceiver(t, answers(200))
  const options = { url: home.url, topic: 'tasks', token }
  const { id } = await client.createChannel({ name: 'Phone', kind: 'ntfy', options })
  await assertRefused(client.updateChannel(id, { options: { url: null } }), ['/options/token'])
  await assertRefused(client.testChannel(id, { options: { url: null } }), ['/options/token'])
})

test('a stored password stays with its server, port, security and user', async (t) => {
  const { client } = await open(t)
  const options = {
    ...{ host: '127.0.0.1', port: 465, security: 'tls', user: 'me', password: 'canary' },
    ...{ from: 'bell@example.org', to: ['me@example.org'] },
  }
  const channel = await client.createChannel({ name: 'Mail', kind: 'email', options })
  for (const change of [{ host: '127.0.0.2' }, { port: 2525 }, { security: 'none' }, { user: 'you' }]) {
    await assertRefused(client.updateChannel(channel.id, { options: change }), ['/options/password'])
    await assertRefused(client.testChannel(channel.id, { options: change }), ['/options/password'])
  }
  const shown = await client.getChannel(channel.id)
  assert.equal((await client.updateChannel(channel.id, { ...shown, name: 'Post' })).name, 'Post')
  const changed = await client.updateChannel(channel.id, { options: { to: ['you@example.org'] } })
  assert.deepEqual(changed.options.to, ['you@example.org'])
  const moved = await client.updateChannel(channel.id, { options: { host: '127.0.0.2', password: 'anew' } })
  assert.deepEqual([moved.options.host, moved.options.password], ['127.0.0.2', '********'])
})
