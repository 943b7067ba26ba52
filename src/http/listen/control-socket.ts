import { createServer, type Server, type Socket } from 'node:net'
import { platform } from 'node:os'
import type { FastifyInstance } from 'fastify'
import { closeListener } from './listen.ts'
import { listenAt, socketFault } from './unix-socket.ts'

/**
 * The control socket: a Unix socket beside an SQLite file, which only the server's own user can open. That user can open the database as
 * well, so requests over the socket have the rights of the server itself, without a token. Commands use it because only one process may
 * open the file. With PostgreSQL or MariaDB there is no control socket: commands open the database.
 */
export function controlPath(databaseUrl: string): string | undefined {
  const file = /^sqlite:(?!:memory:)(.+)$/.exec(databaseUrl)?.[1]
  return file === undefined || platform() === 'win32' ? undefined : `${file}.sock`
}

/**
 * Connections are passed to the server, so all limits apply.
 * @param trust called with each connection before anything is read from it
 * @throws Problem `unavailable` where the socket cannot be created
 */
export async function openControlSocket(
  server: FastifyInstance,
  path: string,
  trust: (socket: Socket) => void,
): Promise<Server> {
  const fault = socketFault(path)
  if (fault !== undefined) throw new Error(`${path} ${fault}`)
  // A TLS server gets the connection as one whose handshake is done.
  const event = 'setSecureContext' in server.server ? 'secureConnection' : 'connection'
  const control = createServer({ allowHalfOpen: true }, (socket) => {
    trust(socket)
    server.server.emit(event, socket)
  })
  control.maxConnections = 10
  await listenAt(control, path)
  return control
}

/** Resolves when the requests on its connections have been answered. */
export const closeControlSocket = (server: FastifyInstance, control: Server) => closeListener(server.server, control)
