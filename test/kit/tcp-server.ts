import { createServer, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { listen } from './listen.ts'
import { selfSigned } from './self-signed.ts'

export interface TcpServer {
  readonly server: Server
  readonly port: number
  /** Every connection so far, without its TLS. */
  readonly sockets: readonly Socket[]
}

/**
 * A server on 127.0.0.1 that is closed with all of its connections after the test.
 * @param behave gets each connection, inside its TLS
 * @param options.certificates what it sends in the handshake of TLS: its certificate, and any others
 */
export async function startTcpServer(
  t: TestContext,
  behave: (socket: Socket) => unknown = () => {},
  { isEncrypted = false, certificates = selfSigned.cert } = {},
): Promise<TcpServer> {
  const sockets: Socket[] = []
  const server = isEncrypted ? createTlsServer({ ...selfSigned, cert: certificates }) : createServer()
  const ignore = () => {} // the other side may be gone
  server.on('connection', (socket: Socket) => sockets.push(socket.on('error', ignore)))
  server.on('tlsClientError', ignore)
  server.on(isEncrypted ? 'secureConnection' : 'connection', (socket: Socket) => behave(socket.on('error', ignore)))
  // Registered before the listener's own end, which waits for its connections.
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  return { server, port: await listen(t, server), sockets }
}
