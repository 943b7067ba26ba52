import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { Problem } from '#core/problem.ts'
import { listenAt } from './unix-socket.ts'

/** Where to listen: at the path of a Unix socket, or else on an address and port. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly socket: string
}

/**
 * Listens, and logs where.
 * @param line what is logged of a URL it listens on
 * @returns the URL: `http://127.0.0.1:8888`, `https://…`, `unix:/run/duebell.sock`
 * @throws Problem `unavailable` with a sentence for a person
 */
export async function listen(server: FastifyInstance, place: Place, line: (url: string) => string): Promise<string> {
  try {
    return place.socket === '' ? await listenOn(server, place, line) : await listenAtPath(server, place.socket, line)
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('unavailable', why(error as NodeJS.ErrnoException, place), { cause: error })
  }
}

function why({ code = '', message }: NodeJS.ErrnoException, { host, port, socket }: Place): string {
  if (socket !== '') {
    if (code === 'ENOENT' || code === 'ENOTDIR') return `There is no folder for ${socket}: make it, or see --socket.`
    if (code === 'EACCES') return `This user may not make ${socket}: see --socket.`
    return `Cannot listen at ${socket}: ${message}.`
  }
  if (code === 'EADDRINUSE')
    return `Port ${port} on ${host} is taken by another program: choose another --port, or stop that one.`
  if (code === 'EACCES') return `Port ${port} needs more rights: choose a --port above 1023.`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return `${host} is not an address of this machine: see --host.`
  return `Cannot listen on ${host}:${port}: ${message}.`
}

/** Past Fastify, which would log before the socket is in its place, and under the name it has until then. */
async function listenAtPath(server: FastifyInstance, path: string, line: (url: string) => string): Promise<string> {
  await server.ready()
  await listenAt(server.server, path)
  const url = `unix:${path}`
  server.log.info(line(url))
  return url
}

/**
 * «localhost» is two addresses on many machines. Not left to Fastify, which would make a second server for the second of them: one without
 * our limits and answers, and with the certificate of the start for ever.
 */
async function listenOn(
  server: FastifyInstance,
  { host, port }: Place,
  line: (url: string) => string,
): Promise<string> {
  const addresses = host === 'localhost' ? await lookup(host, { all: true }) : []
  const [first = host, ...others] = addresses.map(({ address }) => address)
  const doors: Server[] = []
  server.addHook('preClose', async () => {
    await Promise.all(doors.map((authenticator) => closeDoor(server.server, authenticator)))
  })
  const url = await server.listen({ host: first, port, listenTextResolver: line })
  for (const other of others) {
    // An address that is in the table and not on the machine keeps nobody from the other.
    const authenticator = await openDoor(server.server, other).catch(() => undefined)
    if (authenticator) doors.push(authenticator)
  }
  return url
}

/** Another address that leads to the same server, on its port. What comes in by it is the server's own from then on, with all its limits. */
export async function openDoor(server: HttpServer, host: string): Promise<Server> {
  const authenticator = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    server.emit('connection', socket),
  )
  authenticator.listen({ host, port: (server.address() as AddressInfo).port })
  await once(authenticator, 'listening')
  return authenticator
}

/** Resolves when what came in by it has been answered. */
export async function closeDoor(server: HttpServer, authenticator: Server): Promise<void> {
  authenticator.close()
  server.closeIdleConnections()
  await once(authenticator, 'close')
}
