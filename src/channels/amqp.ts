import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import type { ConfirmChannel } from 'amqplib'
import Type from '#json-schema.ts'
import { type ConnectionHandle, openBrokerConnection, Refused } from './broker-connection.ts'
import type { ChannelKind } from './channel.ts'
import { createLookup } from './egress-policy.ts'
import { Unreachable } from './http-client.ts'
import { handshakeBytes, LimitedSocket, limitReading, type ReadBudget } from './read-budget.ts'
import { type BrokerUrl, parseBrokerUrl } from './socket.ts'

/**
 * A persistent message to an exchange of AMQP 0-9-1. It counts as sent once the broker has confirmed it. `message_id` is the delivery's
 * id, the same for all attempts. The body is a CloudEvent 1.0, in the structured mode of its AMQP binding. The message is mandatory: one
 * that reaches no queue is a failure, not a silent success.
 */
const options = Type.Object(
  {
    url: Type.String({
      title: 'URL',
      description: 'amqp://user:password@host:5672/vhost, or amqps:// for TLS. Default vhost: /',
      maxLength: 2_000,
      writeOnly: true,
    }),
    exchange: Type.Optional(
      Type.String({
        title: 'Exchange',
        description: 'An existing exchange. Default: the default exchange, whose routing keys are names of queues',
        maxLength: 127,
        affectsSecrets: false,
      }),
    ),
    routing_key: Type.String({
      title: 'Routing key',
      description: 'Used for all notifications',
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
  async open({ url, exchange = '', routing_key }, { toEvent, egress }) {
    const target = parseBrokerUrl(url, '/url', egress, ['amqp', 5672], ['amqps', 5671])
    // Loaded here and not at the first send, which would be 5 ms late. A server without such a channel never loads it.
    const client = await import('amqplib')
    const broker = openBrokerConnection(greetingBytes, (handle) => connect(client, target, handle))
    return {
      send: (message, signal) => {
        const payload = JSON.stringify(toEvent(message))
        return broker.send(signal, Buffer.byteLength(payload) + responseBytes, async ({ channel, returned }) => {
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
            (error) =>
              error ? confirmed.reject(new Unreachable('the broker rejected the message')) : confirmed.resolve(),
          )
          await confirmed.promise
          // An unroutable message is returned before it is confirmed (RabbitMQ, «Publisher Confirms»).
          return returned.delete(messageId) ? { retry: true, reason: 'no queue is bound for it: unroutable' } : 'sent'
        })
      },
      [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
    }
  },
}

interface Publisher {
  readonly channel: ConfirmChannel
  /** Ids of messages that the broker returned as unroutable. */
  readonly returned: Set<string>
}

/** RabbitMQ's server properties have 0.6 KiB. An unroutable message is returned whole, with its properties. */
const greetingBytes = 8 * 1024
const responseBytes = 1_024

/** The maximum for the closing handshake, without which the broker logs a warning for each connection. */
const maxCloseMs = 500

async function connect(
  client: typeof import('amqplib'),
  target: BrokerUrl,
  { closing, budget, lost }: ConnectionHandle,
): Promise<Publisher> {
  const fail = (error: unknown) => lost(toAmqpError(error))
  const severed = new AbortController()
  const sever = () => severed.abort()
  closing.addEventListener('abort', sever, { once: true })
  try {
    const connection = await dial(client, target, budget, severed.signal)
    if (target.isEncrypted) budget.release(handshakeBytes)
    connection.on('error', fail)
    connection.on('close', () => fail({ code: 'ECONNRESET' }))
    const channel = await connection.createConfirmChannel()
    const returned = new Set<string>()
    channel.on('error', fail)
    channel.on('close', () => fail({ code: 'ECONNRESET' }))
    channel.on('return', ({ properties }) => returned.add(String(properties.messageId)))
    closing.removeEventListener('abort', sever)
    const leave = () => {
      const timer = setTimeout(sever, maxCloseMs)
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
    throw toAmqpError(error)
  }
}

/**
 * The client accepts no open socket: it calls net.connect or tls.connect with these options. TLS can run over our own connection. A plain
 * socket is intercepted on the diagnostics channel where Node announces it, within the call.
 */
function dial(
  client: typeof import('amqplib'),
  { host, port, isEncrypted, user, password, path, egress }: BrokerUrl,
  budget: ReadBudget,
  signal: AbortSignal,
) {
  const lookup = createLookup(egress)
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

/** Maps the reply codes of AMQP 0-9-1 (section 1.1). Reads the code alone: the text of the broker is never repeated. */
function toAmqpError(thrown: unknown): Error {
  const { code, message = '' } = Object(thrown) as { code?: unknown; message?: string }
  const reply = typeof code === 'number' ? code : Number(/\b([345]\d\d) \([A-Z-]+\)/.exec(message)?.[1] ?? 0)
  if (reply === 403)
    return new Refused('403 ACCESS_REFUSED: the user, the password or the right to do this was refused')
  if (reply === 404) return new Unreachable('404 NOT_FOUND: there is no such exchange')
  if (reply === 530) return new Unreachable('530 NOT_ALLOWED: there is no such vhost, or this user may not use it')
  // For this reply alone the client reports neither code nor name.
  if (/got <ConnectionClose/.test(message)) return new Unreachable('the broker refused to open this vhost')
  if (reply > 0) return new Unreachable(`the broker closed it with reply code ${reply}`)
  return thrown instanceof Error ? thrown : Object.assign(new Error('ended'), { code })
}
