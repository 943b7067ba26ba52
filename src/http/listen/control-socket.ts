import { createServer, type Server, type Socket } from 'node:net'
import { platform } from 'node:os'
import type { FastifyInstance } from 'fastify'
import { closeDoor } from './listen.ts'
import { listenAt, socketFault } from './unix-socket.ts'

/**
 * The control socket: a Unix socket beside the file of an embedded database, which only the server's own user can open. Whoever can could
 * open the database as well, so who asks over it has the rights of the server itself, and needs no token. Commands on the server use it,
 * since the file is held by one process. Where the database is a server, there is none: commands open that.
 */
export function controlPath(databaseUrl: string): string | undefined {
  const file = /^sqlite:(?!:memory:)(.+)$/.exec(databaseUrl)?.[1]
  return file === undefined || platform() === 'win32' ? undefined : `${file}.sock`
}

/**
 * What comes in by it is the server's own from then on, with all its limits.
 * @param trust called with each connection before anything is read from it
 * @throws Problem `unavailable`, where there cannot be a socket
 */
export async function openControl(
  server: FastifyInstance,
  path: string,
  trust: (socket: Socket) => void,
): Promise<Server> {
  const fault = socketFault(path)
  if (fault !== undefined) throw new Error(`${path} ${fault}`)
  // To a server that speaks TLS it comes as one that has shaken hands.
  const event = 'setSecureContext' in server.server ? 'secureConnection' : 'connection'
  const control = createServer({ allowHalfOpen: true }, (socket) => {
    trust(socket)
    server.server.emit(event, socket)
  })
  control.maxConnections = 10
  await listenAt(control, path)
  return control
}

/** Resolves when what came in by it has been answered. */
export const closeControl = (server: FastifyInstance, control: Server) => closeDoor(server.server, control)
