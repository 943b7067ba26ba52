import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { TLSSocket } from 'node:tls'
import { selfSigned } from '#kit/self-signed.ts'
import { startTcpServer } from '#kit/tcp-server.ts'

/** Data that a peer sends endlessly, from its first byte or after a correct start. */
export interface Flood {
  /** The kind of channel. */
  readonly kind: string
  readonly what: string
  readonly block: string | Buffer
  /** Follows the protocol until the flood; resolves with the socket to flood. */
  readonly leadUp?: (socket: Socket) => Promise<Socket>
  /** Further options of the channel. */
  readonly options?: object
}

/** The next bytes that arrive, as latin1. */
export const nextData = (socket: Socket): Promise<string> =>
  new Promise((resolve) => socket.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1'))))

/** Sends these one after the other, each after something has arrived; the first at once. */
const replies =
  (...lines: (string | Buffer)[]) =>
  async (socket: Socket) => {
    for (const line of lines) {
      if (line.length > 0) socket.write(line)
      await nextData(socket)
    }
    return socket
  }

const encrypt = (socket: Socket) => new TLSSocket(socket, { isServer: true, ...selfSigned }).on('error', () => {})

const info = (more: object) =>
  `INFO ${JSON.stringify({ server_id: 'x', version: '2.10.0', proto: 1, headers: true, max_payload: 1e6, ...more })}\r\n`
const connack = Buffer.from([0x20, 3, 0, 0, 0])
const pingresp = Buffer.from([0xd0, 0])
/** QoS 1, to the topic «a», packet 1: the client answers it by a PUBACK (MQTT 5.0 section 3.3). */
const publish = Buffer.from([0x32, 6, 0, 1, 0x61, 0, 1, 0])

/** A method of AMQP 0-9-1 in its frame (section 2.3.5). */
function method(channel: number, classId: number, methodId: number, ...parts: Buffer[]): Buffer {
  const payload = Buffer.concat([Buffer.from([0, classId, 0, methodId]), ...parts])
  const head = Buffer.alloc(7)
  head.writeUInt8(1)
  head.writeUInt16BE(channel, 1)
  head.writeUInt32BE(payload.length, 3)
  return Buffer.concat([head, payload, Buffer.from([0xce])])
}
const long = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)])
const heartbeat = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce])

/** The handshake of RabbitMQ up to publisher confirms: start, tune, open-ok, channel open-ok, confirm select-ok. */
async function leadUpToConfirms(socket: Socket): Promise<Socket> {
  await nextData(socket)
  socket.write(method(0, 10, 10, Buffer.from([0, 9, 0, 0, 0, 0]), long('PLAIN'), long('en_US')))
  await nextData(socket)
  socket.write(method(0, 10, 30, Buffer.from([7, 255, 0, 2, 0, 0, 0, 0])))
  // Tune-ok and open come together, or one after the other.
  while (!(await nextData(socket)).includes('\0\x0a\0\x28'));
  socket.write(method(0, 10, 41, Buffer.from([0])))
  await nextData(socket)
  socket.write(method(1, 20, 11, long('')))
  await nextData(socket)
  socket.write(method(1, 85, 11))
  return socket
}

/** Floods of protocols other than HTTP. */
export const peerFloods: readonly Flood[] = [
  { kind: 'email', what: 'a greeting without a last line', block: '220-mail.example.org\r\n' },
  {
    kind: 'email',
    what: 'a reply to EHLO without a last line',
    block: '250-x\r\n',
    leadUp: replies('220 mail.example.org\r\n'),
  },
  { kind: 'email', what: 'replies to nothing', block: '250 ok\r\n', leadUp: replies('220 mail.example.org\r\n') },
  {
    kind: 'email',
    what: 'a reply without a last line under STARTTLS',
    block: '250-x\r\n',
    options: { security: 'starttls' },
    async leadUp(socket) {
      await replies('220 mail.example.org\r\n', '250 STARTTLS\r\n')(socket)
      socket.write('220 go ahead\r\n')
      return replies('')(encrypt(socket))
    },
  },
  { kind: 'mqtt', what: 'PINGRESP before CONNACK', block: pingresp },
  { kind: 'mqtt', what: 'PINGRESP', block: pingresp, leadUp: replies('', connack) },
  { kind: 'mqtt', what: 'messages, each of which is acknowledged', block: publish, leadUp: replies('', connack) },
  { kind: 'amqp', what: 'heartbeats before the handshake', block: heartbeat, leadUp: replies('') },
  { kind: 'amqp', what: 'heartbeats', block: heartbeat, leadUp: leadUpToConfirms },
  {
    kind: 'nats',
    what: 'PING, which is answered by PONG of the same length',
    block: 'PING\r\n',
    leadUp: replies(info({})),
  },
  { kind: 'nats', what: '+OK', block: '+OK\r\n', leadUp: replies(info({})) },
  {
    kind: 'nats',
    what: 'PING under TLS',
    block: 'PING\r\n',
    async leadUp(socket) {
      await new Promise((resolve) => socket.write(info({ tls_required: true }), resolve))
      return replies('')(encrypt(socket))
    },
  },
  { kind: 'redis', what: 'replies to nothing', block: ':1\r\n' },
  { kind: 'redis', what: 'replies that never end', block: '*1\r\n', leadUp: replies('') },
]

/** Floods once a request has arrived. */
export const answers =
  (beginning = '') =>
  async (socket: Socket) => {
    await nextData(socket)
    if (beginning) socket.write(beginning)
    return socket
  }

/** Floods of HTTP, for every kind that uses it. */
export const httpFloods: readonly Omit<Flood, 'kind'>[] = [
  { what: '100 Continue', block: 'HTTP/1.1 100 Continue\r\n\r\n', leadUp: answers() },
  { what: '102 Processing', block: 'HTTP/1.1 102 Processing\r\n\r\n', leadUp: answers() },
  {
    what: '103 Early Hints',
    block: 'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n',
    leadUp: answers(),
  },
]

/** Floods after the status, which already decides the outcome. */
export const lateHttpFloods: readonly Omit<Flood, 'kind'>[] = [
  {
    what: 'extensions of a chunk',
    leadUp: answers('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;'),
    block: 'name=value;',
  },
  {
    what: 'chunks of a byte',
    leadUp: answers('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
    block: '1\r\nx\r\n',
  },
  {
    what: 'trailers',
    leadUp: answers('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n'),
    block: 'X-Field: value\r\n',
  },
  {
    what: 'a second answer',
    leadUp: answers('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    block: 'HTTP/1.1 200 OK\r\n\r\n',
  },
]

/** More than all buffers on the way hold. */
const maxBytes = 64 * 1024 * 1024

/**
 * Sends the block again and again until the other side has closed the connection, or for `max` bytes. Resolves with the bytes sent.
 */
export function flood(socket: Socket, block: string | Buffer, max = maxBytes): Promise<number> {
  const piece = Buffer.alloc(65_536 - (65_536 % Buffer.byteLength(block)), block)
  let written = 0
  return new Promise((resolve) => {
    socket.once('close', () => resolve(written))
    const more = () => {
      while (!socket.destroyed && written < max) {
        written += piece.length
        if (!socket.write(piece)) return socket.once('drain', more)
      }
      if (!socket.destroyed) resolve(written)
    }
    more()
  })
}

export interface Flooder {
  readonly port: number
  /** The number of connections that have reached the flood. */
  readonly floods: () => number
  /** The bytes that it could send on its first connection. */
  readonly sent: Promise<number>
  /** Ends an attempt that would never end. */
  readonly giveUp: AbortSignal
}

/** A server that floods each connection. */
export async function startFlooder(
  t: TestContext,
  { block, leadUp = async (socket) => socket }: Pick<Flood, 'block' | 'leadUp'>,
  { isEncrypted = false, max = maxBytes } = {},
): Promise<Flooder> {
  const giveUp = new AbortController()
  const { promise: sent, resolve } = Promise.withResolvers<number>()
  let floods = 0
  const begin = async (socket: Socket) => {
    const led = await leadUp(socket)
    floods++
    const bytes = await flood(led.resume(), block, max)
    giveUp.abort()
    resolve(bytes)
  }
  const { port } = await startTcpServer(t, begin, { isEncrypted })
  return { port, floods: () => floods, sent, giveUp: giveUp.signal }
}
