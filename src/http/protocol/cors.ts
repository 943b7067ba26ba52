import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * CORS for the origins that `corsOrigins` lists. Their pages send a token: Access-Control-Allow-Credentials is never set, since cookies
 * are for the server's own pages.
 *
 * Rejected: @fastify/cors. Its hook runs after ours, so errors of the origin check would have no CORS headers. It also adds an OPTIONS
 * route, where every path already has one that answers 405 (method-not-allowed.ts).
 */
export interface Cors {
  /** Sets Vary, and for an allowed origin the headers that let it read the response. */
  setHeaders(request: FastifyRequest, reply: FastifyReply): void
  /** Responds to a preflight request. @returns whether the request was one */
  respondToPreflight(request: FastifyRequest, reply: FastifyReply): boolean
}

/** Returns the fault of an origin, if it has one. */
export function originFault(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || text.includes('*'))
    return 'must be an origin, like https://app.example.org'
  return url.origin === text
    ? undefined
    : 'must be an origin as browsers write it: scheme, host in lower case, port unless it is the default, and no slash at the end'
}

const exposed = [
  'etag',
  'location',
  'link',
  'retry-after',
  'x-request-id',
  'idempotency-replayed',
  'preference-applied',
  'ratelimit',
  'ratelimit-policy',
]
const readable = Object.freeze({ 'access-control-expose-headers': exposed.join(', ') })

const preflight = Object.freeze({
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
  'access-control-allow-headers':
    'authorization, accept-language, content-type, if-match, if-none-match, idempotency-key, prefer, last-event-id, traceparent',
  'access-control-max-age': '7200', // most browsers cap it at this
})

/** @param allowed origins without a fault @returns undefined without any: then no response has CORS headers */
export function createCors(allowed: ReadonlySet<string>): Cors | undefined {
  if (allowed.size === 0) return undefined
  return {
    setHeaders({ headers: { origin } }, reply) {
      reply.header('vary', 'origin')
      if (origin !== undefined && allowed.has(origin))
        reply.header('access-control-allow-origin', origin).headers(readable)
    },
    respondToPreflight(request, reply) {
      const { origin, 'access-control-request-method': method } = request.headers
      if (request.method !== 'OPTIONS' || method === undefined || request.is404) return false
      if (origin === undefined || !allowed.has(origin)) return false
      reply.code(204).headers(preflight).send()
      return true
    },
  }
}
