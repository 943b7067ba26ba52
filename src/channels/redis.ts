import { invalidMember } from '#core/problem.ts'
import Type from '#json-schema.ts'
import { openLink, Refused, type Tether } from './broker-connection.ts'
import type { ChannelKind } from './channel.ts'
import { Unreachable } from './http-client.ts'
import { type BrokerUrl, openSocket, parseBrokerUrl } from './socket.ts'

/**
 * XADD to a stream of Redis 5 or later, or of Valkey. An entry has the fields `id`, the delivery's, and `event`, a CloudEvent 1.0 as
 * JSON. A stream knows no id of ours: what is sent again after a lost answer stands there twice with the same `id`, and who reads
 * leaves out what it has seen.
 */
const options = Type.Object(
  {
    url: Type.String({
      title: 'URL',
      description: 'redis://user:password@host:6379/0, or rediss:// for TLS; the number is that of the database',
      maxLength: 2_000,
      writeOnly: true,
    }),
    stream: Type.String({
      title: 'Stream',
      description: 'The key of the stream, made where there is none',
      minLength: 1,
      maxLength: 500,
      affectsSecrets: false,
    }),
    max_length: Type.Optional(
      Type.Integer({
        title: 'Longest length',
        description: 'About so many entries are kept (MAXLEN ~), the newest; 10000 where absent',
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
  about: 'An entry in a stream of Redis or Valkey, for programs that read it by XREAD or as a group.',
  options,
  concurrency: 32,
  async open({ url, stream, max_length = 10_000 }, { toEvent, reach }) {
    const target = parseBrokerUrl(url, '/url', reach, ['redis', 6379], ['rediss', 6379])
    if (!/^\d{0,4}$/.test(target.path ?? ''))
      throw invalidMember('/url', 'must end in the number of a database, or in none')
    // Here and not at the first send, which it would make 20 ms late; who has no such channel never loads it.
    const client = await import('ioredis')
    const link = openLink(greetingBytes, (tether) => connect(client, target, tether))
    return {
      send: (message, signal) =>
        link.send(signal, answerBytes, async (client) => {
          const fields = ['id', message.deliveryId, 'event', JSON.stringify(toEvent(message))]
          try {
            await client.xadd(stream, 'MAXLEN', '~', max_length, '*', ...fields)
          } catch (error) {
            // An error that was answered; the connection is as good as before. Without one there is nobody to ask: that is thrown.
            const word = answeredWord(error)
            if (!word) throw error
            return { retry: word !== 'NOPERM', reason: `answered ${word}` }
          }
          return 'sent'
        }),
      [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
    }
  },
}

/** Redis says nothing unasked. An entry's id has 30 bytes, an error with its sentence 200. */
const greetingBytes = 4 * 1024
const answerBytes = 256

type Client = Pick<typeof import('ioredis'), 'AbstractConnector' | 'Redis'>

/** ioredis and not node-redis, since it can be handed a socket: one whose address was checked, that ends with the signal. */
async function connect({ AbstractConnector, Redis }: Client, target: BrokerUrl, { closing, budget, lost }: Tether) {
  const socket = await openSocket(target, closing, budget)
  class Connector extends AbstractConnector {
    constructor() {
      super(1) // ms until a socket that was asked to end is destroyed
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
    // Its INFO and CLIENT need rights that one who may only XADD has not.
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    db: Number(target.path ?? 0),
    ...(target.user === undefined ? {} : { username: target.user }),
    ...(target.password === undefined ? {} : { password: target.password }),
  })
  closing.addEventListener('abort', () => client.disconnect(), { once: true })
  // Also where SELECT is refused, upon which the client would go on and write to another database.
  client.on('error', (error) => lost(explain(error)))
  client.on('end', () => lost(Object.assign(new Error('ended'), { code: 'ECONNRESET' })))
  await client.connect()
  return client
}

function explain(error: Error): Error {
  const word = answeredWord(error)
  if (word === 'WRONGPASS' || word === 'NOAUTH' || word === 'NOPERM' || /^ERR invalid password/.test(error.message))
    return new Refused(`the user or password was refused: ${word}`)
  return word ? new Unreachable(`answered ${word}`) : error
}

/** What Redis calls an error, if it is one of those it has: the rest of what it says is not repeated. */
function answeredWord(error: unknown): string | undefined {
  const word = /^[A-Z]+\b/.exec(error instanceof Error && error.name === 'ReplyError' ? error.message : '')?.[0]
  return word && words.has(word) ? word : undefined
}

const words = new Set([
  ...['BUSY', 'CLUSTERDOWN', 'ERR', 'LOADING', 'MASTERDOWN', 'MISCONF', 'MOVED', 'NOAUTH', 'NOPERM', 'NOREPLICAS'],
  ...['OOM', 'READONLY', 'TRYAGAIN', 'WRONGPASS', 'WRONGTYPE'],
])
