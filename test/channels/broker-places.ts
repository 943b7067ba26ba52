import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect as connectNats, type NatsConnection } from '@nats-io/transport-node'
import { connect as connectAmqp } from 'amqplib'
import { amqpKind } from '#channels/amqp.ts'
import type { Channel } from '#channels/channel.ts'
import { natsKind } from '#channels/nats.ts'
import type { Message } from '#core/notification.ts'
import { messageAbout } from './messages.ts'
import { channelDeps, send } from './peers.ts'

/** A place on each broker that receives messages, and what arrived there. */

/** The channels of brokers, with real brokers: over a network that breaks, and through a restart of the broker. */

export interface Arrival {
  /** The id of the delivery. */
  readonly id: string
  readonly event: { readonly data: { readonly task: { readonly title: string } } }
  /** Other properties that the medium shows. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/** The destination of a test on a broker, removed after it. */
export interface Place extends AsyncDisposable {
  open(url: string): Promise<Channel>
  /** Resolves once a reader, if it has one, misses nothing. */
  readonly ready?: () => Promise<void>
  /** Everything that has arrived. Waits for so many different ids. */
  read(least: number): Promise<Arrival[]>
}

export const freshName = () => `duebell-test-${randomBytes(6).toString('hex')}`

export const parse = (body: string | Buffer | Uint8Array) => JSON.parse(Buffer.from(body as Buffer).toString('utf8'))

export async function natsPlace(url: string): Promise<Place> {
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

export async function amqpPlace(url: string): Promise<Place> {
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

/** Messages with different ids, which are also their titles. */
export function messages(count: number): Message[] {
  return Array.from({ length: count }, () => {
    const deliveryId = randomUUID()
    return { ...messageAbout({ title: deliveryId }), deliveryId }
  })
}

/** The messages that were not sent, and why. */
export async function sendAll(channel: Channel, all: readonly Message[], signal?: AbortSignal) {
  const outcomes = await Promise.all(all.map((message) => send(channel, message, signal)))
  return all.flatMap((message, at) => {
    const outcome = outcomes[at]
    return outcome === 'sent' || outcome === undefined ? [] : [{ message, outcome }]
  })
}

export async function assertAllSent(channel: Channel, all: readonly Message[]) {
  assert.deepEqual(
    (await sendAll(channel, all)).map(({ outcome }) => outcome),
    [],
  )
}
