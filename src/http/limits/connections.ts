import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { Problem } from '#core/problem.ts'
import type { Trust } from '#http/listen/trusted-proxies.ts'
import { isLoopback } from '#ip-address.ts'
import { limitConnectionCount } from './connection-limit.ts'

/**
 * Timeouts and limits of connections: slow, silent or numerous clients cost memory and connections for a limited time.
 *
 *   connected ─▶ headers ─▶ body ─▶ response is made ─▶ is read ─▶ idle ─▶ headers …
 *     └─ headersMs ─┘        │          any time       stalledMs   idleMs
 *     └───── requestMs ──────┘
 *
 * Rejected:
 * - A limit of connections per address. Behind a proxy, and on loopback, all clients share one address, and a thousand that follow events
 *   would exceed it. 500 slow connections cost others nothing (bench/RESULTS.md), and the timeouts above end them.
 * - A limit of requests per connection. Clients would reconnect, which costs the server twice as much as a request.
 * - A minimum speed of reading. A response of which a client reads something every 30 s costs one connection and its own bytes, and
 *   the total of those is bounded.
 */
export interface ConnectionLimits {
  /** From the connection, or the first byte of a later request, to the end of the headers: then 408. */
  readonly headersMs: number
  /** To the end of the request: then 408. */
  readonly requestMs: number
  /** How often those two timeouts are checked. */
  readonly checkMs: number
  /** Between two requests. */
  readonly idleMs: number
  /**
   * The same for a peer on this machine and a trusted proxy. It must be longer than the peer keeps an idle connection. Otherwise the
   * proxy sends requests while the server closes, and answers unsafe ones with 502. One in twelve POSTs every 11 s through Caddy was lost.
   */
  readonly nearIdleMs: number
  /** While the client reads nothing of a response: then the connection is closed. */
  readonly stalledMs: number
  /** At the limit, each new connection closes another: see connection-limit.ts. */
  readonly maxConnections: number
  /** The total size of large responses that clients have not read. Above it large ones are rejected, and small ones sent. */
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
  // 32 lists of 10,000 tasks, which is the largest response.
  maxUnreadBytes: 128 * 1024 * 1024,
}

/**
 * Node accepts 2,000 headers and silently drops the rest: an If-Match among them would be ignored. 100, as in Apache, are more than any
 * client and its proxies send.
 */
const maxHeaders = 100
/** More than the kernel's buffers take at once. */
const largeBytes = 64 * 1024

/** Options for Fastify and Node. */
export function connectionOptions({ headersMs, requestMs, checkMs, nearIdleMs }: ConnectionLimits) {
  return {
    requestTimeout: requestMs,
    keepAliveTimeout: nearIdleMs, // limitConnections reduces it for other peers
    http: { headersTimeout: headersMs, connectionsCheckingInterval: checkMs },
  }
}

/** Returns the test for peers whose idle connections are kept longer: this machine and trusted proxies. */
export function nearPeers(trusts: Trust | undefined): (address: string | undefined) => boolean {
  return (address) => {
    return address === undefined || isLoopback(address) || trusts?.(address) === true
  }
}

/** Applies the limits that are no options. */
export function limitConnections(
  server: FastifyInstance,
  { stalledMs, maxConnections, maxUnreadBytes, idleMs }: ConnectionLimits,
  {
    isNear,
    isExempt,
    onDropped,
  }: {
    isNear: (address: string | undefined) => boolean
    /** Connections that the connection limit neither counts nor closes. */
    isExempt: (socket: Socket) => boolean
    onDropped: () => void
  },
): void {
  reduceIdleTimeout(server, idleMs, isNear)
  const node = server.server
  node.maxHeadersCount = maxHeaders + 1
  limitConnectionCount(node, { maxConnections, isExempt, onDropped })

  server.addHook('onRequest', (request, _, done) => {
    const isTooMany = request.raw.rawHeaders.length > 2 * maxHeaders
    done(isTooMany ? new Problem('malformed', `A request has at most ${maxHeaders} headers.`) : undefined)
  })

  let unreadBytes = 0
  server.addHook<unknown>('onSend', (request, reply, payload, done) => {
    const { socket } = request.raw
    const bytes = typeof payload === 'string' || payload instanceof Uint8Array ? payload.length : 0
    // The kernel takes most responses at once. A timer for each would cost 0.5 µs.
    const mayStall = bytes > largeBytes || socket.writableLength > 0 || isStream(payload)
    if (mayStall) socket.setTimeout(stalledMs) // Node resets it for the next request
    if (bytes <= largeBytes) return done(null, payload)
    if (unreadBytes + bytes > maxUnreadBytes)
      return done(
        new Problem('unavailable', 'Too many large responses wait to be read. Ask for a smaller one with limit.', {
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

/** Node's keep-alive timeout applies to the whole server, and is that of near peers. This sets a shorter one for others. */
function reduceIdleTimeout(
  server: FastifyInstance,
  idleMs: number,
  isNear: (address: string | undefined) => boolean,
): void {
  const node = server.server
  const nearSockets = new WeakMap<Socket, boolean>()
  const header = `timeout=${Math.floor(idleMs / 1_000)}`
  server.addHook('onRequest', ({ raw }, reply, done) => {
    const { socket } = raw
    let near = nearSockets.get(socket)
    if (near === undefined) {
      near = isNear(socket.remoteAddress)
      nearSockets.set(socket, near)
    }
    if (!near) {
      reply.header('keep-alive', header)
      reply.raw.once('finish', () => {
        const bufferMs = node.keepAliveTimeoutBuffer
        // Unless Node has begun the next request of the connection, and so set another timeout, or none.
        if (socket.timeout === node.keepAliveTimeout + bufferMs) socket.setTimeout(idleMs + bufferMs)
      })
    }
    done()
  })
}

function isStream(payload: unknown): boolean {
  return typeof payload === 'object' && payload !== null && 'pipe' in payload
}
