import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Problem } from '#core/problem.ts'
import Type from '#json-schema.ts'
import { startTcpServer } from '#kit/tcp-server.ts'
import { subjects } from '#test/channels/http-subjects.ts'
import { messageAbout } from '#test/channels/messages.ts'
import { peerSubjects } from '#test/channels/peer-subjects.ts'
import { channelDeps, send } from '#test/channels/peers.ts'
import { catalog } from './catalog.ts'
import type { Channel, ChannelDeps, ChannelKind } from './channel.ts'
import { anywhere, type EgressPolicy, publicOrListed } from './egress-policy.ts'
import { formatFailure, openHttpClient, parseTarget, Unreachable } from './http-client.ts'
import { ReadBudget } from './read-budget.ts'
import { openSocket } from './socket.ts'

/**
 * A channel of a user who is not an administrator never reaches the server's private network. This holds for every kind that connects to
 * a host. A kind that opens its own connection fails here.
 */
interface Traveller {
  readonly kind: ChannelKind
  /** The option with the destination. */
  readonly member: string
  open(host: string, port: number, isEncrypted: boolean, deps: ChannelDeps): Promise<Channel>
}

const kindOf = (name: string) => catalog.find(({ kind }) => kind === name) as ChannelKind

const travellers: readonly Traveller[] = [
  ...subjects.map(
    ({ kind, open }): Traveller => ({
      kind: kindOf(kind),
      member: 'url',
      open: (host, port, isEncrypted, deps) => open(`http${isEncrypted ? 's' : ''}://${host}:${port}`, deps),
    }),
  ),
  ...peerSubjects.map(
    ({ kind, at }): Traveller => ({
      kind,
      member: kind.kind === 'email' ? 'host' : 'url',
      open: (host, port, isEncrypted, deps) => kind.open(at(host, port, isEncrypted), deps),
    }),
  ),
]

const message = messageAbout({})
const isPrivate = /an address of a private network, which only channels of administrators may reach/
const within = (...listed: string[]): ChannelDeps => ({ ...channelDeps, egress: publicOrListed(listed) })

/** A server in the private network that closes every connection. */
async function startPrivateServer(t: TestContext, behave = (socket: Socket): unknown => socket.destroy()) {
  const visitors: (number | undefined)[] = []
  const own = new Set<number | undefined>()
  const { server, port } = await startTcpServer(t, (socket) => {
    visitors.push(socket.remotePort)
    behave(socket)
  })
  return {
    port,
    /** The number of connections so far. They are accepted in order: after our own, none is pending. */
    async visits() {
      const mine = connect(port, '127.0.0.1').on('error', () => {})
      await once(mine, 'connect')
      const { localPort } = mine
      own.add(localPort)
      while (!visitors.includes(localPort)) await once(server, 'connection')
      mine.destroy()
      return visitors.filter((visitor) => !own.has(visitor)).length
    },
  }
}

const addresses = [
  ...[
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '10.0.0.1',
    '100.64.0.1',
    '172.16.0.1',
    '192.168.1.1',
  ],
  ...['[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[fd12::1]'],
]

/** Opening a channel with a private address fails and names the option, without a connection. */
async function assertAddressesRefused(t: TestContext, { member, open }: Traveller) {
  const server = await startPrivateServer(t)
  for (const host of addresses)
    await assert.rejects(
      open(host, server.port, false, within()),
      (error) =>
        error instanceof Problem &&
        error.kind === 'invalid' &&
        isPrivate.test(error.message) &&
        JSON.stringify(error.extras.faults?.map(({ at }) => at)) === JSON.stringify([{ pointer: `/${member}` }]),
      host,
    )
  assert.equal(await server.visits(), 0)
}

/** Sending to a name that resolves to a private address fails, without a connection. */
async function assertNamesRefused(t: TestContext, { open }: Traveller) {
  const server = await startPrivateServer(t)
  for (const isEncrypted of [false, true]) {
    await using channel = await open('localhost', server.port, isEncrypted, within())
    const outcome = await send(channel, message)
    assert.equal(await server.visits(), 0)
    assert.ok(typeof outcome === 'object' && /^its name leads to /.test(outcome.reason), JSON.stringify(outcome))
    assert.match(outcome.reason, isPrivate)
  }
}

test('every kind that members may use is checked, by each option with a destination', () => {
  // The console connects to nothing.
  const kinds = catalog.filter(({ kind, isConfigOnly }) => kind !== 'console' && !isConfigOnly)
  assert.deepEqual(travellers.map(({ kind }) => kind.kind).sort(), kinds.map(({ kind }) => kind).sort())
  for (const { kind, member } of travellers) {
    const { properties } = kind.options as unknown as { properties: object }
    const destinations = Object.keys(properties).filter((name) =>
      /(^|_)(ur[il]|host|server|broker|address|endpoint|proxy)s?$/.test(name),
    )
    assert.deepEqual(destinations, [member], `${kind.kind}: what checks the other one?`)
  }
})

for (const traveller of travellers) {
  const { kind, open } = traveller

  test(`${kind.kind}: opening it with a private address fails`, (t) => assertAddressesRefused(t, traveller))

  test(`${kind.kind}: it does not connect to a name with a private address`, (t) => assertNamesRefused(t, traveller))

  test(`${kind.kind}: it connects to listed hosts, by name and by address`, async (t) => {
    for (const [host, deps] of [
      ['localhost', within('localhost')],
      ['localhost', within('127.0.0.0/8', '::1')],
      ['127.0.0.1', within('127.0.0.1')],
      ['localhost', channelDeps],
      ['127.0.0.1', channelDeps],
    ] as const)
      for (const isEncrypted of [false, true]) {
        const server = await startPrivateServer(t)
        await using channel = await open(host, server.port, isEncrypted, deps)
        const outcome = await send(channel, message)
        assert.ok(typeof outcome === 'object' && outcome.retry && !isPrivate.test(outcome.reason))
        assert.equal(await server.visits(), 1, `${host}: only the policy prevents the connection`)
      }
  })
}

interface Stray {
  readonly open?: () => unknown
  readonly send: () => Promise<unknown>
}

const signal = () => AbortSignal.timeout(10_000)
const dial = ({ hostname, port }: URL) => connect(Number(port), hostname.replace(/^\[|\]$/g, '')).on('error', () => {})

/** Kinds that ignore or bypass the policy, and whether the test with an address, or with a name, detects it. */
const strays: readonly [
  what: string,
  detected: [address: boolean, name: boolean],
  (url: URL, egress: EgressPolicy) => Stray,
][] = [
  ['calls fetch', [true, true], (url) => ({ send: () => fetch(url) })],
  ['opens a socket of its own', [true, true], (url) => ({ send: () => once(dial(url), 'close') })],
  ['connects as it is opened', [true, true], (url) => ({ open: () => dial(url), send: async () => {} })],
  [
    'checks the address and then opens a socket of its own',
    [false, true],
    (url, egress) => {
      parseTarget(url.href, '/url', egress)
      return { send: () => once(dial(url), 'close') }
    },
  ],
  [
    'chooses its own policy',
    [true, true],
    (url) => {
      const client = openHttpClient(parseTarget(url.href, '/url', anywhere))
      return { send: () => client.request({ headers: {}, body: '', signal: signal() }) }
    },
  ],
  [
    'does not check the address',
    [true, false],
    ({ hostname: host, port }, egress) => ({
      send: () =>
        openSocket({ host, port: Number(port), isEncrypted: false, egress }, signal(), new ReadBudget(1_024)).catch(
          (error) => {
            throw new Unreachable(formatFailure(error))
          },
        ),
    }),
  ],
]

for (const [what, detected, stray] of strays)
  test(`a kind that ${what} does not pass`, async (t) => {
    const traveller: Traveller = {
      kind: { kind: 'stray', label: 'Stray', about: 'Goes astray.', options: Type.Object({}), concurrency: 1 } as never,
      member: 'url',
      async open(host, port, _, { egress }) {
        const { open, send } = stray(new URL(`http://${host}:${port}/`), egress)
        open?.()
        return {
          async send() {
            await send()
            return 'sent'
          },
          async [Symbol.asyncDispose]() {},
        }
      },
    }
    const both = await Promise.allSettled([assertAddressesRefused(t, traveller), assertNamesRefused(t, traveller)])
    assert.deepEqual(
      both.map((one) => one.status === 'rejected' && one.reason.code === 'ERR_ASSERTION'),
      detected,
    )
  })

/** Responses that refer to another server, in the protocols that have them. */
const hints: readonly [
  kind: string,
  what: string,
  outcome: RegExp,
  behave: (elsewhere: number) => (socket: Socket) => void,
][] = [
  [
    'nats',
    'the other servers of its cluster',
    /^cannot be reached/,
    (port) => (socket) => {
      const info = { server_id: 'x', version: '2.10.0', proto: 1, headers: true, max_payload: 1_048_576 }
      socket.write(`INFO ${JSON.stringify({ ...info, connect_urls: [`127.0.0.1:${port}`], ldm: true })}\r\n`)
      socket.once('data', () => socket.end("-ERR 'Server Shutdown'\r\n"))
    },
  ],
  [
    'redis',
    'the node of its cluster that has the key',
    /^answered MOVED$/,
    (port) => (socket) => {
      socket.on('data', (bytes) => {
        for (const [command] of bytes.toString().matchAll(/auth|select|xadd/gi))
          socket.write(/xadd/i.test(command) ? `-MOVED 3999 127.0.0.1:${port}\r\n` : '+OK\r\n')
      })
    },
  ],
  [
    'mqtt',
    'the server that is to be used instead (MQTT 5 section 4.11)',
    /reason code 157$/,
    (port) => (socket) => {
      const reference = Buffer.from(`127.0.0.1:${port}`)
      const property = Buffer.concat([Buffer.of(0x1c, 0, reference.length), reference])
      const connack = Buffer.concat([Buffer.of(0, 0x9d, property.length), property])
      socket.once('data', () => socket.end(Buffer.concat([Buffer.of(0x20, connack.length), connack])))
    },
  ],
]

for (const [name, what, expected, behave] of hints)
  test(`${name}: a hint is not followed: ${what}`, async (t) => {
    const elsewhere = await startPrivateServer(t)
    const server = await startPrivateServer(t, behave(elsewhere.port))
    const traveller = travellers.find(({ kind }) => kind.kind === name) as Traveller
    // A channel of an administrator, who may connect there: even that one does not follow.
    await using channel = await traveller.open('127.0.0.1', server.port, false, channelDeps)
    for (const _ of [1, 2]) {
      const outcome = await send(channel, message)
      assert.ok(typeof outcome === 'object' && outcome.retry)
      assert.match(outcome.reason, expected)
    }
    assert.equal(await elsewhere.visits(), 0)
  })

/** Reviewed connections: each library gets a checked socket, or a checked lookup. */
const clients: Readonly<Record<string, readonly string[]>> = {
  'amqp.ts': ['amqplib', 'node:diagnostics_channel'],
  'command.ts': ['node:child_process'],
  'egress-policy.ts': ['node:dns'],
  'email.ts': ['nodemailer'],
  'http-client.ts': ['node:http'],
  'limited-agent.ts': ['node:http', 'node:https'],
  'mqtt.ts': ['mqtt'],
  'nats.ts': ['@nats-io/jetstream', '@nats-io/transport-node', '@nats-io/transport-node/lib/node_transport.js'],
  'read-budget.ts': ['node:net'],
  'redis.ts': ['ioredis'],
  'socket.ts': ['node:tls'],
}
/** Modules without connections. */
const harmless = [
  '#ip-address.ts',
  '#json-schema.ts',
  'ajv',
  'ipaddr.js',
  'node:crypto',
  'node:os',
  'node:process',
  'node:stream',
  'node:url',
  'node:util',
]

test('no kind connects in a way that the tests above miss: only reviewed files load modules that connect', () => {
  const folder = new URL('./', import.meta.url)
  const loaded: Record<string, string[]> = {}
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))) {
    const text = readFileSync(new URL(file, folder), 'utf8').replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, '')
    assert.doesNotMatch(text, /\b(fetch|require)\(|\bnew (WebSocket|EventSource)\b/, file)
    const imports = [
      ...text.matchAll(/^(?:import|export) (?!type )([^'"]*? from )?('[^']+')/gms),
      ...text.matchAll(/\b(import|getBuiltinModule)\(\s*([^)]*?)\s*\)/g),
    ]
    for (const [, names = '', quoted = ''] of imports) {
      const from = quoted.replace(/^'(.*)'$/, '$1')
      // Any file may use node:net to parse addresses.
      const isAsking = from === 'node:net' && /^\{ ((isIP|type \w+)(, )?)+ \} from $/.test(names)
      if (isAsking || /^(\.\/|#core\/)/.test(from) || harmless.includes(from)) continue
      loaded[file] = [...new Set([...(loaded[file] ?? []), from])].sort()
    }
  }
  assert.deepEqual(loaded, clients)
})
