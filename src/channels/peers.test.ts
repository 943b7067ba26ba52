import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { TLSSocket } from 'node:tls'
import type { Outcome } from '#core/delivery.ts'
import { freePort } from '#kit/listen.ts'
import { selfSigned } from '#kit/self-signed.ts'
import { startTcpServer } from '#kit/tcp-server.ts'
import { messageAbout } from '#test/channels/messages.ts'
import { canary, type PeerSubject, peerSubjects as subjects } from '#test/channels/peer-subjects.ts'
import { channelDeps, send } from '#test/channels/peers.ts'
import { natsKind } from './nats.ts'
import { redisKind } from './redis.ts'

/** Channels of protocols other than HTTP, with every misbehaviour of a peer. */

/** A retry, with a reason that contains no text of the peer and no secret. */
function assertLater(outcome: Outcome, reason?: RegExp): void {
  assert.ok(typeof outcome === 'object' && outcome.retry, JSON.stringify(outcome))
  assertClean(outcome.reason)
  if (reason) assert.match(outcome.reason, reason)
}

function assertClean(reason: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this looks for control characters
  assert.doesNotMatch(reason, /canary|[\u0000-\u001f\u007f]|127\.0\.0\.1|:\/\//)
  assert.ok(reason.length > 3 && reason.length < 200)
}

const message = messageAbout({ title: `${canary}\r\nBcc: evil@example.org` })

for (const { kind, at, greeting } of subjects) {
  test(kind.kind, async (t) => {
    const open = (port: number, isEncrypted?: boolean) => kind.open(at('127.0.0.1', port, isEncrypted), channelDeps)

    await t.test('hides its secret: the address that contains it, or the password', () => {
      const { properties } = kind.options as unknown as { properties: Record<string, Record<string, unknown>> }
      for (const [name, { title, description }] of Object.entries(properties)) assert.ok(title && description, name)
      assert.equal((properties.url ?? properties.password)?.writeOnly, true)
    })

    await t.test('never connects to the metadata service of a cloud, in any spelling', async () => {
      for (const host of ['169.254.169.254', '[::ffff:a9fe:a9fe]', '0xa9fea9fe', '2852039166', '[fe80::1]', '0'])
        await assert.rejects(
          kind.open(at(host, 1), channelDeps),
          (error: Error) => /never allowed/.test(error.message) && !error.message.includes(canary),
          host,
        )
    })

    await t.test('a closed port', async () => {
      await using channel = await open(await freePort())
      assertLater(await send(channel, message), /^cannot be reached: ECONNREFUSED$/)
    })

    await t.test('falls silent: the signal ends it, and the connection', async (t) => {
      const giveUp = new AbortController()
      const ended = Promise.withResolvers<void>()
      const { port, sockets } = await startTcpServer(t, (socket) => {
        socket.resume().on('close', () => ended.resolve())
        socket.write(greeting, () => giveUp.abort())
      })
      await using channel = await open(port)
      assertLater(await send(channel, message, giveUp.signal), /^timed out$/)
      await ended.promise
      assert.equal(sockets.length, 1)
    })

    await t.test('falls silent: closing the channel does not wait', async (t) => {
      const connected = Promise.withResolvers<void>()
      const ended = Promise.withResolvers<void>()
      const { port } = await startTcpServer(t, (socket) => {
        socket.resume().on('close', () => ended.resolve())
        connected.resolve()
      })
      const channel = await open(port)
      const inFlight = send(channel, message)
      await connected.promise
      await channel[Symbol.asyncDispose]()
      assertLater(await inFlight)
      await ended.promise
    })

    await t.test('hangs up, and the next attempt reconnects', async (t) => {
      const { port, sockets } = await startTcpServer(t, (socket) => {
        socket.once('data', () => socket.destroy())
        if (greeting) socket.end(greeting)
        else socket.end()
      })
      await using channel = await open(port)
      assertLater(await send(channel, message))
      assertLater(await send(channel, message))
      assert.equal(sockets.length, 2, 'no library reconnects by itself')
    })

    await t.test('resets in the middle', async (t) => {
      const { port } = await startTcpServer(t, (socket) => {
        socket.once('data', () => socket.resetAndDestroy())
        socket.write(greeting)
      })
      await using channel = await open(port)
      assertLater(await send(channel, message))
    })

    await t.test('sends malformed data that contains the secret', async (t) => {
      const printed = t.mock.method(console, 'log', () => {})
      const { port } = await startTcpServer(t, (socket) => {
        socket.on('data', (bytes) => socket.write(bytes))
        socket.write(`${greeting}500 ${canary} \u001b[31m\r\n-ERR ${canary}\r\n${canary}\r\n`)
      })
      const giveUp = AbortSignal.timeout(5_000)
      await using channel = await open(port)
      const outcome = await send(channel, message, giveUp)
      assert.notEqual(outcome, 'sent')
      if (outcome !== 'sent') assertClean(outcome.reason)
      assert.equal(printed.mock.callCount(), 0)
    })

    for (const [what, beginning] of [
      ['from its first byte', ''],
      ['after its greeting', greeting],
      ['as one line', '+'],
      ['as one long string', '$999999999\r\n'],
    ])
      await t.test(`sends data without end, ${what}`, async (t) => {
        let written = 0
        const giveUp = new AbortController()
        const { port } = await startTcpServer(t, (socket) => {
          socket.resume()
          socket.write(beginning ?? '')
          const more = () => {
            while (!socket.destroyed && written < 1e8) {
              written += 65_536
              if (!socket.write(Buffer.alloc(65_536, '9'))) return socket.once('drain', more)
            }
            // It could send 100 MB.
            giveUp.abort()
          }
          more()
        })
        const before = process.memoryUsage().rss
        await using channel = await open(port)
        assertLater(await send(channel, message, giveUp.signal))
        assert.ok(written < 5e7, `${written} bytes`)
        assert.ok(process.memoryUsage().rss - before < 2e8)
      })

    // TLS of NATS starts after its greeting; a test below covers it.
    if (kind.kind !== 'nats')
      await t.test('has an untrusted certificate', async (t) => {
        let heard = ''
        const { port } = await startTcpServer(t, (socket) => socket.on('data', (bytes) => (heard += bytes)), {
          isEncrypted: true,
        })
        await using channel = await open(port, true)
        assertLater(await send(channel, message), /SELF_SIGNED/)
        assert.equal(heard, '')
      })

    // Chains of 4 to 6 KiB are usual, and Go's crypto/tls accepts 64 KiB.
    if (kind.kind !== 'nats')
      await t.test('sends 20 KiB of certificates', async (t) => {
        const { port } = await startTcpServer(t, () => {}, {
          isEncrypted: true,
          certificates: selfSigned.cert.repeat(50),
        })
        await using channel = await open(port, true)
        assertLater(await send(channel, message), /SELF_SIGNED/)
      })

    await t.test('does not speak TLS', async (t) => {
      let heard = ''
      const { port } = await startTcpServer(t, (socket) => {
        socket.on('data', (bytes) => (heard += bytes))
        socket.end(greeting || 'hello\r\n')
      })
      await using channel = await open(port, true)
      assertLater(await send(channel, message))
      assert.ok(!heard.includes(canary))
    })
  })
}

/** Responds to each line or packet with the result of a function, if it has one. */
const answering =
  (greeting: string | Buffer, answer: (heard: string) => string | Buffer | undefined) => (socket: Socket) => {
    socket.write(greeting)
    socket.on('data', (bytes) => {
      const response = answer(bytes.toString('latin1'))
      if (response !== undefined) socket.write(response)
    })
  }

const of = (name: string) => subjects.find(({ kind }) => kind.kind === name) as PeerSubject
const mqtt = of('mqtt')

const refusals: readonly [string, PeerSubject, object, (socket: Socket) => void][] = [
  [
    'email',
    of('email'),
    {},
    answering(of('email').greeting, (heard) => {
      if (/^EHLO/.test(heard)) return '250-mail.example.org\r\n250 AUTH PLAIN\r\n'
      return /^AUTH/.test(heard) ? `535 5.7.8 ${canary} is wrong\r\n` : undefined
    }),
  ],
  ['MQTT 5', mqtt, {}, answering('', () => Buffer.from([0x20, 3, 0, 0x86, 0]))],
  ['MQTT 3.1.1', mqtt, { version: '3.1.1' }, answering('', () => Buffer.from([0x20, 2, 0, 4]))],
  [
    'nats',
    of('nats'),
    {},
    answering(of('nats').greeting, (heard) =>
      /CONNECT/.test(heard) ? "-ERR 'Authorization Violation'\r\n" : undefined,
    ),
  ],
  ['redis', of('redis'), {}, answering('', (heard) => (/auth/i.test(heard) ? `-WRONGPASS ${canary}\r\n` : undefined))],
]

for (const [name, { kind, at }, more, behave] of refusals)
  test(`${name}: a refused password is permanent`, async (t) => {
    const { port } = await startTcpServer(t, behave)
    await using channel = await kind.open({ ...at('127.0.0.1', port), ...more }, channelDeps)
    const outcome = await send(channel, message)
    assert.ok(typeof outcome === 'object' && !outcome.retry, JSON.stringify(outcome))
    assertClean(outcome.reason)
    assert.match(outcome.reason, /the user(,| or) (the )?password.* was refused/)
  })

test('nats: an untrusted certificate', async (t) => {
  let heard = ''
  const { port } = await startTcpServer(t, (socket) => {
    socket.write(of('nats').greeting.replace('}', ',"tls_required":true}'), () => {
      const encrypted = new TLSSocket(socket, { isServer: true, ...selfSigned })
      encrypted.on('error', () => {}).on('data', (bytes) => (heard += bytes))
    })
  })
  for (const isEncrypted of [true, false]) {
    await using channel = await natsKind.open(of('nats').at('127.0.0.1', port, isEncrypted) as never, channelDeps)
    assertLater(await send(channel, message), /SELF_SIGNED/)
  }
  assert.equal(heard, '')
})

test('an error never repeats a URL', async () => {
  for (const [text, fault] of [
    [`http://user:${canary}@h`, /must be a URL that begins with redis:\/\/ or rediss:\/\//],
    [canary, /must be a URL/],
    [`redis://user:${canary}@h?x`, /must not hold a \?/],
    [`redis://user:${canary}%zz@h`, /contains a % that starts no escape/],
    [`redis://user:${canary}@h/first`, /must end in the number of a database/],
  ] as const)
    await assert.rejects(
      redisKind.open({ url: text, stream: 's' }, channelDeps),
      (error: Error) => fault.test(error.message) && !error.message.includes(canary),
      text,
    )
})
