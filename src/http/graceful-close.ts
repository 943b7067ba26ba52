import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { Problem } from '#core/problem.ts'

/** How long requests in flight may take after the server begins to close. Pending deliveries to channels come after it. */
const closeGraceMs = 2_000

/**
 * While the server closes, requests in flight are answered and their connections closed: a kept-alive connection would delay the close by
 * its keep-alive timeout. New requests get 503, and connections whose requests never end are cut off.
 */
export function closeGracefully(server: FastifyInstance): void {
  let isClosing = false
  let cutOff: NodeJS.Timeout | undefined
  // Rejected: closeAllConnections. It skips TLS connections before the end of their handshake, and the close would wait for them.
  const sockets = new Set<Socket>()
  server.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.addHook('preClose', async () => {
    isClosing = true
    cutOff = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, closeGraceMs)
  })
  server.addHook('onClose', async () => clearTimeout(cutOff))
  server.addHook('onRequest', (_, __, done) =>
    done(isClosing ? new Problem('unavailable', 'The server is stopping.', { retryAfterMs: 1_000 }) : undefined),
  )
  server.addHook('onSend', (_, reply, payload, done) => {
    if (isClosing) reply.header('connection', 'close')
    done(null, payload)
  })
}
