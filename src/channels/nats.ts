import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from '@nats-io/transport-node'
import type { NodeTransport } from '@nats-io/transport-node/lib/node_transport.js'
import { invalidMember } from '#core/problem.ts'
import Type from '#json-schema.ts'
import { type ConnectionHandle, openBrokerConnection, Refused } from './broker-connection.ts'
import type { ChannelKind } from './channel.ts'
import { Unreachable } from './http-client.ts'
import { handshakeBytes } from './read-budget.ts'
import { type BrokerUrl, openUpgradable, parseBrokerUrl } from './socket.ts'

/**
 * A message to a subject that a JetStream stream captures. It counts as sent once it is stored. `Nats-Msg-Id` is the delivery's id: a
 * repeat within the stream's duplicate window, two minutes by default, is stored once. The payload is a CloudEvent 1.0 as JSON.
 */
const options = Type.Object(
  {
    url: Type.String({
      title: 'URL',
      description: 'nats://user:password@host:4222, or nats://token@host; tls:// requires encryption',
      maxLength: 2_000,
      writeOnly: true,
    }),
    subject: Type.String({
      title: 'Subject',
      description: 'All notifications go to this subject, which a stream must capture; without the wildcards * and >',
      // «Subject-Based Messaging»: tokens of printable characters, separated by dots.
      pattern:
        '^[^\\s.*>$\\u0000-\\u001f\\u007f][^\\s.*>\\u0000-\\u001f\\u007f]*(\\.[^\\s.*>\\u0000-\\u001f\\u007f]+)*$',
      maxLength: 255,
      affectsSecrets: false,
    }),
  },
  { additionalProperties: false },
)

export const natsKind: ChannelKind<typeof options> = {
  kind: 'nats',
  label: 'NATS JetStream',
  about: 'A message to a subject of NATS. A JetStream stream keeps it and removes duplicates.',
  options,
  concurrency: 32,
  async open({ url, subject }, { toEvent, egress }) {
    const target = parseBrokerUrl(url, '/url', egress, ['nats', 4222], ['tls', 4222])
    if (target.path !== undefined)
      throw invalidMember('/url', 'must end with the host; the subject is an option of its own')
    // Loaded here and not at the first send, which would be 15 ms late. A server without such a channel never loads it.
    const client = await loadClient()
    const broker = openBrokerConnection(greetingBytes, (handle) => connect(client, target, handle))
    return {
      send: (message, signal) =>
        broker.send(signal, responseBytes, async ({ jetStream, headers }) => {
          const fields = headers()
          fields.set('Content-Type', 'application/cloudevents+json')
          const options = { msgID: message.deliveryId, headers: fields, timeout: maxWaitMs }
          try {
            await jetStream.publish(subject, JSON.stringify(toEvent(message)), options)
          } catch (error) {
            throw toNatsError(error)
          }
          return 'sent'
        }),
      [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
    }
  },
}

/** INFO has 0.5 KiB, or 3 with a cluster of a hundred servers; it is sent again when one joins. An acknowledgement has 0.3 KiB. */
const greetingBytes = 16 * 1024
const responseBytes = 1_024

/** The client's own timeout. The signal aborts earlier. */
const maxWaitMs = 60_000

type HostPort = Parameters<NodeTransport['dial']>[0]

type DialOptions = ConnectionOptions & {
  readonly dial: () => Promise<Duplex>
  /** Empty for an address: server name indication is for names only (RFC 6066 section 3). */
  readonly serverName: string
  readonly budget: ConnectionHandle['budget']
  readonly lost: ConnectionHandle['lost']
}

async function loadClient() {
  const { NatsConnectionImpl, setTransportFactory, headers } = await import('@nats-io/transport-node')
  const { NodeTransport: Plain } = await import('@nats-io/transport-node/lib/node_transport.js')
  const { jetstream } = await import('@nats-io/jetstream')
  // The client opens its own sockets. Its transport does so in a method that finds the connection's options in `this`. The factory is
  // process-wide: other connections lack these options.
  class Transport extends Plain {
    override dial(where: HostPort): Promise<Socket> {
      const { dial, serverName } = this.options as Partial<DialOptions>
      if (!dial) return super.dial(where)
      this.tlsName = serverName ?? ''
      // Its TLS accepts any Duplex; its types name sockets only.
      return dial().then(keepErrors) as Promise<Socket>
    }

    override async startTLS() {
      return keepErrors(await super.startTLS())
    }

    /** Called once TLS is established, or is not needed. */
    override setupHandlers() {
      super.setupHandlers()
      const { budget } = this.options as Partial<DialOptions>
      budget?.release(handshakeBytes)
    }

    /**
     * On malformed input the client's reader ends, prints the peer's bytes to standard output, and the connection stays open, silent. It
     * prints once `return` of the iterator has resolved: this one never resolves.
     */
    override [Symbol.asyncIterator]() {
      const { lost } = this.options as Partial<DialOptions>
      const frames = super[Symbol.asyncIterator]()
      if (!lost) return frames
      return Object.assign(frames, {
        return() {
          lost(Object.assign(new Error('rubbish'), { code: 'EPROTO' }))
          return new Promise<never>(() => {})
        },
      })
    }
  }
  const connect = (options: DialOptions) => {
    setTransportFactory({ factory: () => new Transport() })
    return NatsConnectionImpl.connect(options)
  }
  return { connect, headers, jetstream }
}

/**
 * The client removes all listeners when a socket closes. TLS over a stream emits an error after that, and an `error` event without a
 * listener ends the process.
 */
function keepErrors<S extends Duplex>(socket: S): S {
  const removeAll = socket.removeAllListeners.bind(socket)
  // An explicit undefined would count as the name of an event.
  socket.removeAllListeners = (...events: [event?: string | symbol]) => removeAll(...events).on('error', () => {})
  return socket
}

type Client = Awaited<ReturnType<typeof loadClient>>

async function connect(
  { connect, headers, jetstream }: Client,
  target: BrokerUrl,
  { closing, budget, lost }: ConnectionHandle,
) {
  const { host, port, user, password, egress } = target
  const serverName = isIP(host) ? '' : host
  const options: DialOptions = {
    servers: `${host.includes(':') ? `[${host}]` : host}:${port}`,
    serverName,
    budget,
    lost,
    dial: () => openUpgradable({ host, port, egress }, closing, budget),
    resolve: false,
    reconnect: false,
    ignoreClusterUpdates: true,
    timeout: maxWaitMs,
    noAsyncTraces: true,
    name: 'duebell',
    ...(target.isEncrypted ? { tls: { host, servername: serverName } as object } : {}),
    ...(user === undefined ? {} : password === undefined ? { token: user } : { user, pass: password }),
  }
  try {
    const connection = await connect(options)
    closing.addEventListener('abort', () => connection.close().catch(() => {}), { once: true })
    connection
      .closed()
      .then((error) => lost(error ? toNatsError(error) : Object.assign(new Error('closed'), { code: 'ECONNRESET' })))
    return { jetStream: jetstream(connection), headers }
  } catch (error) {
    throw toNatsError(error)
  }
}

/** Maps the class of the error. Its message may hold the subject, the server's address, or text of the server. */
function toNatsError(thrown: unknown): Error {
  const error = thrown instanceof Error ? thrown : new Error('failed')
  if (/^(UserAuthenticationExpired|Authorization|PermissionViolation)Error$/.test(error.name))
    return new Refused('the user, the password or the right to do this was refused')
  if (
    /^(NoResponders|JetStreamNotEnabled)/.test(error.name) ||
    (error.cause instanceof Error && error.cause.name === 'NoRespondersError')
  )
    return new Unreachable('no stream takes this subject')
  if (error.name === 'JetStreamApiError' && 'code' in error)
    return new Unreachable(`JetStream refused it with code ${Number(error.code)}`)
  const { code } = (error.cause ?? error) as { code?: unknown }
  return Object.assign(new Error(error.name), { code })
}
