import { invalidMember } from '#core/problem.ts'
import Type from '#json-schema.ts'
import { type ConnectionHandle, openBrokerConnection, Refused } from './broker-connection.ts'
import type { ChannelKind } from './channel.ts'
import { Unreachable } from './http-client.ts'
import { type BrokerUrl, openSocket, parseBrokerUrl } from './socket.ts'

/**
 * XADD to a stream of Redis 5 or later, or of Valkey. An entry has the fields `id`, the delivery's id, and `event`, a CloudEvent 1.0 as
 * JSON. Streams do not deduplicate: a retry after a lost reply adds a second entry with the same `id`, which readers skip.
 */
const options = Type.Object(
  {
    url: Type.String({
      title: 'URL',
      description: 'redis://user:password@host:6379/0, or rediss:// for TLS; the path is the number of the database',
      maxLength: 2_000,
      writeOnly: true,
    }),
    stream: Type.String({
      title: 'Stream',
      description: 'The key of the stream, which is created if needed',
      minLength: 1,
      maxLength: 500,
      affectsSecrets: false,
    }),
    max_length: Type.Optional(
      Type.Integer({
        title: 'Maximum length',
        description: 'Approximate number of newest entries to keep (MAXLEN ~). Default: 10000',
        minimum: 1,
        maximum: 1e9,
        affectsSecrets: false,
      }),
    ),
  },
  { additionalProperties: false },
)

export const redisKind: ChannelKind<typeof options> = {
  kind: 'redis',
  label: 'Redis stream',
  about: 'An entry in a stream of Redis or Valkey, for programs that read it by XREAD or in a consumer group.',
  options,
  concurrency: 32,
  async open({ url, stream, max_length = 10_000 }, { toEvent, egress }) {
    const target = parseBrokerUrl(url, '/url', egress, ['redis', 6379], ['rediss', 6379])
    if (!/^\d{0,4}$/.test(target.path ?? ''))
      throw invalidMember('/url', 'must end in the number of a database, or have no path')
    // Loaded here and not at the first send, which would be 20 ms late. A server without such a channel never loads it.
    const client = await import('ioredis')
    const broker = openBrokerConnection(greetingBytes, (handle) => connect(client, target, handle))
    return {
      send: (message, signal) =>
        broker.send(signal, responseBytes, async (client) => {
          const fields = ['id', message.deliveryId, 'event', JSON.stringify(toEvent(message))]
          try {
            await client.xadd(stream, 'MAXLEN', '~', max_length, '*', ...fields)
          } catch (error) {
            // After an error reply the connection is still good. Any other error is thrown, which closes it.
            const code = errorCode(error)
            if (!code) throw error
            return { retry: code !== 'NOPERM', reason: `answered ${code}` }
          }
          return 'sent'
        }),
      [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
    }
  },
}

/** Redis sends nothing unsolicited. An entry's id has 30 bytes, an error with its message 200. */
const greetingBytes = 4 * 1024
const responseBytes = 256

type Client = Pick<typeof import('ioredis'), 'AbstractConnector' | 'Redis'>

/** ioredis and not node-redis, since it accepts an open socket: one with a checked address, which the signal closes. */
async function connect(
  { AbstractConnector, Redis }: Client,
  target: BrokerUrl,
  { closing, budget, lost }: ConnectionHandle,
) {
  const socket = await openSocket(target, closing, budget)
  class Connector extends AbstractConnector {
    constructor() {
      super(1) // ms until an ended socket is destroyed
    }

    async connect() {
      this.stream = socket
      return socket
    }
  }
  const client = new Redis({
    Connector: Connector as never,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // INFO and CLIENT need permissions that a user with XADD alone lacks.
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    db: Number(target.path ?? 0),
    ...(target.user === undefined ? {} : { username: target.user }),
    ...(target.password === undefined ? {} : { password: target.password }),
  })
  closing.addEventListener('abort', () => client.disconnect(), { once: true })
  // Also for a refused SELECT, after which the client would write to another database.
  client.on('error', (error) => lost(toRedisError(error)))
  client.on('end', () => lost(Object.assign(new Error('ended'), { code: 'ECONNRESET' })))
  await client.connect()
  return client
}

function toRedisError(error: Error): Error {
  const code = errorCode(error)
  if (code === 'WRONGPASS' || code === 'NOAUTH' || code === 'NOPERM' || /^ERR invalid password/.test(error.message))
    return new Refused(`the user or password was refused: ${code}`)
  return code ? new Unreachable(`answered ${code}`) : error
}

/** The code of an error reply, if it is a known one. The rest of the reply is foreign text. */
function errorCode(error: unknown): string | undefined {
  const code = /^[A-Z]+\b/.exec(error instanceof Error && error.name === 'ReplyError' ? error.message : '')?.[0]
  return code && errorCodes.has(code) ? code : undefined
}

const errorCodes = new Set([
  ...['BUSY', 'CLUSTERDOWN', 'ERR', 'LOADING', 'MASTERDOWN', 'MISCONF', 'MOVED', 'NOAUTH', 'NOPERM', 'NOREPLICAS'],
  ...['OOM', 'READONLY', 'TRYAGAIN', 'WRONGPASS', 'WRONGTYPE'],
])
