import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect as connectNats, type NatsConnection } from '@nats-io/transport-node'
import { connect as connectAmqp } from 'amqplib'
import { Redis } from 'ioredis'
import mqtt from 'mqtt'
import { amqpKind } from '#channels/amqp.ts'
import type { Channel } from '#channels/channel.ts'
import { mqttKind } from '#channels/mqtt.ts'
import { natsKind } from '#channels/nats.ts'
import { redisKind } from '#channels/redis.ts'
import type { Message } from '#core/notification.ts'
import { startTcpProxy } from '#kit/tcp-proxy.ts'
import { messageAbout } from './messages.ts'
import { brokers, channelDeps, send, skipReasonOfBroker, skipReasonOfProgram, startOwnPeer } from './peers.ts'

/** The channels of brokers, with real brokers: over a network that breaks, and through a restart of the broker. */

interface Arrival {
  /** Of the delivery. */
  readonly id: string
  readonly event: { readonly data: { readonly task: { readonly title: string } } }
  /** What else of it the medium shows. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/** The destination of a test on a broker, removed after it. */
interface Place extends AsyncDisposable {
  open(url: string): Promise<Channel>
  /** Resolves once a reader, if it has one, misses nothing. */
  readonly ready?: () => Promise<void>
  /** Everything that has arrived. Waits for so many different ids. */
  read(least: number): Promise<Arrival[]>
}

const freshName = () => `duebell-test-${randomBytes(6).toString('hex')}`
const parse = (body: string | Buffer | Uint8Array) => JSON.parse(Buffer.from(body as Buffer).toString('utf8'))
const idsOf = (arrivals: readonly Arrival[]) => new Set(arrivals.map(({ id }) => id))

async function redisPlace(url: string): Promise<Place> {
  const stream = freshName()
  const reader = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null })
  reader.on('error', () => {})
  return {
    async [Symbol.asyncDispose]() {
      await reader.del(stream)
      reader.disconnect()
    },
    open: (at) => redisKind.open({ url: at, stream, max_length: 5_000 }, channelDeps),
    read: async () =>
      (await reader.xrange(stream, '-', '+')).map(([, [first, id, second, event]]) => {
        assert.deepEqual([first, second], ['id', 'event'])
        return { id: id as string, event: parse(event as string) }
      }),
  }
}

async function mqttPlace(url: string, version: '5' | '3.1.1'): Promise<Place> {
  const topic = freshName()
  const arrivals: Arrival[] = []
  // QoS 0 and no keep-alive: with an empty queue for this reader, a killed broker loses nothing that it had written.
  const reader = mqtt.connect(url, { protocolVersion: 5, reconnectPeriod: 20, keepalive: 0, resubscribe: false })
  let isListening = false
  let listening = Promise.withResolvers<void>()
  reader.on('error', () => {})
  reader.on('connect', () =>
    reader.subscribe(topic, (error) => {
      isListening = !error
      if (isListening) listening.resolve()
    }),
  )
  reader.on('close', () => {
    if (isListening) listening = Promise.withResolvers()
    isListening = false
  })
  let seen: (() => void) | undefined
  reader.on('message', (_, payload, { properties, retain }) => {
    const event = parse(payload)
    const id = version === '5' ? properties?.userProperties?.['delivery-id'] : event.data.task.title
    arrivals.push({ id: String(id), event, fields: { retain, contentType: properties?.contentType } })
    seen?.()
  })
  await listening.promise
  return {
    [Symbol.asyncDispose]: () => reader.endAsync(true),
    ready: () => listening.promise,
    open: (at) => mqttKind.open({ url: at, topic, version }, channelDeps),
    async read(least) {
      while (idsOf(arrivals).size < least) await new Promise<void>((resolve) => (seen = resolve))
      return arrivals
    },
  }
}

async function natsPlace(url: string): Promise<Place> {
  const name = freshName()
  const subject = `${name}.notifications`
  // A new client each time: a request during a disconnect may never be answered.
  const atServer = async <T>(
    work: (connection: NatsConnection, manager: JetStreamManager) => Promise<T>,
  ): Promise<T> => {
    const connection = await connectNats({ servers: url })
    try {
      return await work(connection, await jetstreamManager(connection))
    } finally {
      await connection.close()
    }
  }
  await atServer((_, manager) => manager.streams.add({ name, subjects: [subject] }))
  return {
    async [Symbol.asyncDispose]() {
      await atServer((_, manager) => manager.streams.delete(name))
    },
    open: (at) => natsKind.open({ url: at, subject }, channelDeps),
    read: () =>
      atServer(async (connection, manager) => {
        const { state } = await manager.streams.info(name)
        const arrivals: Arrival[] = []
        if (state.messages === 0) return arrivals
        const consumer = await jetstream(connection).consumers.get(name)
        for await (const one of await consumer.fetch({ max_messages: state.messages })) {
          const fields = { subject: one.subject, contentType: one.headers?.get('Content-Type') }
          arrivals.push({ id: String(one.headers?.get('Nats-Msg-Id')), event: parse(one.data), fields })
        }
        return arrivals
      }),
  }
}

async function amqpPlace(url: string): Promise<Place> {
  const name = freshName()
  const connection = await connectAmqp(url)
  connection.on('error', () => {})
  const channel = await connection.createChannel()
  await channel.assertExchange(name, 'topic')
  await channel.assertQueue(name)
  await channel.bindQueue(name, name, 'duebell.#')
  return {
    async [Symbol.asyncDispose]() {
      await channel.deleteQueue(name)
      await channel.deleteExchange(name)
      await connection.close()
    },
    open: (at) => amqpKind.open({ url: at, exchange: name, routing_key: 'duebell.notifications' }, channelDeps),
    async read() {
      const arrivals: Arrival[] = []
      for (let one = await channel.get(name); one; one = await channel.get(name)) {
        const { messageId, deliveryMode, contentType } = one.properties
        arrivals.push({ id: messageId, event: parse(one.content), fields: { deliveryMode, contentType } })
      }
      return arrivals
    },
  }
}

const media: readonly (readonly [string, keyof typeof brokers, (url: string) => Promise<Place>])[] = [
  ['redis', 'redis', redisPlace],
  ['MQTT 5', 'mqtt', (url) => mqttPlace(url, '5')],
  ['MQTT 3.1.1', 'mqtt', (url) => mqttPlace(url, '3.1.1')],
  ['nats', 'nats', natsPlace],
  ['amqp', 'amqp', amqpPlace],
]

/** Messages with different ids, which are also their titles. */
function messages(count: number): Message[] {
  return Array.from({ length: count }, () => {
    const deliveryId = randomUUID()
    return { ...messageAbout({ title: deliveryId }), deliveryId }
  })
}

/** The messages that were not sent, and why. */
async function sendAll(channel: Channel, all: readonly Message[], signal?: AbortSignal) {
  const outcomes = await Promise.all(all.map((message) => send(channel, message, signal)))
  return all.flatMap((message, at) => {
    const outcome = outcomes[at]
    return outcome === 'sent' || outcome === undefined ? [] : [{ message, outcome }]
  })
}

async function assertAllSent(channel: Channel, all: readonly Message[]) {
  assert.deepEqual(
    (await sendAll(channel, all)).map(({ outcome }) => outcome),
    [],
  )
}

/** Every message has arrived. Duplicates have the same id and content. */
async function assertArrived(place: Place, all: readonly Message[], maxTwice: number) {
  const arrivals = await place.read(all.length)
  assert.deepEqual(idsOf(arrivals), new Set(all.map(({ deliveryId }) => deliveryId)))
  for (const { id, event } of arrivals) assert.equal(event.data.task.title, id)
  assert.ok(arrivals.length <= all.length + maxTwice, `${arrivals.length} for ${all.length}`)
}

const hostile = 'a\r\nBcc: x\u001b[31m <script>alert(1)</script> \u202e "it\'s" 日本 🎉 + # * > $ {{x}}'

for (const [name, broker, makePlace] of media)
  test(`${name}, at a broker`, { skip: await skipReasonOfBroker(broker) }, async (t) => {
    const url = brokers[broker]

    await t.test('gets what was sent, once', async () => {
      await using place = await makePlace(url)
      await using channel = await place.open(url)
      const all = messages(100)
      await assertAllSent(channel, all)
      await assertArrived(place, all, 0)
    })

    await t.test('gets a title as data, whatever is in it', async () => {
      await using place = await makePlace(url)
      await using channel = await place.open(url)
      await assertAllSent(channel, [messageAbout({ title: hostile })])
      const [arrival, ...more] = await place.read(1)
      assert.equal(arrival?.event.data.task.title, hostile)
      assert.deepEqual(more, [])
    })

    await t.test('gets everything through a network that breaks, twice only under the same id', async (t) => {
      await using place = await makePlace(url)
      const proxy = await startTcpProxy(t, url)
      await using channel = await place.open(proxy.url)
      const all = messages(60)
      await assertAllSent(channel, all.slice(0, 10))

      const broken = sendAll(channel, all.slice(10, 30))
      await proxy.set('reset')
      let unsent = (await broken).map(({ message }) => message)

      await proxy.set('refuse')
      const refused = await sendAll(channel, all.slice(30, 40))
      assert.deepEqual(
        new Set(refused.map(({ outcome }) => outcome.reason)),
        new Set(['cannot be reached: ECONNREFUSED']),
      )
      unsent = [...unsent, ...refused.map(({ message }) => message)]

      await proxy.set('pass')
      await assertAllSent(channel, unsent)

      // The connection falls silent during attempts.
      const giveUp = new AbortController()
      const silent = sendAll(channel, all.slice(40), giveUp.signal)
      await proxy.set('blackHole')
      setImmediate(() => giveUp.abort())
      unsent = (await silent).map(({ message, outcome }) => {
        assert.deepEqual(outcome, { retry: true, reason: 'timed out' })
        return message
      })
      await proxy.set('pass')
      await assertAllSent(channel, unsent)
      await assertArrived(place, all, 40)
    })
  })

/** Brokers that a test may start and kill. RabbitMQ, which takes half a minute to start, is not among them. */
const own: readonly (readonly [
  string,
  string,
  (port: number, folder: string) => string[],
  RegExp,
  (typeof media)[number][2],
])[] = [
  [
    'redis',
    'redis-server',
    (port, folder) => [...'--bind 127.0.0.1 --appendonly yes --port'.split(' '), String(port), '--dir', folder],
    /Ready to accept connections/,
    redisPlace,
  ],
  ['mqtt', 'mosquitto', (port) => ['-v', '-p', String(port)], /running$/, (url) => mqttPlace(url, '5')],
  [
    'nats',
    'nats-server',
    (port, folder) => ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder],
    /Server is ready/,
    natsPlace,
  ],
]

for (const [scheme, program, argsOf, ready, makePlace] of own)
  test(`${scheme}: a broker that is killed and restarted has everything`, {
    skip: skipReasonOfProgram(program),
  }, async (t) => {
    const peer = await startOwnPeer(t, program, argsOf, ready)
    const url = `${scheme}://127.0.0.1:${peer.port}`
    await using place = await makePlace(url)
    await using channel = await place.open(url)
    const all = messages(2_000)
    const unsent: Message[] = []
    let sent = 0
    let killed: Promise<void> | undefined
    const queue = all.values()
    // As many at once as reminders/ allows. The broker is killed in the middle of them.
    const sendMany = async () => {
      for (const message of queue) {
        if ((await send(channel, message)) !== 'sent') unsent.push(message)
        else if (++sent === 500) killed = peer.kill()
      }
    }
    await Promise.all(Array.from({ length: 32 }, sendMany))
    await killed
    t.diagnostic(`${sent} were sent before it was killed`)
    assert.ok(unsent.length > 0)
    await peer.start()
    await place.ready?.()
    await assertAllSent(channel, unsent)
    await assertArrived(place, all, 32)
  })

test('amqp: an unroutable message is not sent, and neither is a rejected one', {
  skip: await skipReasonOfBroker('amqp'),
}, async () => {
  const at = (url: string, more: object) => amqpKind.open({ url, routing_key: freshName(), ...more }, channelDeps)
  const [message] = messages(1) as [Message]
  for (const [url, more, outcome] of [
    [brokers.amqp, {}, { retry: true, reason: 'no queue is bound for it: unroutable' }],
    [brokers.amqp, { exchange: freshName() }, { retry: true, reason: '404 NOT_FOUND: there is no such exchange' }],
    [`${brokers.amqp}/${freshName()}`, {}, { retry: true, reason: 'the broker refused to open this vhost' }],
    [
      'amqp://guest:canary@127.0.0.1',
      {},
      { retry: false, reason: '403 ACCESS_REFUSED: the user, the password or the right to do this was refused' },
    ],
  ] as const) {
    await using channel = await at(url, more)
    assert.deepEqual(await send(channel, message), outcome)
  }
})

test('amqp: returned messages may be as long as the sent ones, many at once', {
  skip: await skipReasonOfBroker('amqp'),
}, async () => {
  await using channel = await amqpKind.open({ url: brokers.amqp, routing_key: freshName() }, channelDeps)
  const description = 'é'.repeat(30_000)
  const long = messages(32).map((message) => ({ ...message, task: { ...message.task, description } }))
  const outcomes = await Promise.all(long.map((message) => send(channel, message)))
  for (const outcome of outcomes)
    assert.deepEqual(outcome, { retry: true, reason: 'no queue is bound for it: unroutable' })
})

test('amqp: a message is persistent and has its properties', { skip: await skipReasonOfBroker('amqp') }, async () => {
  await using place = await amqpPlace(brokers.amqp)
  await using channel = await place.open(brokers.amqp)
  await assertAllSent(channel, messages(1))
  const [arrival] = await place.read(1)
  assert.deepEqual(arrival?.fields, { deliveryMode: 2, contentType: 'application/cloudevents+json' })
})

test('nats: duplicates are removed, and a message without a stream is not sent', {
  skip: await skipReasonOfBroker('nats'),
}, async () => {
  await using place = await natsPlace(brokers.nats)
  const [message] = messages(1) as [Message]
  for (const _ of [1, 2]) {
    await using channel = await place.open(brokers.nats)
    assert.equal(await send(channel, message), 'sent')
  }
  assert.equal((await place.read(1)).length, 1)
  await using astray = await natsKind.open({ url: brokers.nats, subject: `${freshName()}.x` }, channelDeps)
  assert.deepEqual(await send(astray, message), { retry: true, reason: 'no stream takes this subject' })
})

test('redis: the stream keeps about the maximum length; a key of another type is the reason', {
  skip: await skipReasonOfBroker('redis'),
}, async (t) => {
  const stream = freshName()
  const reader = new Redis(brokers.redis)
  t.after(async () => {
    await reader.del(stream)
    reader.disconnect()
  })
  await using channel = await redisKind.open({ url: brokers.redis, stream, max_length: 10 }, channelDeps)
  await assertAllSent(channel, messages(500))
  assert.ok((await reader.xlen(stream)) < 250)
  await reader.del(stream)
  await reader.set(stream, 'text')
  assert.deepEqual(await send(channel, messages(1)[0] as Message), { retry: true, reason: 'answered WRONGTYPE' })
})
