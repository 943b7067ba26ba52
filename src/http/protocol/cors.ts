import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Pages of other origins that may use the API from a browser, named one by one in `corsOrigins`. They send a token of their own:
 * Access-Control-Allow-Credentials is never said, since cookies are for our own pages.
 *
 * Not @fastify/cors: a plugin's hook comes after ours, so that what the guard refuses would have none of its headers; and it answers
 * OPTIONS by a route, where every path has one already that answers 405 (watchMethods).
 */
export interface Cors {
  /** Marks an answer as one that depends on the origin, and as readable for one that is allowed. */
  mark(request: FastifyRequest, reply: FastifyReply): void
  /** Whether it was a browser that asks whether it may send a request; then it is answered. */
  answerPreflight(request: FastifyRequest, reply: FastifyReply): boolean
}

/** What is wrong with an origin, if anything. */
export function originFault(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || text.includes('*'))
    return 'must be an origin, like https://app.example.org'
  return url.origin === text
    ? undefined
    : 'must be an origin as browsers write it: scheme, host in small letters and port, if it is another than usual, and no slash behind it'
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
    'authorization, content-type, if-match, if-none-match, idempotency-key, prefer, last-event-id, traceparent',
  'access-control-max-age': '7200', // more than this no browser but one keeps
})

/** @param allowed without a fault. None: nothing is said of origins, by no answer. */
export function createCors(allowed: ReadonlySet<string>): Cors | undefined {
  if (allowed.size === 0) return undefined
  return {
    mark({ headers: { origin } }, reply) {
      reply.header('vary', 'origin')
      if (origin !== undefined && allowed.has(origin))
        reply.header('access-control-allow-origin', origin).headers(readable)
    },
    answerPreflight(request, reply) {
      const { origin, 'access-control-request-method': method } = request.headers
      if (request.method !== 'OPTIONS' || method === undefined || request.is404) return false
      if (origin === undefined || !allowed.has(origin)) return false
      reply.code(204).headers(preflight).send()
      return true
    },
  }
}
