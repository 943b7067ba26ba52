import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { Problem } from '#core/problem.ts'
import type { Trust } from '#http/listen/trusted-proxies.ts'
import { limitConnectionCount } from './connection-limit.ts'

/**
 * How long a connection may take over what, and how many there may be: so that clients that are slow, silent or many cost memory and
 * places for a while and not for good.
 *
 *   connected ─▶ headers ─▶ body ─▶ answer is made ─▶ is read ─▶ idle ─▶ headers …
 *     └─ headersMs ─┘        │          any time     stalledMs   idleMs
 *     └───── requestMs ──────┘
 *
 * What is not here:
 * - A bound of connections for each address. Behind a proxy, and on loopback, all have one; a thousand who follow events would be told that
 *   they are too many. 500 slow connections cost others nothing (bench/RESULTS.md), and what they hold they lose by the above.
 * - A bound of requests for each connection. It makes clients connect anew, which costs the server twice as much as a request.
 * - A least speed of reading. An answer of which something is taken every 30 s is one more connection and its own bytes, and those
 *   are bounded for all together.
 */
export interface ConnectionLimits {
  /** From the connection, or the first byte of a later request, to the end of the headers: then 408. */
  readonly headersMs: number
  /** To the end of the request: then 408. */
  readonly requestMs: number
  /** How often those two are looked at. */
  readonly checkMs: number
  /** Between two requests. */
  readonly idleMs: number
  /**
   * The same for a peer on this machine and a trusted proxy. It must be longer than the peer keeps an idle connection: of requests that
   * are sent while the server closes, a proxy answers those with effects by 502. One in twelve POSTs every 11 s through Caddy was lost.
   */
  readonly nearIdleMs: number
  /** While nothing of an answer is taken: then the connection is cut off. */
  readonly stalledMs: number
  /** Above them one is closed for each new one: see connection-limit.ts. */
  readonly maxConnections: number
  /** Of large answers that are not read yet, in bytes: then further large ones are refused, and small ones given. */
  readonly maxUnreadBytes: number
}

export const connectionLimits: ConnectionLimits = {
  headersMs: 15_000,
  requestMs: 30_000,
  checkMs: 5_000,
  idleMs: 10_000,
  nearIdleMs: 130_000, // Caddy closes after 120 s, nginx and load balancers after 60 s
  stalledMs: 30_000,
  maxConnections: 5_000,
  // 32 lists of 10,000 tasks, the largest that there are.
  maxUnreadBytes: 128 * 1024 * 1024,
}

/**
 * Node takes 2,000 and drops the rest in silence: an If-Match behind them would be passed over. Apache's 100 are more than any client
 * and its proxies send.
 */
const maxHeaders = 100
/** What the kernel's buffers do not take at once. */
const largeBytes = 64 * 1024

/** What Fastify and Node are told when a server is made. */
export function connectionOptions({ headersMs, requestMs, checkMs, nearIdleMs }: ConnectionLimits) {
  return {
    requestTimeout: requestMs,
    keepAliveTimeout: nearIdleMs, // limitConnections shortens it for others
    http: { headersTimeout: headersMs, connectionsCheckingInterval: checkMs },
  }
}

/** Returns the test for peers whose idle connections are kept longer: those on this machine, and trusted proxies. */
export function nearPeers(trusts: Trust | undefined): (address: string | undefined) => boolean {
  return (address) => {
    const bare = address?.replace(/^::ffff:/, '')
    return bare === undefined || bare === '::1' || bare.startsWith('127.') || trusts?.(bare) === true
  }
}

/** The rest, on the server that was made. */
export function limitConnections(
  server: FastifyInstance,
  { stalledMs, maxConnections, maxUnreadBytes, idleMs }: ConnectionLimits,
  {
    isNear,
    isExempt,
    onDropped,
  }: {
    isNear: (address: string | undefined) => boolean
    /** Connections that the limit of connections neither counts nor closes. */
    isExempt: (socket: Socket) => boolean
    onDropped: () => void
  },
): void {
  shortenIdleTime(server, idleMs, isNear)
  const node = server.server
  node.maxHeadersCount = maxHeaders + 1
  limitConnectionCount(node, { maxConnections: maxConnections, isExempt, onDropped })

  server.addHook('onRequest', (request, _, done) => {
    const isTooMany = request.raw.rawHeaders.length > 2 * maxHeaders
    done(isTooMany ? new Problem('malformed', `A request has at most ${maxHeaders} headers.`) : undefined)
  })

  let unreadBytes = 0
  server.addHook<unknown>('onSend', (request, reply, payload, done) => {
    const { socket } = request.raw
    const bytes = typeof payload === 'string' || payload instanceof Uint8Array ? payload.length : 0
    // Most answers are taken by the kernel before the next line. A timer for each of them would cost 0.5 µs.
    const mayStall = bytes > largeBytes || socket.writableLength > 0 || isStream(payload)
    if (mayStall) socket.setTimeout(stalledMs) // Node takes it back for the next request
    if (bytes <= largeBytes) return done(null, payload)
    if (unreadBytes + bytes > maxUnreadBytes)
      return done(
        new Problem('unavailable', 'Too many large answers wait to be read. A smaller one is given: see limit.', {
          retryAfterMs: 5_000,
        }),
      )
    unreadBytes += bytes
    reply.raw.once('close', () => {
      unreadBytes -= bytes
    })
    done(null, payload)
  })
}

/** The time that Node allows between two requests is one for the whole server: that of near peers. Others have less. */
function shortenIdleTime(
  server: FastifyInstance,
  idleMs: number,
  isNear: (address: string | undefined) => boolean,
): void {
  const node = server.server
  const ofSocket = new WeakMap<Socket, boolean>()
  const header = `timeout=${Math.floor(idleMs / 1_000)}`
  server.addHook('onRequest', ({ raw }, reply, done) => {
    const { socket } = raw
    let near = ofSocket.get(socket)
    if (near === undefined) {
      near = isNear(socket.remoteAddress)
      ofSocket.set(socket, near)
    }
    if (!near) {
      reply.header('keep-alive', header)
      reply.raw.once('finish', () => {
        const bufferMs = node.keepAliveTimeoutBuffer
        // Not where Node has begun the next request of the connection, and so set another time, or none.
        if (socket.timeout === node.keepAliveTimeout + bufferMs) socket.setTimeout(idleMs + bufferMs)
      })
    }
    done()
  })
}

function isStream(payload: unknown): boolean {
  return typeof payload === 'object' && payload !== null && 'pipe' in payload
}
