import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import type { ConfirmChannel } from 'amqplib'
import Type from '#json-schema.ts'
import { openLink, Refused, type Tether } from './broker-connection.ts'
import type { ChannelKind } from './channel.ts'
import { lookupWithin } from './egress-policy.ts'
import { Unreachable } from './http-client.ts'
import { LimitedSocket, limitReading, type ReadBudget } from './read-budget.ts'
import { type BrokerUrl, parseBrokerUrl } from './socket.ts'

/**
 * A persistent message to an exchange of AMQP 0-9-1, sent once the broker has confirmed it. `message_id` is the delivery's id, the
 * same over all attempts; the body is a CloudEvent 1.0, in the structured mode of its AMQP binding. It is mandatory: one that no
 * queue would get is a failure, not a success that nobody sees.
 */
const options = Type.Object(
  {
    url: Type.String({
      title: 'URL',
      description: 'amqp://user:password@host:5672/vhost, or amqps:// for TLS; without a vhost it is /',
      maxLength: 2_000,
      writeOnly: true,
    }),
    exchange: Type.Optional(
      Type.String({
        title: 'Exchange',
        description: 'Which is there; where absent the default one, for which the routing key is the name of a queue',
        maxLength: 127,
        affectsSecrets: false,
      }),
    ),
    routing_key: Type.String({
      title: 'Routing key',
      description: 'The same for all notifications',
      maxLength: 255,
      affectsSecrets: false,
    }),
  },
  { additionalProperties: false },
)

export const amqpKind: ChannelKind<typeof options> = {
  kind: 'amqp',
  label: 'AMQP',
  about: 'A persistent, confirmed message to an exchange or queue of RabbitMQ, or of another broker with AMQP 0-9-1.',
  options,
  concurrency: 32,
  async open({ url, exchange = '', routing_key }, { toEvent, reach }) {
    const target = parseBrokerUrl(url, '/url', reach, ['amqp', 5672], ['amqps', 5671])
    // Here and not at the first send, which it would make 5 ms late; who has no such channel never loads it.
    const client = await import('amqplib')
    const link = openLink(greetingBytes, (tether) => connect(client, target, tether))
    return {
      send: (message, signal) => {
        const payload = JSON.stringify(toEvent(message))
        return link.send(signal, Buffer.byteLength(payload) + answerBytes, async ({ channel, returned }) => {
          const messageId = message.deliveryId
          const confirmed = Promise.withResolvers<void>()
          channel.publish(
            exchange,
            routing_key,
            Buffer.from(payload),
            {
              mandatory: true,
              persistent: true,
              messageId,
              timestamp: Math.floor(message.sentAt / 1_000),
              contentType: 'application/cloudevents+json',
              contentEncoding: 'utf-8',
              appId: 'duebell',
            },
            (error) => (error ? confirmed.reject(new Unreachable('the broker did not take it')) : confirmed.resolve()),
          )
          await confirmed.promise
          // What comes back does so before it is confirmed (RabbitMQ, «Publisher Confirms»).
          return returned.delete(messageId) ? { retry: true, reason: 'no queue is bound for it: unroutable' } : 'sent'
        })
      },
      [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
    }
  },
}

interface Publisher {
  readonly channel: ConfirmChannel
  /** Ids of messages that came back, since no queue would get them. */
  readonly returned: Set<string>
}

/** RabbitMQ describes itself in 0.6 KiB. What no queue gets comes back whole before it is confirmed, with its properties. */
const greetingBytes = 8 * 1024
const answerBytes = 1_024

/** For the closing handshake, without which the broker warns of each connection in its log. A broker that hangs gets no longer. */
const farewellMs = 500

async function connect(
  client: typeof import('amqplib'),
  target: BrokerUrl,
  { closing, budget, lost }: Tether,
): Promise<Publisher> {
  const fail = (error: unknown) => lost(explain(error))
  const severed = new AbortController()
  const sever = () => severed.abort()
  closing.addEventListener('abort', sever, { once: true })
  try {
    const connection = await dial(client, target, budget, severed.signal)
    connection.on('error', fail)
    connection.on('close', () => fail({ code: 'ECONNRESET' }))
    const channel = await connection.createConfirmChannel()
    const returned = new Set<string>()
    channel.on('error', fail)
    channel.on('close', () => fail({ code: 'ECONNRESET' }))
    channel.on('return', ({ properties }) => returned.add(String(properties.messageId)))
    closing.removeEventListener('abort', sever)
    const leave = () => {
      const timer = setTimeout(sever, farewellMs)
      const left = () => {
        clearTimeout(timer)
        sever()
      }
      connection.close().then(left, left)
    }
    if (closing.aborted) leave()
    else closing.addEventListener('abort', leave, { once: true })
    return { channel, returned }
  } catch (error) {
    throw explain(error)
  }
}

/**
 * The client takes no socket that is open already, and makes its own by net.connect or tls.connect with these options. TLS may be put on
 * a connection of ours; a plain socket is caught as it is made, within the call, on the channel by which Node announces it.
 */
function dial(
  client: typeof import('amqplib'),
  { host, port, isEncrypted, user, password, path, reach }: BrokerUrl,
  budget: ReadBudget,
  signal: AbortSignal,
) {
  const lookup = lookupWithin(reach)
  const catchSocket = (message: unknown) => limitReading((message as { socket: Socket }).socket, budget)
  if (!isEncrypted) subscribe('net.client.socket', catchSocket)
  try {
    return client.connect(
      {
        protocol: isEncrypted ? 'amqps' : 'amqp',
        hostname: host,
        port,
        ...(user === undefined ? {} : { username: user, password: password ?? '' }),
        vhost: encodeURIComponent(path ?? '/'),
        heartbeat: 0,
      },
      {
        signal,
        ...(isEncrypted ? { socket: new LimitedSocket({ host, port, lookup }, budget) } : { lookup, noDelay: true }),
      } as object,
    )
  } finally {
    unsubscribe('net.client.socket', catchSocket)
  }
}

/** The number of an error of AMQP 0-9-1 (section 1.1, reply codes): of its text only what it is is read, never repeated. */
function explain(thrown: unknown): Error {
  const { code, message = '' } = Object(thrown) as { code?: unknown; message?: string }
  const reply = typeof code === 'number' ? code : Number(/\b([345]\d\d) \([A-Z-]+\)/.exec(message)?.[1] ?? 0)
  if (reply === 403)
    return new Refused('403 ACCESS_REFUSED: the user, the password or the right to do this was refused')
  if (reply === 404) return new Unreachable('404 NOT_FOUND: there is no such exchange')
  if (reply === 530) return new Unreachable('530 NOT_ALLOWED: there is no such vhost, or this user may not use it')
  // The one answer of which the client says neither number nor name.
  if (/got <ConnectionClose/.test(message)) return new Unreachable('the broker refused to open this vhost')
  if (reply > 0) return new Unreachable(`the broker ended it with reply code ${reply}`)
  return thrown instanceof Error ? thrown : Object.assign(new Error('ended'), { code })
}
