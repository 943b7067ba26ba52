import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect as connectNats } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import { SMTPServer } from 'smtp-server'
import { amqpKind } from '#channels/amqp.ts'
import type { Channel } from '#channels/channel.ts'
import { emailKind } from '#channels/email.ts'
import { mqttKind } from '#channels/mqtt.ts'
import { natsKind } from '#channels/nats.ts'
import { redisKind } from '#channels/redis.ts'
import { freePort } from '#kit/listen.ts'
import { selfSigned } from '#kit/self-signed.ts'
import { startTcpServer } from '#kit/tcp-server.ts'
import { temporaryFolder } from '#support/databases.ts'
import { messageAbout } from './messages.ts'
import { brokers, channelDeps, send, skipReasonOfBroker, skipReasonOfProgram, startOwnPeer } from './peers.ts'

/** TLS to peers with a trusted certificate, by name and by address. peers.test.ts has the untrusted ones. */

function trustSelfSigned(t: TestContext): void {
  const authorities = getCACertificates('default')
  setDefaultCACertificates([...authorities, selfSigned.cert])
  t.after(() => setDefaultCACertificates(authorities))
}

/** A TLS proxy for a broker without TLS. @returns its port */
async function encrypt(t: TestContext, url: string): Promise<number> {
  const { hostname, port } = new URL(url)
  const behave = (client: Socket) => {
    const broker = connect({ host: hostname, port: Number(port) })
    client.on('error', () => broker.destroy()).on('close', () => broker.destroy())
    broker.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.pipe(broker).pipe(client)
  }
  return (await startTcpServer(t, behave, { isEncrypted: true })).port
}

async function assertSent(opening: Promise<Channel>, what: string) {
  await using channel = await opening
  assert.equal(JSON.stringify(await send(channel, messageAbout({}))), '"sent"', what)
}

const hosts = ['127.0.0.1', 'localhost']

test('redis, mqtt and amqp', {
  skip: (await skipReasonOfBroker('redis')) || (await skipReasonOfBroker('mqtt')) || (await skipReasonOfBroker('amqp')),
}, async (t) => {
  trustSelfSigned(t)
  const name = `duebell-test-${process.pid}-encrypted`
  const ports = {
    redis: await encrypt(t, brokers.redis),
    mqtt: await encrypt(t, brokers.mqtt),
    amqp: await encrypt(t, brokers.amqp),
  }
  const { connect: connectAmqp } = await import('amqplib')
  const connection = await connectAmqp(brokers.amqp)
  const channel = await connection.createChannel()
  await channel.assertQueue(name)
  const reader = new Redis(brokers.redis)
  t.after(async () => {
    await channel.deleteQueue(name)
    await connection.close()
    await reader.del(name)
    reader.disconnect()
  })
  for (const host of hosts) {
    await assertSent(
      redisKind.open({ url: `rediss://${host}:${ports.redis}`, stream: name }, channelDeps),
      `redis ${host}`,
    )
    await assertSent(mqttKind.open({ url: `mqtts://${host}:${ports.mqtt}`, topic: name }, channelDeps), `mqtt ${host}`)
    const url = `amqps://guest:guest@${host}:${ports.amqp}`
    await assertSent(amqpKind.open({ url, routing_key: name }, channelDeps), `amqp ${host}`)
  }
})

test('nats, which starts TLS after a greeting', { skip: skipReasonOfProgram('nats-server') }, async (t) => {
  trustSelfSigned(t)
  const files = temporaryFolder(t)
  const [cert, key] = [join(files, 'cert.pem'), join(files, 'key.pem')]
  writeFileSync(cert, selfSigned.cert)
  writeFileSync(key, selfSigned.key, { mode: 0o600 })
  const peer = await startOwnPeer(
    t,
    'nats-server',
    (port, folder) => [
      '-a',
      '127.0.0.1',
      '-p',
      String(port),
      '-js',
      '-sd',
      folder,
      '--tls',
      '--tlscert',
      cert,
      '--tlskey',
      key,
    ],
    /Server is ready/,
  )
  const connection = await connectNats({ servers: `localhost:${peer.port}`, tls: {} })
  await (await jetstreamManager(connection)).streams.add({ name: 's', subjects: ['s.notifications'] })
  await connection.close()
  // Also if the URL does not ask for it, since this server does.
  for (const scheme of ['tls', 'nats'])
    for (const host of scheme === 'tls' ? hosts : ['localhost']) {
      const url = `${scheme}://${host}:${peer.port}`
      await assertSent(natsKind.open({ url, subject: 's.notifications' }, channelDeps), url)
    }
})

test('email, from the first byte and by STARTTLS', async (t) => {
  trustSelfSigned(t)
  for (const security of ['tls', 'starttls'] as const) {
    const port = await freePort()
    const seen: unknown[] = []
    const server = new SMTPServer({
      ...selfSigned,
      secure: security === 'tls',
      logger: false,
      closeTimeout: 1,
      onAuth: ({ username, password }, session, done) => {
        seen.push([username, password, session.secure])
        done(null, { user: 'me' })
      },
      onData: (stream, _, done) => void stream.resume().on('end', () => done()),
    })
    server.listen(port, '127.0.0.1')
    await once(server.server, 'listening')
    t.after(() => new Promise<void>((resolve) => server.close(() => resolve())))
    for (const host of hosts) {
      const login = { user: 'me', password: 'hush', from: 'bell@example.org', to: ['me@example.org'] }
      await assertSent(emailKind.open({ host, port, security, ...login }, channelDeps), `${security} ${host}`)
    }
    assert.deepEqual(seen, [
      ['me', 'hush', true],
      ['me', 'hush', true],
    ])
  }
})
