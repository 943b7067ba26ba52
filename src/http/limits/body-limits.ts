import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance } from 'fastify'

/** For routes that need a credential, which a server without login answers without one. */
const maxBodyBytes = 1024 * 1024

/**
 * For all others: sign-in, invitations, links and unknown paths. The longest password and name, with each character escaped, are
 * 5.4 KiB. With 1 MiB, 16 connections without a credential delayed reminders by 1 to 2 s.
 */
export const maxPublicBodyBytes = 8 * 1024

/** Call it before routes are added. The server's own `bodyLimit` must be the smaller one, since it applies to unknown paths. */
export function limitBodies(server: FastifyInstance): void {
  server.addHook('onRoute', (route) => {
    if (route.schema?.scope !== 'none') route.bodyLimit ??= maxBodyBytes
  })
}

/** Returns whether a request has a body (RFC 9112 section 6), complete or not. */
export function hasBody({ headers }: { readonly headers: IncomingHttpHeaders }): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

/** Returns `8 KiB`, `1 MiB`. */
export function formatBytes(bytes: number): string {
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB` : `${bytes / 2 ** 10} KiB`
}
