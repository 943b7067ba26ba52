import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import mqtt from 'mqtt'
import { mqttKind } from '#channels/mqtt.ts'
import { redisKind } from '#channels/redis.ts'
import type { Message } from '#core/notification.ts'
import { startTcpProxy } from '#kit/tcp-proxy.ts'
import {
  type Arrival,
  amqpPlace,
  assertAllSent,
  freshName,
  messages,
  natsPlace,
  type Place,
  parse,
  sendAll,
} from './broker-places.ts'
import { messageAbout } from './messages.ts'
import { brokers, channelDeps, send, skipReasonOfBroker, skipReasonOfProgram, startOwnPeer } from './peers.ts'

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

const media: readonly (readonly [string, keyof typeof brokers, (url: string) => Promise<Place>])[] = [
  ['redis', 'redis', redisPlace],
  ['MQTT 5', 'mqtt', (url) => mqttPlace(url, '5')],
  ['MQTT 3.1.1', 'mqtt', (url) => mqttPlace(url, '3.1.1')],
  ['nats', 'nats', natsPlace],
  ['amqp', 'amqp', amqpPlace],
]

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
