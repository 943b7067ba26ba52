import type { FastifyInstance } from 'fastify'

/** Of routes that need a credential; a server without login answers them to everybody. */
export const maxBodyBytes = 1024 * 1024

/**
 * Of all others: sign-in, invitations, links, and paths that lead to nothing. The longest password and name, with each character
 * escaped, are 5.4 KiB. With 1 MiB, 16 connections without a credential kept the bell waiting for 1 to 2 s.
 */
export const maxPublicBodyBytes = 8 * 1024

/** Call it before routes are added, on a server whose own `bodyLimit` is the smaller one: then a request for no route has that, too. */
export function limitBodies(server: FastifyInstance): void {
  server.addHook('onRoute', (route) => {
    if (route.schema?.needs !== 'nothing') route.bodyLimit ??= maxBodyBytes
  })
}

/** `8 KiB`, `1 MiB`. */
export function formatBytes(bytes: number): string {
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB` : `${bytes / 2 ** 10} KiB`
}
