import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { redactPath } from '#core/redact.ts'
import type { Transact } from '#store/engine/transact.ts'
import { recordAudit } from './auth/audit.ts'
import { type Authenticator, actorOf } from './auth/authenticate.ts'
import { hasCredential } from './auth/session-cookie.ts'
import { closeGracefully } from './graceful-close.ts'
import { type Admission, admitRequests } from './limits/admission.ts'
import { type ConnectionLimits, limitConnections, nearPeers } from './limits/connections.ts'
import { addressKey, createRateLimiter, type RateLimiter } from './limits/rate-limit.ts'
import type { Cors } from './protocol/cors.ts'
import { createOriginCheck, type OriginCheckOptions } from './protocol/origin-check.ts'
import { sendProblemDirectly } from './protocol/problem.ts'
import type { Metrics } from './routes/metrics.ts'

export interface HookDeps extends OriginCheckOptions {
  readonly transact: Transact
  readonly clock: Clock
  readonly log: Logger
  readonly authenticator: Authenticator
  readonly metrics: Pick<Metrics, 'refused' | 'answered'>
  /** Requests a minute of one caller; 0 for no limit. */
  readonly rateLimit: number
  readonly admission: Admission
  readonly connectionLimits: ConnectionLimits
  readonly cors: Cors | undefined
  /** Sets the headers of every response. */
  readonly setHeaders: (request: FastifyRequest, reply: FastifyReply) => void
  /** Called for every request. */
  readonly onRequest: () => void
}

/**
 * Adds the hooks of all requests, and returns the rate limiter. Fastify runs hooks of one kind in the order in which they were added:
 *
 *   onRequest      1 headers         first, so that every response has them, also a rejection
 *                  2 admission       before all that costs time: a request in a queue has done nothing yet
 *                  3 connections     before any hook that trusts headers: Node may have dropped some of too many
 *                  4 origin          before authentication: needs no database, and preflight requests have no credential
 *                  5 close           503 while the server closes, before the database is read
 *                  6 authentication  last, since only it reads the database; its caller is the key of the rate limit
 *   preParsing     2 admission       releases the slot while the body is still coming
 *   preValidation  2 admission       takes a slot again
 *   onSend         2 admission       releases the slot: the handler is done with the database
 *                  3 connections     limits unread responses, and may replace the response by a 503
 *                  5 close           Connection: close
 *                  7 audit           last, since it records the final status, and may wait for its write
 *   onResponse     2 admission       for hijacked replies, which skip onSend
 *                  8 log, metrics    when the response is complete
 *
 * All take callbacks: an async hook costs each request a microtask more.
 */
export function addHooks(server: FastifyInstance, deps: HookDeps): RateLimiter {
  const { authenticator, metrics, log } = deps
  server.addHook('onRequest', (request, reply, done) => {
    deps.onRequest()
    deps.setHeaders(request, reply)
    done()
  })
  admitRequests(server, deps.admission, { log, onRejected: () => metrics.refused('pressure') })
  limitConnections(server, deps.connectionLimits, {
    isNear: nearPeers(deps.trusts),
    isExempt: (socket) => authenticator.isTrusted(socket),
    onDropped: () => metrics.refused('connections'),
  })
  addOriginCheck(server, deps)
  closeGracefully(server)
  const rateLimiter = addAuthentication(server, deps)
  const audit = recordAudit(server, deps)
  server.addHook('onClose', () => audit.flush())
  addMeasurements(server, deps)
  return rateLimiter
}

function addOriginCheck(server: FastifyInstance, deps: HookDeps): void {
  const { cors } = deps
  const checkOrigin = createOriginCheck(deps)
  server.addHook('onRequest', (request, reply, done) => {
    try {
      checkOrigin(request)
      if (!cors?.respondToPreflight(request, reply)) done()
    } catch (error) {
      done(error as Error)
    }
  })
}

function addAuthentication(server: FastifyInstance, deps: HookDeps): RateLimiter {
  server.decorateRequest('caller', null)
  server.decorateRequest('needed', null)
  server.decorateRequest('actor', {
    getter() {
      return actorOf(this)
    },
  })
  const { authenticator, metrics, rateLimit } = deps
  const rateLimiter = createRateLimiter({ perMinute: rateLimit, onRejected: () => metrics.refused('rate') })
  server.addHook('onRequest', (request, reply, done) =>
    authenticator.authenticate(request, reply, (rejection) => {
      try {
        countRequest(rateLimiter, deps, request, reply, rejection)
        done(rejection)
      } catch (error) {
        if (error instanceof Problem) sendProblemDirectly(error, request, reply)
        else done(error as Error)
      }
    }),
  )
  return rateLimiter
}

/**
 * Counts a request against its token or session, or else its address. Call it after authentication, also of a rejected request.
 * @throws Problem `rate-limited`
 */
function countRequest(
  rateLimiter: RateLimiter,
  { rateLimit, isOpen }: Pick<HookDeps, 'rateLimit' | 'isOpen'>,
  request: FastifyRequest,
  reply: FastifyReply,
  rejection: Error | undefined,
): void {
  const { caller, ip, routeOptions } = request
  if (rateLimit === 0 || routeOptions.config.bypassLimits || caller?.by?.kind === 'socket') return
  const by = caller?.by
  if (by?.id != null) rateLimiter.request(reply, { key: `${by.kind}:${by.id}`, isKnown: true })
  // Without login each address is a caller of its own.
  else rateLimiter.request(reply, { key: addressKey(ip), isKnown: isOpen })
  const isWrong = rejection instanceof Problem && rejection.kind === 'unauthorized'
  if (isWrong && hasCredential(request)) rateLimiter.failure(ip)
}

function addMeasurements(server: FastifyInstance, { log, metrics }: HookDeps): void {
  if (log.isLevelEnabled('debug'))
    server.addHook('onResponse', (request, reply, done) => {
      const { id, method, url } = request
      log.debug({ reqId: id, method, url: redactPath(url), status: reply.statusCode, ms: reply.elapsedTime })
      done()
    })
  server.addHook('onResponse', (request, reply, done) => {
    metrics.answered(request.method, request.routeOptions.url ?? 'none', reply.statusCode, reply.elapsedTime)
    done()
  })
}
