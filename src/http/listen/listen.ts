import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { Problem } from '#core/problem.ts'
import { listenAt } from './unix-socket.ts'

/** The path of a Unix socket, or else an address and port. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
  readonly socket: string
}

/**
 * Listens, and logs each URL.
 * @param format returns the log line for a URL
 * @returns the URL: `http://127.0.0.1:8888`, `https://…`, `unix:/run/duebell.sock`
 * @throws Problem `unavailable` with a sentence for the administrator
 */
export async function listen(server: FastifyInstance, address: ListenAddress, format: LogFormat): Promise<string> {
  try {
    const { socket } = address
    return socket === '' ? await listenOn(server, address, format) : await listenAtPath(server, socket, format)
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('unavailable', failureReason(error as NodeJS.ErrnoException, address), { cause: error })
  }
}

type LogFormat = (url: string) => string

function failureReason({ code = '', message }: NodeJS.ErrnoException, { host, port, socket }: ListenAddress): string {
  if (socket !== '') {
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return `The folder of ${socket} does not exist. Create it, or choose another path with --socket.`
    if (code === 'EACCES') return `This user may not create ${socket}. Choose another path with --socket.`
    return `Cannot listen at ${socket}: ${message}.`
  }
  if (code === 'EADDRINUSE')
    return `Port ${port} on ${host} is in use. Stop the other process, or choose another port with --port.`
  if (code === 'EACCES') return `Port ${port} needs more rights. Choose a port above 1023 with --port.`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `${host} is not an address of this machine. Choose another with --host.`
  return `Cannot listen on ${host}:${port}: ${message}.`
}

/** Not by Fastify, which would log the temporary path of the socket, before it is in place. */
async function listenAtPath(server: FastifyInstance, path: string, format: LogFormat): Promise<string> {
  await server.ready()
  await listenAt(server.server, path)
  const url = `unix:${path}`
  server.log.info(format(url))
  return url
}

/**
 * «localhost» is two addresses on many machines. Rejected: Fastify's own support, which creates a second server for the second address. It
 * has neither our limits nor our error responses, and keeps the first certificate for ever.
 */
async function listenOn(server: FastifyInstance, { host, port }: ListenAddress, format: LogFormat): Promise<string> {
  const addresses = host === 'localhost' ? await lookup(host, { all: true }) : []
  const [first = host, ...others] = addresses.map(({ address }) => address)
  const listeners: Server[] = []
  server.addHook('preClose', async () => {
    await Promise.all(listeners.map((listener) => closeListener(server.server, listener)))
  })
  const url = await server.listen({ host: first, port, listenTextResolver: format })
  for (const other of others) {
    // The hosts file may list an address that the machine does not have. The server is still reachable on the first.
    const listener = await openListener(server.server, other).catch(() => undefined)
    if (listener) listeners.push(listener)
  }
  return url
}

/** Listens on another address and the same port. Its connections are passed to the server, so all limits apply. */
export async function openListener(server: HttpServer, host: string): Promise<Server> {
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit('connection', socket))
  listener.listen({ host, port: (server.address() as AddressInfo).port })
  await once(listener, 'listening')
  return listener
}

/** Resolves when the requests on its connections have been answered. */
export async function closeListener(server: HttpServer, listener: Server): Promise<void> {
  listener.close()
  server.closeIdleConnections()
  await once(listener, 'close')
}
