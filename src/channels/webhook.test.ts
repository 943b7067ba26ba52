import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import type { Message } from '#core/notification.ts'
import { newTask } from '#core/task-changes.ts'
import { answers, answersEndlessly, type Behaviour, hangsUp, startHttpReceiver } from '#kit/http-receiver.ts'
import { freePort } from '#kit/listen.ts'
import { channelDeps } from '#test/channels/peers.ts'
import { sign, webhookKind } from './webhook.ts'

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const now = Date.now()
const expiryAt = now + 600_000
const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
const message: Message = {
  deliveryId: '0193a2f0-8b7e-7c41-9d55-3a1f0f2c9b10',
  attempt: 1,
  notification: {
    id: 901,
    userId: 1,
    taskId: 42,
    kind: 'expiring',
    reminder: 'PT15M',
    expiryAt,
    dueAt: expiryAt - 900_000,
    firedAt: now,
    timing: 'immediate',
    latenessMs: 2,
  },
  task: {
    id: 42,
    ...newTask({ title: 'Renew «passport» 日本\r\n', expiry: { at: expiryAt } }, 1, 'uid', defaults, now),
  },
  kind: 'expiring',
  sentAt: now,
  timeZone: 'UTC',
  links: null,
  others: [],
}

/** A function that sends by a webhook channel, with its own receiver. */
async function openWebhook(t: TestContext, behave: Behaviour, message?: Message) {
  return openWebhookTo(t, (await startHttpReceiver(t, behave)).url, message)
}

async function openWebhookTo(t: TestContext, base: string, sent: Message = message) {
  const channel = await webhookKind.open({ url: `${base}/hook?token=hush`, secret }, channelDeps)
  t.after(() => channel[Symbol.asyncDispose]())
  // A throw means «retry», as in reminders/.
  return (signal = new AbortController().signal) =>
    channel.send(sent, signal).catch((error: Error) => ({ retry: true, reason: error.message }))
}

const status = (code: number, headers: Record<string, string> = {}) =>
  answers(code, 'any text of the receiver', headers)

test('the signature is that of the test vector of Standard Webhooks', () => {
  const key = Buffer.from(secret.slice(6), 'base64')
  const signature = sign(key, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}')
  assert.equal(signature, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})

test('a receiver that uses the library of Standard Webhooks accepts it, and reads a CloudEvent', async (t) => {
  let event: Record<string, unknown> = {}
  const send = await openWebhook(t, ({ headers, body }, response) => {
    event = new Webhook(secret).verify(body, headers as Record<string, string>) as Record<string, unknown>
    assert.equal(headers['webhook-id'], message.deliveryId)
    response.writeHead(204).end()
  })
  assert.equal(await send(), 'sent')
  assert.equal(event.specversion, '1.0')
  assert.equal(event.type, 'task.expiring')
  assert.equal(event.subject, 'tasks/42')
  const data = event.data as { task: { title: string }; message: string }
  assert.equal(data.task.title, message.task.title)
})

test('during a rotation a receiver may have either secret, until the old one ends', async (t) => {
  const next = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'
  const { url, requests } = await startHttpReceiver(t, answers(204))
  for (const previous_until of [new Date(now + 1_000).toISOString(), new Date(now).toISOString()]) {
    await using channel = await webhookKind.open(
      { url, secret: next, previous_secret: secret, previous_until },
      channelDeps,
    )
    assert.equal(await channel.send(message, new AbortController().signal), 'sent')
  }
  const verify = (key: string, at: number) => {
    const { headers, body } = requests[at] as (typeof requests)[number]
    return new Webhook(key).verify(body, headers as Record<string, string>)
  }
  for (const key of [secret, next]) verify(key, 0)
  verify(next, 1)
  assert.throws(() => verify(secret, 1))
})

test('a grouped message contains every task, and the action links', async (t) => {
  let event: { data: { others?: { task: { title: string }; message: string }[]; links?: object } } = { data: {} }
  const links = { complete: 'https://x/a/c', snooze: 'https://x/a/s', acknowledge: 'https://x/a/k' }
  const send = await openWebhook(
    t,
    ({ body }, response) => {
      event = JSON.parse(body)
      response.writeHead(204).end()
    },
    { ...message, links, others: [{ ...message, task: { ...message.task, title: 'Second' } }] },
  )
  assert.equal(await send(), 'sent')
  assert.deepEqual(event.data.links, links)
  assert.equal(event.data.others?.[0]?.task.title, 'Second')
  assert.match(event.data.others?.[0]?.message ?? '', /^Your task \(id:42,title:"Second"\)/)
})

for (const [code, outcome] of [
  [200, 'sent'],
  [202, 'sent'],
  [400, { retry: true, reason: '400 Bad Request', status: 400 }],
  [401, { retry: false, reason: '401 Unauthorized', status: 401 }],
  [404, { retry: true, reason: '404 Not Found', status: 404 }],
  [410, { retry: false, reason: '410 Gone', status: 410, isGone: true }],
  [500, { retry: true, reason: '500 Internal Server Error', status: 500 }],
  [302, { retry: true, reason: '302 Found: redirects are not followed', status: 302 }],
] as const)
  test(`${code} means ${typeof outcome === 'string' ? outcome : outcome.retry ? 'later' : 'never'}`, async (t) => {
    const send = await openWebhook(t, status(code, { location: 'http://127.0.0.1:1/' }))
    assert.deepEqual(await send(), outcome)
  })

test('Retry-After is passed on, in seconds and as a date', async (t) => {
  const send = await openWebhook(t, status(503, { 'retry-after': '120' }))
  assert.deepEqual(await send(), { retry: true, reason: '503 Service Unavailable', status: 503, afterMs: 120_000 })
  // Counted from the receiver's own Date, in whole seconds.
  const dates = [now, now + 60_000].map((at) => new Date(at).toUTCString())
  const sendDated = await openWebhook(t, status(429, { date: dates[0] as string, 'retry-after': dates[1] as string }))
  assert.equal(((await sendDated()) as { afterMs: number }).afterMs, 60_000)
})

test('an unavailable receiver, or one that hangs up, is retried; the address is not repeated', async (t) => {
  const send = await openWebhook(t, hangsUp)
  const cutOff = await send()
  assert.ok(
    typeof cutOff === 'object' && cutOff.retry && !/hush|127\.0\.0\.1/.test(cutOff.reason),
    JSON.stringify(cutOff),
  )
  const sendNowhere = await openWebhookTo(t, `http://127.0.0.1:${await freePort()}`)
  const refused = await sendNowhere()
  assert.deepEqual(refused, { retry: true, reason: 'cannot be reached: ECONNREFUSED' })
})

test('the signal ends an attempt at a silent receiver', async (t) => {
  const giveUp = new AbortController()
  const send = await openWebhook(t, () => giveUp.abort())
  assert.deepEqual(await send(giveUp.signal), { retry: true, reason: 'timed out' })
})

test('an endless response is not read: its status is enough', async (t) => {
  let written = 0
  const send = await openWebhook(
    t,
    answersEndlessly(200, (bytes) => {
      written = bytes
    }),
  )
  assert.equal(await send(), 'sent')
  assert.ok(written < 50e6, `${written} bytes`)
})

for (const [url, fault] of [
  ['ftp://example.org/', 'must be an http or https URL'],
  ['no url', 'must be an http or https URL'],
  ['http://user:hush@example.org/', 'must not hold a user name or password'],
] as const)
  test(`${url} is no URL of a webhook`, async () => {
    await assert.rejects(webhookKind.open({ url, secret }, channelDeps), { kind: 'invalid', message: `url ${fault}` })
  })
