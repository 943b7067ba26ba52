import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import https from 'node:https'
import type { LookupFunction, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  type Address,
  connectLimited,
  floodError,
  handshakeBytes,
  LimitedSocket,
  ReadBudget,
  readInPieces,
} from './read-budget.ts'

// Not imported: an import reads every export of a Node module, and here WebSocket would load undici: 4 MB.
const http = process.getBuiltinModule('node:http')

/**
 * Connections for `node:http` on which a receiver can send no more than a response needs. That covers informational responses, headers,
 * trailers and the framing of chunks. Node's agent itself closes an idle connection at the first byte that arrives (RFC 9112 section 9.2).
 */
export interface LimitedAgent {
  request(options: RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest
  /** Closes all connections. */
  destroy(): void
}

/** Bytes in addition to the body: 16 KiB of headers, which is Node's own limit, and the rest of a 64 KiB read. */
const headBytes = 112 * 1024
/** Servers send one or two informational responses, if any (RFC 9110 section 15.2). Go's client accepts five. */
const maxInformational = 20
/** 20 typical informational responses are 1 or 2 KiB. */
const pieceBytes = 4 * 1024

/** @param bodyBytes how much of a body is read before the connection is closed */
export function openLimitedAgent({
  isEncrypted,
  lookup,
  idleMs,
  bodyBytes,
}: {
  readonly isEncrypted: boolean
  readonly lookup: LookupFunction
  readonly idleMs: number
  readonly bodyBytes: number
}): LimitedAgent {
  const budgets = new WeakMap<Duplex, ReadBudget>()
  const agent = isEncrypted
    ? new https.Agent({ keepAlive: true, timeout: idleMs })
    : new http.Agent({ keepAlive: true, timeout: idleMs })
  /** The method of `https.Agent`, with its cache of TLS sessions. */
  const encrypt = agent.createConnection.bind(agent)

  agent.createConnection = (options) => {
    const { host = '', port } = options as { host?: string; port: number | string }
    const address = { host, port: Number(port), lookup }
    const budget = new ReadBudget(headBytes + bodyBytes)
    const socket = isEncrypted ? encryptLimited(address, options, budget) : connectLimited(address, budget)
    readInPieces(socket, pieceBytes)
    budgets.set(socket, budget)
    return socket
  }

  function encryptLimited(address: Address, options: object, budget: ReadBudget): Duplex {
    const carrier = new LimitedSocket(address, budget)
    const socket = encrypt({ ...options, socket: carrier } as object) as Socket
    // The agent unrefs an idle connection, so that it keeps no process alive. It does not know the carrier of this one.
    socket.ref = () => carrier.ref() && socket
    socket.unref = () => carrier.unref() && socket
    return socket.once('secureConnect', () => budget.release(handshakeBytes))
  }

  return {
    request(options, onResponse) {
      const request = (isEncrypted ? https : http).request({ ...options, agent }, onResponse)
      request.once('socket', (socket) => {
        if (request.reusedSocket) budgets.get(socket)?.restart()
      })
      let informational = 0
      return request.on('information', () => {
        if (++informational > maxInformational) request.destroy(floodError())
      })
    },
    destroy: () => agent.destroy(),
  }
}
