import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import type { ProblemError } from '#client/client.ts'
import { startReceiver } from '#kit/webhook-receiver.ts'
import { startTestApp } from '#support/test-app.ts'

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => assert.fail('was not refused'),
    (error: ProblemError) => error,
  )

test('a channel gets notifications after its creation, and none after its deletion', async (t) => {
  const { client, app, recorder } = await startTestApp(t, { channels: [] })
  await client.createTask({ title: 'Before', expiry_dt: '2026-12-01T09:10:00Z' })
  const channel = await client.createChannel({ name: 'Mine', kind: 'recording' })
  await client.createTask({ title: 'During', expiry_dt: '2026-12-01T09:10:00Z' })
  await app.idle()
  assert.deepEqual(
    recorder.messages.map(({ task }) => task.title),
    ['During'],
  )
  await client.deleteChannel(channel.id)
  await client.createTask({ title: 'Afterwards', expiry_dt: '2026-12-01T09:10:00Z' })
  await app.idle()
  assert.equal(recorder.messages.length, 1)
  assert.equal((await refusal(client.getChannel(channel.id))).status, 404)
  const again = await client.createChannel({ name: 'Mine', kind: 'recording' })
  assert.notEqual(again.id, channel.id, 'the name is free, and the number is not given again')
  const [notification] = (await client.listNotifications({ channel_id: channel.id })).notifications
  assert.equal(notification?.deliveries.find((one) => one.channel_id === channel.id)?.state, 'sent')
})

test('a secret is never returned, and stays if the redacted value is sent back', async (t) => {
  // The receiver's library refuses a signature of another day.
  const { client, app } = await startTestApp(t, { channels: [], startAt: new Date().toISOString() })
  const receiver = await startReceiver(t)
  const channel = await client.createChannel({ name: 'hook', kind: 'webhook', options: { url: receiver.url, secret } })
  assert.deepEqual(channel.options, { url: receiver.url, secret: '********' })
  const shown = await client.getChannel(channel.id)
  assert.doesNotMatch(JSON.stringify([shown, await client.listChannels()]), /whsec_/)
  const renamed = await client.updateChannel(channel.id, { ...shown, name: 'Other' })
  assert.deepEqual([renamed.name, renamed.version], ['Other', 2])
  await client.createTask({ title: 'Signed', expiry_dt: new Date().toISOString() })
  await app.idle()
  assert.deepEqual([receiver.receipts.length, receiver.faults], [1, []], 'signed by the secret that was given')
})

test('a generated secret is shown once; after a rotation the old one is valid for another day', async (t) => {
  const { client, app, clock } = await startTestApp(t, { channels: [] })
  const receiver = await startReceiver(t)
  const channel = await client.createChannel({ name: 'hook', kind: 'webhook', options: { url: receiver.url } })
  const first = String(channel.options.secret)
  assert.ok(new Webhook(first), 'a key that the library takes')
  const second = await client.rotateChannelSecret(channel.id)
  assert.notEqual(second.options.secret, first)
  assert.equal(second.options.previous_secret, '********')
  assert.equal(second.options.previous_until, new Date(clock.now() + 24 * 3_600_000).toISOString())
  assert.doesNotMatch(JSON.stringify(await client.getChannel(channel.id)), /whsec_/)
  assert.equal((await client.testChannel(channel.id)).error, '400 Bad Request', 'the receiver knows neither of them')
  await app.idle()
  assert.equal((await refusal(client.rotateChannelSecret(1))).status, 409)
})

test('a test uses the same path as all notifications, saved or not, and leaves no notification', async (t) => {
  const { client, recorder } = await startTestApp(t, { channels: [] })
  assert.deepEqual(await client.testChannelDraft({ kind: 'recording' }), {
    ok: true,
    status: null,
    latency_ms: 0,
    error: null,
    would_retry: false,
  })
  assert.equal(recorder.messages[0]?.task.title, 'A test from Duebell')
  const { id } = await client.createChannel({ name: 'Mine', kind: 'recording' })
  recorder.answer = () => ({ retry: false, reason: '401 Unauthorized: token is not valid', status: 401 })
  assert.deepEqual(await client.testChannel(id), {
    ok: false,
    status: 401,
    latency_ms: 0,
    error: '401 Unauthorized: token is not valid',
    would_retry: false,
  })
  assert.equal((await client.getChannel(id)).status, 'ok', 'a test says nothing of the channel')
  assert.deepEqual((await client.listNotifications()).notifications, [])
  assert.equal((await client.testChannelDraft({ kind: 'console' })).ok, true)
})

test('a test of a receiver that does not respond ends after 15 s', async (t) => {
  const { client, clock, recorder, app } = await startTestApp(t, { channels: [] })
  const asked = new Promise<void>((resolve) => {
    recorder.answer = () => {
      resolve()
      return new Promise(() => {})
    }
  })
  const tested = client.testChannelDraft({ kind: 'recording' })
  await asked
  await app.idle()
  await clock.advance(15_000)
  const { ok, error, latency_ms } = await tested
  assert.deepEqual([ok, error, latency_ms], [false, 'timed out after 15 s', 15_000])
})

test('an invalid channel is refused with a fault for each member, and nothing is created', async (t) => {
  const { client } = await startTestApp(t, { channels: [] })
  const url = 'http://127.0.0.1:9/'
  const cases: [object, number, string | undefined][] = [
    [{ name: 'x', kind: 'webhok' }, 422, '/kind'],
    [{ name: 'x', kind: 'console' }, 422, '/kind'],
    [{ name: 'x', kind: 'webhook' }, 422, '/options/url'],
    [{ name: 'x', kind: 'webhook', options: { url, uri: url } }, 422, '/options/uri'],
    [{ name: 'x', kind: 'webhook', options: { url: 'http://169.254.169.254/' } }, 422, '/options/url'],
    [{ name: 'x', kind: 'webhook', options: { url, secret: 'whsec_short' } }, 422, '/options/secret'],
    [{ name: '', kind: 'recording' }, 422, '/name'],
    [{ name: 'a\nb', kind: 'recording' }, 422, '/name'],
    [{ name: 'x', kind: 'recording', group_wait: 'PT2H' }, 422, '/group_wait'],
    [{ name: 'x', kind: 'recording', group_wait: 'soon' }, 422, '/group_wait'],
    [{ name: 'x', kind: 'recording', repeat: { every: 'PT1S', max: 3 } }, 422, '/repeat/every'],
    [{ name: 'x', kind: 'recording', repeat: { every: 'PT1M', max: 0 } }, 422, undefined],
    [{ name: 'x', kind: 'recording', notifications: ['soon'] }, 422, undefined],
    [{ name: 'console', kind: 'recording' }, 409, '/name'],
  ]
  for (const [draft, status, pointer] of cases) {
    const { problem } = await refusal(client.createChannel(draft as never))
    assert.equal(problem.status, status, JSON.stringify([draft, problem]))
    if (pointer) assert.equal(problem.errors?.[0]?.pointer, pointer, JSON.stringify(problem))
  }
  assert.equal((await client.listChannels()).channels.length, 1)
})

test('a channel of the configuration file is shown without its options, and can only be switched on and off', async (t) => {
  const receiver = await startReceiver(t)
  const options = { url: receiver.url, secret }
  const channels = [{ name: 'hook', kind: 'webhook', options, tags: ['home'], group_wait: 'PT10S' }]
  const app = await startTestApp(t, { channels })
  const [console, hook] = (await app.client.listChannels()).channels
  assert.deepEqual([console?.source, console?.ignore_quiet_hours], ['built-in', true])
  assert.deepEqual(
    [hook?.source, hook?.options, hook?.tags, hook?.group_wait, hook?.enabled],
    ['config', {}, ['home'], 'PT10S', true],
  )
  const id = hook?.id as number
  for (const patch of [{ name: 'x' }, { tags: [] }, { options: {} }])
    assert.equal((await refusal(app.client.updateChannel(id, patch))).status, 409)
  assert.equal((await refusal(app.client.deleteChannel(id))).status, 409)
  await app.client.updateChannel(id, { enabled: false })
  await app.client.createTask({ title: 'Unheard', tags: ['home'], expiry_dt: '2026-12-01T09:10:00Z' })
  await app.app.idle()
  const [notification] = (await app.client.listNotifications()).notifications
  const delivery = notification?.deliveries.find((one) => one.channel_id === id)
  assert.deepEqual([delivery?.state, delivery?.error], ['cancelled', 'the channel is switched off'])
  await app.restart()
  assert.equal((await app.client.getChannel(id)).enabled, false, 'and so it stays over a restart')
})

test('of two concurrent changes of the same version, the second is refused', async (t) => {
  const { client } = await startTestApp(t, { channels: [] })
  const { id } = await client.createChannel({ name: 'Mine', kind: 'recording' })
  await client.updateChannel(id, { name: 'First' }, { ifVersion: 1 })
  assert.equal((await refusal(client.updateChannel(id, { name: 'Second' }, { ifVersion: 1 }))).status, 412)
})

test('every kind describes its options: each has a title and a description', async (t) => {
  const { client } = await startTestApp(t)
  const { kinds } = await client.listChannelKinds()
  for (const { kind, label, about, options } of kinds.filter(({ kind }) => kind !== 'recording')) {
    assert.ok(label && about.endsWith('.'), kind)
    const { properties, additionalProperties } = options as {
      properties: Record<string, { title?: string; description?: string }>
      additionalProperties: boolean
    }
    assert.equal(additionalProperties, false, kind)
    for (const [name, { title, description }] of Object.entries(properties))
      assert.ok(title && description && /^[a-z_]+$/.test(name), `${kind}.${name}`)
  }
})
