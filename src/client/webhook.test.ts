import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { sign } from '#channels/webhook.ts'
import { verifyWebhook, WebhookError } from './webhook.ts'

// The test vector of Standard Webhooks.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const at = 1614265330
const body = '{"test": 2432232314}'
const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
const headers = { 'webhook-id': id, 'webhook-timestamp': String(at), 'webhook-signature': signature }
const now = at * 1_000

const other = 'v1,G0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
const keyOf = (text: string) => Buffer.from(text.slice('whsec_'.length), 'base64')

test('the vector of Standard Webhooks is accepted, as text or bytes, with headers of Node or of fetch', async () => {
  for (const raw of [body, new TextEncoder().encode(body)])
    for (const given of [headers, new Headers(headers)])
      assert.deepEqual(await verifyWebhook(raw, given, secret, now), { test: 2432232314 })
})

test('signatures of our channel and of the library of Standard Webhooks are accepted', async () => {
  const text = JSON.stringify({ specversion: '1.0', data: { message: 'déjà vu 日本 😀' } })
  const ours = { ...headers, 'webhook-signature': sign(keyOf(secret), id, at, text) }
  assert.deepEqual(await verifyWebhook(text, ours, secret, now), JSON.parse(text))
  const theirs = { ...headers, 'webhook-signature': new Webhook(secret).sign(id, new Date(now), text) }
  assert.deepEqual(await verifyWebhook(text, theirs, secret, now), JSON.parse(text))
})

test('one valid signature among several is enough, at any position', async () => {
  for (const all of [
    `${other} ${signature}`,
    `${signature} ${other}`,
    `v1a,AAAA v2,x ${signature}`,
    `v1, ${signature}`,
  ])
    await verifyWebhook(body, { ...headers, 'webhook-signature': all }, secret, now)
})

test('a message is accepted up to five minutes old or ahead', async () => {
  for (const apart of [-300_000, 0, 300_000]) await verifyWebhook(body, headers, secret, now + apart)
  await assert.rejects(verifyWebhook(body, headers, secret, now + 300_001), /too old/)
  await assert.rejects(verifyWebhook(body, headers, secret, now - 300_001), /from the future/)
})

const wrong: [words: string, body: string, headers: Record<string, string | string[] | undefined>, secret?: string][] =
  [
    ['another body', '{"test": 2432232315}', {}],
    ['the same JSON in other bytes', '{"test":2432232314}', {}],
    ['another id', body, { 'webhook-id': 'msg_other' }],
    ['another time within the tolerance', body, { 'webhook-timestamp': String(at + 1) }],
    ['another signature', body, { 'webhook-signature': other }],
    ['a signature cut short', body, { 'webhook-signature': signature.slice(0, -4) }],
    ['an empty signature', body, { 'webhook-signature': 'v1,' }],
    ['a signature that is no base64', body, { 'webhook-signature': 'v1,%%%' }],
    ['the right signature under another version', body, { 'webhook-signature': signature.replace('v1', 'v2') }],
    ['another secret', body, {}, 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
    ['no id', body, { 'webhook-id': undefined }],
    ['no time', body, { 'webhook-timestamp': undefined }],
    ['no signature', body, { 'webhook-signature': '' }],
    ['a header that is there twice', body, { 'webhook-id': [id, id] }],
    ['a time that is none', body, { 'webhook-timestamp': '2026-12-01' }],
    ['an endless time', body, { 'webhook-timestamp': '9'.repeat(400) }],
    ['a secret that is none', body, {}, 'whsec_%%%'],
    ['an empty secret', body, {}, 'whsec_'],
  ]
for (const [words, text, changed, by = secret] of wrong)
  test(`${words} is refused`, async () => {
    await assert.rejects(verifyWebhook(text, { ...headers, ...changed }, by, now), WebhookError)
  })

test('a signed body that is no JSON is refused as such', async () => {
  const given = { ...headers, 'webhook-signature': sign(keyOf(secret), id, at, 'hello') }
  await assert.rejects(verifyWebhook('hello', given, secret, now), /not JSON/)
})
