import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifyWebhook } from '#client/webhook.ts'
import { startHttpReceiver } from '#kit/http-receiver.ts'
import { resolve, type Schema } from '#openapi/document.ts'
import { readDocument } from '#openapi/generate.ts'
import { startTestApp } from '#support/test-app.ts'
import { createContract } from '#test/property/contract.ts'

/** Compares the description of webhooks in openapi.json with real deliveries. */

const document = readDocument()
const { post: described = assert.fail() } = document.webhooks?.reminder ?? assert.fail('is not described')
const contract = createContract(document)
const toSchema = ['webhooks', 'reminder', 'post', 'requestBody', 'content', 'application/json', 'schema']
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

test('each delivery has the described headers and body, all members of it', async (t) => {
  const receiver = await startHttpReceiver(t, (_, response) => response.writeHead(204).end())
  const hook = (name: string, more: object = {}) => ({
    name,
    kind: 'webhook',
    options: { url: `${receiver.url}/${name}`, secret },
    ...more,
  })
  const app = await startTestApp(t, {
    startAt: '2026-12-01T09:00:00Z',
    channels: [hook('plain'), hook('gathered', { group_wait: 'PT30S' })],
  })
  const { clock } = app
  const seen = new Set<string>()

  /** Tasks of all forms, and their webhooks. */
  async function deliver(): Promise<void> {
    receiver.requests.splice(0)
    const at = clock.now() + 16 * 60_000
    const expiry_dt = new Date(at).toISOString()
    const early = new Date(at - 20_000).toISOString()
    await app.client.createTask({ title: 'Bare', expiry_dt })
    await app.client.createTask({
      title: 'Renew passport',
      description: 'Two photos',
      expiry_dt: early,
      time_zone: 'Europe/Paris',
      reminders: ['PT15M', 'PT0S', early],
      tags: ['home'],
      priority: 'high',
      key: `passport at ${early}`,
    })
    await clock.advance(2 * 60_000)
    await clock.advance(18 * 60_000)
    await app.app.idle()
    assert.ok(receiver.requests.length >= 5, `${receiver.requests.length} were sent`)
    for (const { method, headers, body } of receiver.requests) {
      assert.equal(method, 'POST')
      assert.equal(headers['content-type'], 'application/json')
      for (const { name } of (described?.parameters ?? []) as { name: string }[])
        assert.equal(typeof headers[name], 'string', name)
      const sentAt = Number(headers['webhook-timestamp']) * 1_000
      const event = await verifyWebhook(body, headers as Record<string, string>, secret, sentAt)
      assert.deepEqual(contract.bodyFaults(toSchema, event), [], body)
      seen.add(event.type)
      for (const member of Object.keys(event.data)) seen.add(member)
    }
  }

  await deliver()
  await app.restart({ flags: ['--public-url=https://tasks.example.org'] })
  await deliver()
  const { properties } = resolve<Schema>(document, { $ref: '#/components/schemas/WebhookEvent' })
  assert.deepEqual([...seen].sort(), [...Object.keys(properties.data.properties), ...properties.type.enum].sort())
})

test('a body of another form is reported, and the example has this form', () => {
  const { value } =
    Object.values(described.requestBody?.content['application/json']?.examples ?? {})[0] ?? assert.fail()
  assert.deepEqual(contract.bodyFaults(toSchema, value), [])
  const event = value as { data: object }
  assert.match(contract.bodyFaults(toSchema, { ...event, more: 1 }).join(), /additional/)
  assert.match(contract.bodyFaults(toSchema, { ...event, data: { ...event.data, message: 1 } }).join(), /message/)
})

test('the described responses have the described effects', async (t) => {
  const receiver = await startHttpReceiver(t, () => {})
  const options = { url: receiver.url, secret }
  const { client, clock, app } = await startTestApp(t, { startAt: '2026-12-01T09:00:00Z', channels: [] })
  const answers: [
    status: number,
    headers: Record<string, string>,
    described: string,
    state: string,
    waitMs?: number,
  ][] = [
    [204, {}, '2XX', 'sent'],
    [401, {}, '401', 'failed'],
    [403, {}, '401', 'failed'],
    [503, { 'retry-after': '120' }, 'default', 'pending', 120_000],
    [429, { 'retry-after': '120' }, '429', 'pending', 120_000],
    [410, {}, '410', 'failed'],
  ]
  assert.deepEqual([...new Set(answers.map(([, , name]) => name))].sort(), Object.keys(described.responses).sort())
  for (const [status, headers, , state, waitMs] of answers) {
    receiver.behave = (_, response) => response.writeHead(status, headers).end()
    const channel = await client.createChannel({ name: `Answers ${status}`, kind: 'webhook', options })
    const { id } = await client.createTask({ title: `${status}`, expiry_dt: new Date(clock.now()).toISOString() })
    await app.idle()
    const [notification] = (await client.listTaskNotifications(id)).notifications
    const delivery = notification?.deliveries.find(({ channel_id }) => channel_id === channel.id)
    assert.equal(delivery?.state, state, `${status}`)
    const { enabled } = await client.getChannel(channel.id)
    assert.equal(enabled, status !== 410, `${status}`)
    if (waitMs !== undefined)
      assert.ok(Date.parse(delivery?.next_attempt_dt ?? '') >= clock.now() + waitMs, `${status}`)
    await client.deleteChannel(channel.id)
  }
})
