import assert from 'node:assert/strict'
import { once } from 'node:events'
import { hostname } from 'node:os'
import { type TestContext, test } from 'node:test'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { emailKind, greetingName } from '#channels/email.ts'
import type { Message } from '#core/notification.ts'
import { freePort } from '#kit/listen.ts'
import { selfSigned } from '#kit/self-signed.ts'
import { messageAbout } from './messages.ts'
import { channelDeps, send } from './peers.ts'

/** Mails, received by an independent server and read by an independent parser. */

interface Mail {
  readonly from: string
  readonly to: readonly string[]
  readonly source: string
  readonly parsed: ParsedMail
}

interface Mailbox {
  readonly mails: Mail[]
  start(): Promise<void>
  stop(): Promise<void>
}

/** Refuses with a reply code and a text. */
const refusal = (responseCode: number, words: string) => Object.assign(new Error(words), { responseCode })

function makeMailbox(t: TestContext, port: number, options: SMTPServerOptions): Mailbox {
  const mails: Mail[] = []
  let server: SMTPServer | undefined
  const mailbox: Mailbox = {
    mails,
    async start() {
      server = new SMTPServer({
        authOptional: true,
        disabledCommands: ['STARTTLS'],
        disableReverseLookup: true,
        closeTimeout: 1,
        logger: false,
        onData(stream, session, done) {
          const chunks: Buffer[] = []
          stream.on('data', (chunk: Buffer) => chunks.push(chunk))
          stream.on('end', async () => {
            const source = Buffer.concat(chunks)
            const parsed = await simpleParser(source)
            const { mailFrom, rcptTo } = session.envelope
            const to = rcptTo.map(({ address }) => address)
            mails.push({ from: mailFrom ? mailFrom.address : '', to, source: source.toString('utf8'), parsed })
            done()
          })
        },
        ...options,
      })
      server.on('error', () => {})
      server.listen(port, '127.0.0.1')
      await once(server.server, 'listening')
    },
    stop: () => new Promise((resolve) => (server ? server.close(() => resolve()) : resolve())),
  }
  t.after(() => mailbox.stop())
  return mailbox
}

const settings = { security: 'none' as const, host: '127.0.0.1', from: 'bell@example.org', to: ['me@example.org'] }

async function openMail(t: TestContext, options: SMTPServerOptions = {}, more: object = {}) {
  const port = await freePort()
  const mailbox = makeMailbox(t, port, options)
  await mailbox.start()
  const channel = await emailKind.open({ ...settings, port, ...more }, channelDeps)
  t.after(() => channel[Symbol.asyncDispose]())
  return { ...mailbox, port, deliver: (message: Message) => send(channel, message) }
}

const links = {
  complete: 'https://tasks.example.org/a?x=1&y=2',
  snooze: 'https://tasks.example.org/b',
  acknowledge: 'https://tasks.example.org/c',
}

test('a mail has the message as text and as HTML, and the recipients of the options', async (t) => {
  const { deliver, mails } = await openMail(t, {}, { to: ['me@example.org', 'you@example.org'] })
  const message = messageAbout({ title: 'Renew passport', description: 'Two photos', tags: ['errands'] }, { links })
  assert.equal(await deliver(message), 'sent')
  const [{ parsed, from, to, source }] = mails as [Mail]
  assert.deepEqual([from, to], ['bell@example.org', ['me@example.org', 'you@example.org']])
  assert.equal(parsed.subject, 'Renew passport expires in 15 min')
  assert.equal(parsed.messageId, `<${message.deliveryId}@example.org>`)
  assert.equal(parsed.date?.getTime(), message.sentAt)
  assert.equal(parsed.headers.get('auto-submitted'), 'auto-generated')
  assert.doesNotMatch(source, /^Importance/m)
  assert.deepEqual(parsed.from?.value, [{ address: 'bell@example.org', name: 'Duebell' }])
  assert.match(parsed.text ?? '', /^Tue, 1 Dec 2026, 10:00 \(Europe\/Paris\)\nTwo photos\n\nDone: https:\S+x=1&y=2\n/)
  assert.match(parsed.html || '', /href="https:\/\/tasks\.example\.org\/a\?x=1&amp;y=2"/)
  assert.match(source, /^Content-Type: multipart\/alternative/m)
  assert.deepEqual(parsed.attachments, [])
})

test('an urgent late mail says so in its headers, too; several tasks are one mail', async (t) => {
  const { deliver, mails } = await openMail(t)
  const late = messageAbout({ priority: 'high' }, { sentMs: 7_200_000, timing: 'late' })
  assert.equal(await deliver({ ...late, others: [messageAbout({ title: 'Water the plants' })] }), 'sent')
  const [{ parsed, source }] = mails as [Mail]
  assert.match(source, /^Importance: High\r$/m)
  assert.equal(parsed.subject, '2 tasks: Renew passport, Water the plants')
  assert.match(
    parsed.text ?? '',
    /Renew passport expired 1 h 45 min ago[\s\S]*This notification is 2 h late[\s\S]*Water the plants/,
  )
})

for (const title of [
  'a\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)</script>',
  'a\nTo: evil@example.org\u2028Cc: evil@example.org\u0085X: y',
  '\u001b[2J\u202eevil"quoted" \'it\' =?utf-8?q?x?= \\',
  'x, evil@example.org <evil@example.org>; evil@example.org',
  `日本 🎉 ${'ö🎉'.repeat(100)}`,
  '.\r\n.\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<evil@example.org>\r\nDATA\r\n',
])
  test(`a title is the subject and nothing else: ${JSON.stringify(title).slice(0, 60)}`, async (t) => {
    const { deliver, mails } = await openMail(t)
    assert.equal(await deliver(messageAbout({ title, description: title, tags: [title.slice(0, 40)] })), 'sent')
    assert.equal(mails.length, 1)
    const [{ parsed, to, from, source }] = mails as [Mail]
    assert.deepEqual([from, to], ['bell@example.org', ['me@example.org']])
    const head = source.slice(0, source.indexOf('\r\n\r\n'))
    const names = [...head.matchAll(/^([A-Za-z-]+):/gm)].map(([, name]) => name?.toLowerCase()).sort()
    assert.deepEqual(names, [
      'auto-submitted',
      'content-type',
      'date',
      'from',
      'message-id',
      'mime-version',
      'subject',
      'to',
      'x-auto-response-suppress',
    ])
    assert.deepEqual(
      [parsed.to].flat().flatMap((one) => one?.value.map(({ address }) => address)),
      ['me@example.org'],
    )
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this looks for control characters
    assert.doesNotMatch(`${parsed.subject}${parsed.text}`, /[\u0000-\u0009\u000b-\u001f\u202a-\u202e]/)
    assert.ok(parsed.subject?.startsWith(title.slice(0, 1).trim() || 'evil') || parsed.subject?.startsWith('[2J'))
    assert.doesNotMatch(parsed.html || '', /<script/)
  })

const refusals: readonly [string, SMTPServerOptions, object][] = [
  [
    'a password',
    { onAuth: (_, __, done) => done(refusal(535, '5.7.8 hush')) },
    { retry: false, reason: '535 5.7.8: the user or password was refused', status: 535 },
  ],
  [
    'a password, for now',
    { onAuth: (_, __, done) => done(refusal(454, '4.7.0 hush')) },
    { retry: true, reason: '454 4.7.0: the user or password was refused', status: 454 },
  ],
  [
    'the sender',
    { onMailFrom: (_, __, done) => done(refusal(550, '5.1.8 hush')) },
    { retry: false, reason: '550 5.1.8: the sender was refused', status: 550 },
  ],
  [
    'the recipient',
    { onRcptTo: (_, __, done) => done(refusal(550, '5.1.1 hush me@example.org')) },
    { retry: false, reason: '550 5.1.1: every recipient was refused', status: 550 },
  ],
  [
    'the recipient, for now',
    { onRcptTo: (_, __, done) => done(refusal(450, '4.2.0 hush')) },
    { retry: true, reason: '450 4.2.0: every recipient was refused', status: 450 },
  ],
  [
    'every mail of this sender, for now, by the code of Gmail',
    { onRcptTo: (_, __, done) => done(refusal(421, '4.7.28 hush')) },
    { retry: true, reason: '421 4.7.28: the server refused the connection', status: 421, isRateLimited: true },
  ],
  [
    'more mails, for now, in words',
    { onMailFrom: (_, __, done) => done(refusal(451, '4.7.1 too many messages, hush')) },
    { retry: true, reason: '451 4.7.1: the sender was refused', status: 451, isRateLimited: true },
  ],
  [
    'the mail',
    { onData: (stream, _, done) => void stream.resume().on('end', () => done(refusal(554, '5.7.1 hush'))) },
    { retry: true, reason: '554 5.7.1: the mail was refused', status: 554 },
  ],
]

for (const [what, options, outcome] of refusals)
  test(`a server that refuses ${what}`, async (t) => {
    const login = options.onAuth ? { user: 'me', password: 'hush' } : {}
    const { deliver } = await openMail(t, { ...options, allowInsecureAuth: true }, login)
    assert.deepEqual(await deliver(messageAbout({})), outcome)
  })

test('one of two recipients is refused: the other gets the mail, and the reason says so', async (t) => {
  const { deliver, mails } = await openMail(
    t,
    { onRcptTo: ({ address }, _, done) => done(/^you/.test(address) ? refusal(550, '5.1.1 hush') : null) },
    { to: ['me@example.org', 'you@example.org'] },
  )
  const reason = '550 5.1.1: 1 of 2 recipients were refused'
  assert.deepEqual(await deliver(messageAbout({})), { retry: false, reason, status: 550 })
  assert.deepEqual(
    mails.map(({ to }) => to),
    [['me@example.org']],
  )
})

test('it logs in if the server requires it', async (t) => {
  const { deliver, mails } = await openMail(
    t,
    {
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _, done) =>
        username === 'me' && password === 'hush' ? done(null, { user: 'me' }) : done(refusal(535, 'no')),
    },
    { user: 'me', password: 'hush' },
  )
  assert.equal(await deliver(messageAbout({})), 'sent')
  assert.equal(mails.length, 1)
})

test('STARTTLS comes before everything, and an untrusted certificate ends the attempt', async (t) => {
  const seen: string[] = []
  const options: SMTPServerOptions = {
    disabledCommands: [],
    ...selfSigned,
    onAuth: (auth, _, done) => {
      seen.push(String(auth.password))
      done(null, { user: 'me' })
    },
  }
  const more = { security: 'starttls', user: 'me', password: 'hush' }
  const { deliver } = await openMail(t, options, more)
  const outcome = await deliver(messageAbout({}))
  assert.match(JSON.stringify(outcome), /"retry":true,"reason":"cannot be reached: \w+/)
  assert.deepEqual(seen, [])
  const bare = await openMail(t, { allowInsecureAuth: true, onAuth: options.onAuth as never }, more)
  assert.match(JSON.stringify(await bare.deliver(messageAbout({}))), /"retry":true,"reason":"cannot be reached: /)
  assert.deepEqual(seen, [])
})

test('a restarted server gets everything, with the same Message-IDs', async (t) => {
  const { deliver, mails, start, stop } = await openMail(t)
  const all = Array.from({ length: 20 }, (_, at) => ({
    ...messageAbout({ title: `Task ${at}` }),
    deliveryId: `0193a2f0-8b7e-7c41-9d55-0000000000${String(at).padStart(2, '0')}`,
  }))
  const sendAll = async (some: readonly Message[]) => {
    const outcomes = await Promise.all(some.map(deliver))
    return some.filter((_, at) => outcomes[at] !== 'sent')
  }
  assert.deepEqual(await sendAll(all.slice(0, 5)), [])
  const broken = sendAll(all.slice(5, 15))
  await stop()
  const unsent = [...(await broken), ...(await sendAll(all.slice(15)))]
  assert.ok(unsent.length >= 5)
  await start()
  assert.deepEqual(await sendAll(unsent), [])
  const ids = mails.map(({ parsed }) => parsed.messageId)
  assert.deepEqual(new Set(ids), new Set(all.map(({ deliveryId }) => `<${deliveryId}@example.org>`)))
})

test('a login needs a user and a password; addresses are validated', async () => {
  await assert.rejects(emailKind.open({ ...settings, user: 'me' }, channelDeps), {
    message: 'password is missing; a login has both',
  })
  await assert.rejects(emailKind.open({ ...settings, host: 'a/b' }, channelDeps), { message: 'host must name a host' })
  const { pattern: text } = emailKind.options.properties.from as { pattern?: string }
  const pattern = new RegExp(text as string, 'u')
  for (const bad of ['a@b\r\nBcc: c@d', 'a@b, c@d', '<a@b>', 'a', 'a@b@c d', 'a b@c']) assert.doesNotMatch(bad, pattern)
  for (const good of ['a@b', 'a+b@mail.example.org', 'jörg@bücher.example']) assert.match(good, pattern)
})

test('the greeting has a domain name (RFC 5321 section 4.1.1.1), and not [127.0.0.1]', async (t) => {
  const greetings: string[] = []
  const { deliver } = await openMail(t, {
    onMailFrom(_, { hostNameAppearsAs }, done) {
      greetings.push(hostNameAppearsAs)
      done()
    },
  })
  assert.equal(await deliver(messageAbout({})), 'sent')
  assert.deepEqual(greetings, [greetingName(hostname(), settings.from)])
  // The host name of a container is a bare id.
  assert.equal(greetingName('9f86d081884c', settings.from), 'example.org')
  assert.equal(greetingName('bell.home.arpa', settings.from), 'bell.home.arpa')
  assert.equal(greetingName('localhost', 'bell@bücher.example'), 'xn--bcher-kva.example')
  assert.equal(greetingName('localhost', 'bell@localhost'), undefined)
})
