import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from '@nats-io/transport-node'
import type { NodeTransport } from '@nats-io/transport-node/lib/node_transport.js'
import { invalidMember } from '#core/problem.ts'
import Type from '#json-schema.ts'
import { openLink, Refused, type Tether } from './broker-connection.ts'
import type { ChannelKind } from './channel.ts'
import { Unreachable } from './http-client.ts'
import { type BrokerUrl, openUpgradable, parseBrokerUrl } from './socket.ts'

/**
 * A message to one subject that a stream of JetStream takes, sent once it is stored. `Nats-Msg-Id` is the delivery's id: what is sent
 * again within the stream's window, two minutes unless it says otherwise, is stored once. The payload is a CloudEvent 1.0 as JSON.
 */
const options = Type.Object(
  {
    url: Type.String({
      title: 'URL',
      description: 'nats://user:password@host:4222, or nats://token@host; tls:// where it must be encrypted',
      maxLength: 2_000,
      writeOnly: true,
    }),
    subject: Type.String({
      title: 'Subject',
      description: 'All notifications go to this one, of which a stream must take care; without the wildcards * and >',
      // «Subject-Based Messaging»: tokens of printing characters with dots between them.
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
  about: 'A message to a subject of NATS, kept by a stream of JetStream, which leaves out what comes twice.',
  options,
  concurrency: 32,
  async open({ url, subject }, { toEvent, reach }) {
    const target = parseBrokerUrl(url, '/url', reach, ['nats', 4222], ['tls', 4222])
    if (target.path !== undefined)
      throw invalidMember('/url', 'must end with the host; the subject is an option of its own')
    // Here and not at the first send, which it would make 15 ms late; who has no such channel never loads it.
    const client = await loadClient()
    const link = openLink(greetingBytes, (tether) => connect(client, target, tether))
    return {
      send: (message, signal) =>
        link.send(signal, answerBytes, async ({ jetStream, headers }) => {
          const fields = headers()
          fields.set('Content-Type', 'application/cloudevents+json')
          const choices = { msgID: message.deliveryId, headers: fields, timeout: maxWaitMs }
          try {
            await jetStream.publish(subject, JSON.stringify(toEvent(message)), choices)
          } catch (error) {
            throw explain(error)
          }
          return 'sent'
        }),
      [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
    }
  },
}

/** INFO has 0.5 KiB, and 3 where it lists a cluster of a hundred; it comes again when one joins. An acknowledgement has 0.3. */
const greetingBytes = 16 * 1024
const answerBytes = 1_024

/** Of the client itself, in ms. The signal is earlier. */
const maxWaitMs = 60_000

type Where = Parameters<NodeTransport['dial']>[0]

type Dialling = ConnectionOptions & {
  readonly dial: () => Promise<Duplex>
  /** Empty for an address: only a name is told to a server (RFC 6066 section 3). */
  readonly serverName: string
  readonly budget: Tether['budget']
  readonly lost: Tether['lost']
}

async function loadClient() {
  const { NatsConnectionImpl, setTransportFactory, headers } = await import('@nats-io/transport-node')
  const { NodeTransport: Plain } = await import('@nats-io/transport-node/lib/node_transport.js')
  const { jetstream } = await import('@nats-io/jetstream')
  // The client dials by itself; but how is a method of its transport, which finds the connection's options in `this`. The factory is
  // one for the whole process: connections that are not ours have no such options.
  class Transport extends Plain {
    override dial(where: Where): Promise<Socket> {
      const { dial, serverName } = this.options as Partial<Dialling>
      if (!dial) return super.dial(where)
      this.tlsName = serverName ?? ''
      // What its TLS begins on may be any Duplex; its types know sockets only.
      return dial().then(keepErrors) as Promise<Socket>
    }

    override async startTLS() {
      return keepErrors(await super.startTLS())
    }

    /** Once it has its TLS, or needs none. */
    override setupHandlers() {
      super.setupHandlers()
      const { budget } = this.options as Partial<Dialling>
      budget?.settle()
    }

    /**
     * Upon rubbish the client's reader ends, prints what the peer has said on standard output, and the connection stays as if it were
     * silent. It prints once the iterator has been told that it is not needed: this one never says that it has understood.
     */
    override [Symbol.asyncIterator]() {
      const { lost } = this.options as Partial<Dialling>
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
  const connect = (choices: Dialling) => {
    setTransportFactory({ factory: () => new Transport() })
    return NatsConnectionImpl.connect(choices)
  }
  return { connect, headers, jetstream }
}

/**
 * The client takes all listeners away when a socket closes. TLS over a stream tells of an error after that, and an error to which nobody
 * listens ends the process.
 */
function keepErrors<S extends Duplex>(socket: S): S {
  const removeAll = socket.removeAllListeners.bind(socket)
  // Even an undefined argument would mean one event.
  socket.removeAllListeners = (...events: [event?: string | symbol]) => removeAll(...events).on('error', () => {})
  return socket
}

type Client = Awaited<ReturnType<typeof loadClient>>

async function connect({ connect, headers, jetstream }: Client, target: BrokerUrl, { closing, budget, lost }: Tether) {
  const { host, port, user, password, reach } = target
  const serverName = isIP(host) ? '' : host
  const choices: Dialling = {
    servers: `${host.includes(':') ? `[${host}]` : host}:${port}`,
    serverName,
    budget,
    lost,
    dial: () => openUpgradable({ host, port, reach }, closing, budget),
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
    const connection = await connect(choices)
    closing.addEventListener('abort', () => connection.close().catch(() => {}), { once: true })
    connection
      .closed()
      .then((error) => lost(error ? explain(error) : Object.assign(new Error('closed'), { code: 'ECONNRESET' })))
    return { jetStream: jetstream(connection), headers }
  } catch (error) {
    throw explain(error)
  }
}

/** By the class of the error. Its words may hold the subject, the server's address, or what the server said. */
function explain(thrown: unknown): Error {
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
