import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from '#core/delivery.ts'
import {
  answers,
  answersEndlessly,
  type Behaviour,
  closesMidWay,
  hangsUp,
  type Request,
  startHttpReceiver,
} from '#kit/http-receiver.ts'
import { openSubject, stringsIn, subjects } from '#test/channels/http-subjects.ts'
import { messageAbout } from '#test/channels/messages.ts'
import { catalog } from './catalog.ts'
import { oneLine } from './message-text.ts'

/** The behaviour of every kind that uses HTTP, whatever its API. */

const message = messageAbout({})

function failed(outcome: Outcome): Exclude<Outcome, 'sent'> {
  assert.notEqual(outcome, 'sent')
  return outcome as Exclude<Outcome, 'sent'>
}

test('every kind of the catalog that uses HTTP is a subject', () => {
  // These have their own suites: peers.test.ts, test/channels.
  const others = ['console', 'email', 'mqtt', 'amqp', 'nats', 'redis', 'command']
  const kinds = catalog.map(({ kind }) => kind).filter((kind) => !others.includes(kind))
  assert.deepEqual(subjects.map(({ kind }) => kind).sort(), kinds.sort())
})

test('every kind has a description, and so does each of its options', () => {
  for (const { kind, label, about, options } of catalog) {
    const { properties, additionalProperties } = options as unknown as {
      properties: Record<string, { title?: string; description?: string; format?: string }>
      additionalProperties: boolean
    }
    assert.ok(label && about.endsWith('.'), kind)
    assert.equal(additionalProperties, false, kind)
    for (const [name, option] of Object.entries(properties)) {
      assert.match(name, /^[a-z]+(_[a-z]+)*$/)
      assert.ok(option.title && option.description && option.format === undefined, `${kind}.${name}`)
    }
  }
})

for (const subject of subjects) {
  const { kind, secrets, refusal, read } = subject
  const words = (text: string) => refusal?.(text) ?? text

  test(`${kind}: it is sent`, async (t) => {
    for (const status of [200, 202, 204]) {
      const receiver = await startHttpReceiver(t, answers(status))
      const send = await openSubject(t, subject, receiver.url)
      assert.equal(await send(message), 'sent')
      assert.equal(receiver.requests.length, 1)
    }
  })

  test(`${kind}: a permanent error has a reason`, async (t) => {
    const receiver = await startHttpReceiver(t, answers(401, words('not_known_here')))
    const outcome = failed(await (await openSubject(t, subject, receiver.url))(message))
    assert.equal(outcome.retry, false)
    assert.equal(outcome.status, 401)
    assert.match(outcome.reason, refusal ? /^401 Unauthorized: .*not_known_here$/ : /^401 Unauthorized$/)
  })

  test(`${kind}: a temporary error is retried`, async (t) => {
    const receiver = await startHttpReceiver(t, answers(500, '<html>a proxy says no</html>'))
    const send = await openSubject(t, subject, receiver.url)
    assert.deepEqual(await send(message), { retry: true, reason: '500 Internal Server Error', status: 500 })
    receiver.behave = answers(429, words('rate_limited'), { 'retry-after': '30' })
    const outcome = failed(await send(message))
    assert.ok(outcome.retry && outcome.afterMs === 30_000, JSON.stringify(outcome))
  })

  test(`${kind}: the signal ends an attempt at a silent receiver`, async (t) => {
    const giveUp = new AbortController()
    const receiver = await startHttpReceiver(t, () => giveUp.abort())
    const send = await openSubject(t, subject, receiver.url)
    assert.deepEqual(await send(message, giveUp.signal), { retry: true, reason: 'timed out' })
  })

  test(`${kind}: an endless response is not read to its end`, async (t) => {
    const receiver = await startHttpReceiver(t, answersEndlessly(200))
    const send = await openSubject(t, subject, receiver.url)
    assert.equal(await send(message), 'sent')
    receiver.behave = answersEndlessly(500)
    assert.deepEqual(await send(message), { retry: true, reason: '500 Internal Server Error', status: 500 })
  })

  test(`${kind}: a receiver that hangs up, or closes mid-way, is retried`, async (t) => {
    const receiver = await startHttpReceiver(t, hangsUp)
    const send = await openSubject(t, subject, receiver.url)
    const cutOff = failed(await send(message))
    assert.ok(cutOff.retry && /^cannot be reached/.test(cutOff.reason), JSON.stringify(cutOff))
    receiver.behave = closesMidWay(500)
    assert.deepEqual(await send(message), { retry: true, reason: '500 Internal Server Error', status: 500 })
  })

  test(`${kind}: an untrusted certificate is the reason, and nothing is sent`, async (t) => {
    const receiver = await startHttpReceiver(t, answers(200), { isSecure: true })
    const outcome = await (await openSubject(t, subject, receiver.url))(message)
    assert.deepEqual(outcome, { retry: true, reason: 'cannot be reached: DEPTH_ZERO_SELF_SIGNED_CERT' })
    assert.equal(receiver.requests.length, 0)
  })

  test(`${kind}: a redirect is not followed`, async (t) => {
    const elsewhere = await startHttpReceiver(t, answers(200))
    const receiver = await startHttpReceiver(t, answers(307, '', { location: elsewhere.url }))
    const outcome = failed(await (await openSubject(t, subject, receiver.url))(message))
    assert.match(outcome.reason, /redirects are not followed$/)
    assert.equal(elsewhere.requests.length, 0)
  })

  test(`${kind}: a reason contains no secret, whatever the receiver repeats`, async (t) => {
    const echoes: ((request: Request, url: string) => string)[] = [
      ({ path }, url) => url + path,
      ({ path }) => path,
      ({ headers }) => Object.values(headers).join(' '),
      ({ body }) => body,
      ...secrets.map((secret) => () => `what ${secret} is`),
      // Truncation must not split a secret, and control characters must not hide it.
      ...secrets.map((secret) => () => 'x'.repeat(190) + secret),
      ...secrets.map((secret) => () => [...secret].join('\u0000')),
    ]
    const receiver = await startHttpReceiver(t, answers(200))
    const send = await openSubject(t, subject, receiver.url)
    for (const status of [302, 400, 401, 403, 404, 410, 429, 500])
      for (const echo of echoes) {
        receiver.behave = (request, response) => response.writeHead(status).end(words(echo(request, receiver.url)))
        const { reason } = failed(await send(message))
        assert.doesNotMatch(reason, /canary/i)
        assert.ok(reason.length <= 300, reason)
      }
    receiver.behave = hangsUp
    assert.doesNotMatch(failed(await send(message)).reason, /canary|127\.0\.0\.1/i)
  })

  test(`${kind}: the error text of a receiver becomes one line`, async (t) => {
    const receiver = await startHttpReceiver(t, answers(400, words('a\r\nb\u001b[31m \u202ec')))
    const { reason } = failed(await (await openSubject(t, subject, receiver.url))(message))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this looks for control characters
    assert.doesNotMatch(reason, /[\u0000-\u001f\u202e]/)
  })

  test(`${kind}: a response that is no object, or has other types, is handled`, async (t) => {
    const receiver = await startHttpReceiver(t, answers(200))
    const send = await openSubject(t, subject, receiver.url)
    const bodies = [
      'null',
      '7',
      '"text"',
      '[]',
      '{',
      '{"error":7,"errors":{},"message":[],"description":null,"errcode":1}',
    ]
    for (const body of [...bodies, '{"error":null,"parameters":null,"retry_after":"soon","retry_after_ms":-1}']) {
      receiver.behave = answers(429, body)
      const outcome = failed(await send(message))
      assert.ok(
        outcome.retry && outcome.reason === '429 Too Many Requests' && !outcome.afterMs,
        JSON.stringify(outcome),
      )
    }
  })

  test(`${kind}: a title arrives as text, and is in no header and no path`, async (t) => {
    const title =
      'Pay\r\nX-Evil: 1 \u001b[31m<script>alert(1)</script> \u202eabc "q" \'s\' `code` **b** _i_ ~s~ | [x](y) # &amp; ' +
      '@everyone @channel @room <!channel> <@U1> {{DATE(1)}} 🎉𝒳日'
    const receiver = await startHttpReceiver(t, answers(200))
    const send = await openSubject(t, subject, receiver.url)
    const others = [messageAbout({ title }), messageAbout({ title: '# second', description: '> third\n- fourth' })]
    for (const sent of [messageAbout({ title }), { ...messageAbout({}), others }]) {
      assert.equal(await send(sent), 'sent')
      const { path, headers, body } = receiver.requests.at(-1) as Request
      assert.doesNotMatch(path + JSON.stringify(headers), /evil|everyone/i)
      if (kind === 'webhook') continue
      const parsed = JSON.parse(body)
      assert.ok(read(parsed).includes(oneLine(title)), read(parsed))
      for (const text of stringsIn(parsed)) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: this looks for control characters
        assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u202a-\u202e]/)
        if (/slack|matrix/.test(kind) && text !== parsed.body) assert.doesNotMatch(text, /<(?!br>|\/?strong>)/)
        if (kind === 'mattermost') assert.doesNotMatch(text, /@[a-z]/)
      }
      if (kind === 'discord') assert.deepEqual(parsed.allowed_mentions, { parse: [] })
      if (kind === 'matrix') assert.deepEqual(parsed['m.mentions'], {})
    }
  })
}

/** Documented details of single APIs, beyond the status. */
const particular: readonly [
  kind: string,
  what: string,
  behaviour: Behaviour,
  expected: Partial<Exclude<Outcome, 'sent'>>,
][] = [
  [
    'slack',
    'a deleted webhook',
    answers(404, 'no_service'),
    { retry: false, isGone: true, reason: '404 Not Found: no_service' },
  ],
  ['slack', 'an archived channel', answers(410, 'channel_is_archived'), { retry: false, isGone: true }],
  [
    'discord',
    'a deleted webhook',
    answers(404, '{"message":"Unknown Webhook","code":10015}'),
    { retry: false, isGone: true },
  ],
  [
    'discord',
    'a wait in seconds',
    answers(429, '{"message":"You are being rate limited.","retry_after":0.65}'),
    { retry: true, afterMs: 650 },
  ],
  [
    'discord',
    'a wait in a header alone',
    answers(429, '', { 'x-ratelimit-reset-after': '1.5' }),
    { retry: true, afterMs: 1_500 },
  ],
  [
    'mattermost',
    'no such webhook',
    answers(400, '{"id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook."}'),
    { retry: false, reason: '400 Bad Request: Invalid webhook.' },
  ],
  [
    'telegram',
    'a wait in seconds',
    answers(429, '{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":7}}'),
    { retry: true, afterMs: 7_000 },
  ],
  [
    'telegram',
    'an unknown chat',
    answers(400, '{"ok":false,"description":"Bad Request: chat not found"}'),
    { retry: false },
  ],
  ['telegram', 'an invalid token', answers(404, '{"ok":false,"description":"Not Found"}'), { retry: false }],
  [
    'matrix',
    'a wait in milliseconds',
    answers(429, '{"errcode":"M_LIMIT_EXCEEDED","error":"Too many","retry_after_ms":2000}'),
    { retry: true, afterMs: 2_000 },
  ],
  [
    'matrix',
    'a rate limit under another status',
    answers(400, '{"errcode":"M_LIMIT_EXCEEDED","error":"Too many","retry_after_ms":2000}'),
    { retry: true, afterMs: 2_000, isRateLimited: true },
  ],
  [
    'matrix',
    'a revoked token',
    answers(400, '{"errcode":"M_UNKNOWN_TOKEN","error":"Logged out"}'),
    { retry: false, reason: '400 Bad Request: M_UNKNOWN_TOKEN Logged out' },
  ],
  [
    'pushover',
    'an error without retry',
    answers(400, '{"status":0,"errors":["user identifier is invalid"]}'),
    { retry: false, reason: '400 Bad Request: user identifier is invalid' },
  ],
  [
    'pushover',
    'the monthly quota',
    answers(429, '', { 'x-limit-app-reset': String(message.sentAt / 1_000 + 60) }),
    { retry: true, afterMs: 60_000 },
  ],
]

for (const [kind, what, behaviour, expected] of particular)
  test(`${kind}: ${what}`, async (t) => {
    const subject = subjects.find((one) => one.kind === kind)
    assert.ok(subject)
    const receiver = await startHttpReceiver(t, behaviour)
    const outcome = failed(await (await openSubject(t, subject, receiver.url))(message))
    assert.deepEqual({ ...outcome, ...expected }, outcome)
  })
