import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { Outcome } from '#core/delivery.ts'
import { selfSigned } from '#kit/self-signed.ts'
import { startTcpServer } from '#kit/tcp-server.ts'
import { answers, type Flood, httpFloods, lateHttpFloods, peerFloods, startFlooder } from '#test/channels/floods.ts'
import { openSubject, subjects } from '#test/channels/http-subjects.ts'
import { messageAbout } from '#test/channels/messages.ts'
import { type PeerSubject, peerSubjects } from '#test/channels/peer-subjects.ts'
import { channelDeps, send } from '#test/channels/peers.ts'
import { catalog } from './catalog.ts'
import { anywhere } from './egress-policy.ts'
import { openHttpClient } from './http-client.ts'

/**
 * A peer that never stops sending: before, during and after its response. The attempt fails with a reason, the connection is closed, and the
 * peer sends no more than buffers hold. Those of TCP grow to some 10 MiB on the loopback interface.
 */
const maxSaid = 24 * 1024 * 1024
const failed: Outcome = {
  retry: true,
  reason: 'the other side kept sending data that is no response, so the connection was closed',
}
const message = messageAbout({})

const authorities = getCACertificates('default')
before(() => setDefaultCACertificates([...authorities, selfSigned.cert]))
after(() => setDefaultCACertificates(authorities))

test('every kind that uses the network has a flood', () => {
  const flooded = new Set([...peerFloods, ...subjects].map(({ kind }) => kind))
  const others = ['console', 'command'] // the latter has its own test
  assert.deepEqual(
    catalog.map(({ kind }) => kind).filter((kind) => !flooded.has(kind)),
    others.filter((kind) => !flooded.has(kind)),
  )
})

const floodsOf = (kind: string): readonly Flood[] => peerFloods.filter((one) => one.kind === kind)

for (const { kind, at } of peerSubjects as readonly PeerSubject[]) {
  for (const one of floodsOf(kind.kind))
    test(`${kind.kind}: a peer that never stops talking: ${one.what}`, async (t) => {
      const { port, sent, giveUp } = await startFlooder(t, one)
      await using channel = await kind.open({ ...at('127.0.0.1', port), ...one.options }, channelDeps)
      assert.deepEqual(await send(channel, message, giveUp), failed)
      const bytes = await sent
      assert.ok(bytes < maxSaid, `${bytes} bytes`)
    })

  const [first] = floodsOf(kind.kind).filter(({ leadUp }) => !leadUp)
  // NATS starts without TLS: its floods are among the above.
  if (first)
    test(`${kind.kind}: a peer that never stops talking from its first byte under TLS: ${first.what}`, async (t) => {
      const { port, sent, giveUp } = await startFlooder(t, first, { isEncrypted: true })
      await using channel = await kind.open(at('127.0.0.1', port, true), channelDeps)
      assert.deepEqual(await send(channel, message, giveUp), failed)
      const bytes = await sent
      assert.ok(bytes < maxSaid, `${bytes} bytes`)
    })
}

const urlOf = (port: number, isEncrypted: boolean) => `${isEncrypted ? 'https' : 'http'}://127.0.0.1:${port}`

for (const subject of subjects)
  for (const isEncrypted of [false, true])
    for (const one of httpFloods)
      test(`${subject.kind}: a peer that never stops talking${isEncrypted ? ' under TLS' : ''}: ${one.what}`, async (t) => {
        const { port, sent, giveUp } = await startFlooder(t, one, { isEncrypted })
        const send = await openSubject(t, subject, urlOf(port, isEncrypted))
        assert.deepEqual(await send(message, giveUp), failed)
        const bytes = await sent
        assert.ok(bytes < maxSaid, `${bytes} bytes`)
      })

const webhook = subjects.find(({ kind }) => kind === 'webhook') as (typeof subjects)[number]

for (const isEncrypted of [false, true])
  for (const one of lateHttpFloods)
    test(`http: a peer that continues after its response${isEncrypted ? ' under TLS' : ''}: ${one.what}`, async (t) => {
      const { port, sent, giveUp } = await startFlooder(t, one, { isEncrypted })
      const send = await openSubject(t, webhook, urlOf(port, isEncrypted))
      // The status has arrived, and decides the outcome.
      assert.equal(await send(message, giveUp), 'sent')
      const bytes = await sent
      assert.ok(bytes < maxSaid, `${bytes} bytes`)
    })

for (const isEncrypted of [false, true])
  test(`http: a peer that sends on an idle connection${isEncrypted ? ', under TLS' : ''}`, async (t) => {
    const answered = Promise.withResolvers<void>()
    const leadUp = async (socket: Socket) => {
      await answers('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')(socket)
      await answered.promise
      return socket
    }
    // An empty line is the smallest fault: parsers skip it before a response.
    const { port, sent, giveUp } = await startFlooder(t, { block: '\r\n', leadUp }, { isEncrypted })
    const send = await openSubject(t, webhook, urlOf(port, isEncrypted))
    assert.equal(await send(message, giveUp), 'sent')
    answered.resolve()
    // RFC 9112 section 9.2: it is no response, and the connection should be closed.
    const bytes = await sent
    assert.ok(bytes < maxSaid, `${bytes} bytes`)
  })

test('http: a few informational responses are accepted', async (t) => {
  const few = 'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n'.repeat(20)
  const { port } = await startTcpServer(t, (socket) =>
    socket.once('data', () => socket.end(`${few}HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n`)),
  )
  const url = new URL(`http://127.0.0.1:${port}/`)
  await using client = openHttpClient({ url, egress: anywhere })
  const response = await client.request({ headers: {}, body: '', signal: new AbortController().signal })
  assert.equal(response.status, 201)
})
