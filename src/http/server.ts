import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
  type RouteOptions,
} from 'fastify'
import type { Logger } from 'pino'
import type { ChannelContext } from '#actions/channels.ts'
import type { LongContext } from '#actions/context.ts'
import type { ActionLinks } from '#actions/links.ts'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { redactPath } from '#core/redact.ts'
import type { Defaults } from '#core/reminder.ts'
import { limits } from '#core/task.ts'
import type { ChangeStream } from '#events/change-stream.ts'
import { changeOperations } from '#operations/changes.ts'
import { channelOperations, settingsOperations } from '#operations/channels.ts'
import { notificationOperations } from '#operations/notifications.ts'
import { taskListOperations } from '#operations/task-list.ts'
import { taskOperations } from '#operations/tasks.ts'
import { tokenOperations } from '#operations/tokens.ts'
import { trashOperations } from '#operations/trash.ts'
import { userOperations } from '#operations/users.ts'
import { asProblem } from '#store/engine/unavailable.ts'
import type { Db } from '#store/schema.ts'
import { keepAudit } from './auth/audit.ts'
import { type Authenticator, actorOf } from './auth/authenticate.ts'
import type { Oidc } from './auth/oidc.ts'
import { bringsSecret } from './auth/session-cookie.ts'
import { bind } from './bind.ts'
import { admitRequests, openAdmission } from './limits/admission.ts'
import { limitBodies, maxPublicBodyBytes } from './limits/body-limits.ts'
import {
  type ConnectionLimits,
  connectionLimits,
  connectionOptions,
  limitConnections,
  nearPeers,
} from './limits/connections.ts'
import { addressKey, createRateLimiter, type RateLimiter } from './limits/rate-limit.ts'
import type { Certificate } from './listen/certificate.ts'
import { trustOf } from './listen/trusted-proxies.ts'
import { linkRoutes } from './pages/action-links.ts'
import { docsRoutes } from './pages/docs.ts'
import { problemRoutes } from './pages/problems.ts'
import { signInPageRoutes } from './pages/sign-in.ts'
import { createCors } from './protocol/cors.ts'
import { createOriginCheck } from './protocol/origin-check.ts'
import { answerAtOnce, answerUnreadable, sendProblem } from './protocol/problem.ts'
import { askForTls, securityHeaders } from './protocol/security-headers.ts'
import { readJsonStrictly, strictCompilers } from './protocol/validation.ts'
import { eventRoutes } from './routes/events.ts'
import { type Health, healthRoutes } from './routes/health.ts'
import { type Metrics, metricsRoutes } from './routes/metrics.ts'
import { oidcRoutes } from './routes/oidc.ts'
import { signInRoutes } from './routes/sign-in.ts'
import { userExportRoute } from './routes/user-export.ts'

export interface ServerParts {
  readonly db: Db
  readonly ctx: ChannelContext
  readonly links: ActionLinks
  /** What a browser subscribes with. */
  readonly webPushKey: string
  readonly trashDays: number
  readonly health: Health
  readonly metrics: Metrics
  readonly changeStream: ChangeStream
  readonly clock: Clock
  /** Spoken with TLS where it is there. */
  readonly certificate?: Certificate | undefined
  /** Only programs of this machine are answered: there is no login, and nobody else is to reach it. */
  readonly isForMachine: boolean
  readonly isSocket: boolean
  readonly authenticator: Authenticator
  /** There is no login: whoever reaches the server may do everything. */
  readonly isOpen: boolean
  /** By which people sign in as well; `name` is what its button says. */
  readonly provider: { readonly oidc: Oidc; readonly name: string; readonly newUsers: boolean } | null
  /** How people reach the server; empty where nobody has said it. */
  readonly publicUrl: string
  /** What holds for users who have not chosen. */
  readonly defaults: Defaults
  /** Requests a minute of one caller; 0 for as many as it likes. */
  readonly rateLimit: number
  /** Other than the usual. */
  readonly connections?: Partial<ConnectionLimits> | undefined
  readonly allowedHosts: readonly string[]
  readonly trustProxy: readonly string[]
  readonly corsOrigins: readonly string[]
  readonly log: Logger
  /** Told that a request has come. */
  readonly onAsked: () => void
  /** Told of every route: whoever describes the API listens here. */
  readonly onRoute?: (route: RouteOptions) => void
}

/** The HTTP server, not listening yet. */
export function createServer(parts: ServerParts): FastifyInstance {
  const { log, certificate } = parts
  const trusts = trustOf(parts.trustProxy)
  const gate = openAdmission()
  const connections = { ...connectionLimits, ...parts.connections }
  const options = connectionOptions(connections)
  // A missing Host is the guard's to refuse: Node's own answer says nothing.
  const node = { ...options.http, requireHostHeader: false }
  const server: FastifyInstance = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxPublicBodyBytes, // limitBodies raises it for routes that need a credential
    schemaController: { compilersFactory: strictCompilers() },
    // In UTF-16: a key may have 200 characters.
    routerOptions: { maxParamLength: 2 * limits.keyCharacters },
    ...options,
    // A handshake has the time that headers have.
    ...(certificate
      ? { https: { ...node, handshakeTimeout: connections.headersMs, ...certificate.options }, http: null }
      : { http: node }),
    // What goes wrong before there is a route: a path that cannot be decoded, a request that cannot be read.
    frameworkErrors: (error, request, reply) => {
      mark(request, reply)
      gate.refuse(() => sendProblem(error, request, reply))
    },
    clientErrorHandler: answerUnreadable,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // endPolitely answers in our own words
    genReqId: (request) => traceId(request.headers.traceparent) ?? randomUUID(),
    requestIdHeader: false,
    trustProxy: trusts ?? false,
  })
  // An Expect that nobody knows may be passed over (RFC 9110 section 10.1.1); Node would answer a bare 417.
  server.server.on('checkExpectation', (request, response) => server.server.emit('request', request, response))
  // Who did not come through the handshake cannot be told anything, and an answer that waits for its end waits for ever.
  server.server.prependListener('tlsClientError', (_, socket: Socket) => socket.destroy())

  // What failed in the database while reading; writes come as Problems already. An error with a status is of the request.
  server.setErrorHandler((error: object, request, reply) =>
    sendProblem('statusCode' in error ? error : asProblem(parts.db, error), request, reply),
  )
  server.setNotFoundHandler((request) => {
    throw new Problem('not-found', `There is nothing at ${redactPath(request.url)}.`)
  })

  // No logger a request: making one takes 2 µs, and the few lines that are written name the request themselves.
  server.setChildLoggerFactory((logger) => logger)
  const allowedOrigins = new Set(parts.corsOrigins)
  const cors = createCors(allowedOrigins)
  const mark = (request: FastifyRequest, reply: FastifyReply) => {
    reply.header('x-request-id', request.id).headers(securityHeaders)
    if (certificate) askForTls(request, reply)
    cors?.mark(request, reply)
  }
  // By callback: a hook that is async costs a microtask more, and each request passes all of them.
  server.addHook('onRequest', (request, reply, done) => {
    parts.onAsked()
    mark(request, reply)
    done()
  })
  admitRequests(server, gate, { log, onRefused: () => parts.metrics.refused('pressure') })
  limitConnections(server, connections, {
    isNear: nearPeers(trusts),
    isExempt: (socket) => parts.authenticator.isTrusted(socket),
    onDropped: () => parts.metrics.refused('connections'),
  })
  const guard = createOriginCheck({ ...parts, allowedOrigins, trusts })
  server.addHook('onRequest', (request, reply, done) => {
    try {
      guard(request)
      if (!cors?.answerPreflight(request, reply)) done()
    } catch (error) {
      done(error as Error)
    }
  })
  endPolitely(server)
  // Last of those that may refuse: whoever may not ask at all costs no look into the database.
  server.decorateRequest('caller', null)
  server.decorateRequest('needed', null)
  server.decorateRequest('actor', {
    getter() {
      return actorOf(this)
    },
  })
  const rates = createRateLimiter({ perMinute: parts.rateLimit, onRefused: () => parts.metrics.refused('rate') })
  server.addHook('onRequest', (request, reply, done) =>
    parts.authenticator.enter(request, reply, (refusal) => {
      try {
        countRequest(rates, parts, request, reply, refusal)
        done(refusal)
      } catch (error) {
        if (error instanceof Problem) answerAtOnce(error, request, reply)
        else done(error as Error)
      }
    }),
  )
  requireNeeds(server)
  if (log.isLevelEnabled('debug'))
    server.addHook('onResponse', (request, reply, done) => {
      const { id, method, url } = request
      log.debug({ reqId: id, method, url: redactPath(url), status: reply.statusCode, ms: reply.elapsedTime })
      done()
    })

  server.addHook('onResponse', (request, reply, done) => {
    parts.metrics.answered(request.method, request.routeOptions.url ?? 'none', reply.statusCode, reply.elapsedTime)
    done()
  })

  limitBodies(server)
  readJsonStrictly(server)

  if (parts.onRoute) server.addHook('onRoute', parts.onRoute)
  const audit = keepAudit(server, { ...parts, transact: parts.ctx.transact })
  server.addHook('onClose', () => audit.settle())
  const refuseOtherMethods = watchMethods(server)
  healthRoutes(server, parts)
  metricsRoutes(server, parts.metrics)
  const now = () => parts.clock.now()
  const stopping = new AbortController()
  server.addHook('preClose', async () => stopping.abort())
  const long: LongContext = { ...parts.ctx, signal: stopping.signal }
  const onUserChanged = () => parts.authenticator.forget()
  const deps = { ...parts, ctx: long, now, onUserChanged }
  bind(server, { ...taskOperations(parts), ...taskListOperations(deps), ...trashOperations(deps) }, parts)
  bind(server, { ...notificationOperations(deps), ...channelOperations(parts), ...settingsOperations(deps) }, parts)
  bind(server, { ...tokenOperations(deps), ...userOperations(deps), ...changeOperations(parts) }, parts)
  userExportRoute(server, parts)
  const provider = parts.provider?.name ?? null
  signInRoutes(server, { ...parts, rates, provider })
  signInPageRoutes(server, { provider })
  if (parts.provider) oidcRoutes(server, { ...parts, ...parts.provider })
  linkRoutes(server, deps)
  eventRoutes(server, parts)
  docsRoutes(server)
  problemRoutes(server)
  refuseOtherMethods()
  return server
}

/**
 * Counts a request against who asks: a token or session, or else an address. Once it is known who that is, and whether or not he may.
 * @throws Problem `rate-limited`
 */
function countRequest(
  rates: RateLimiter,
  { rateLimit, isOpen }: Pick<ServerParts, 'rateLimit' | 'isOpen'>,
  request: FastifyRequest,
  reply: FastifyReply,
  refusal: Error | undefined,
): void {
  const { caller, ip, routeOptions } = request
  if (rateLimit === 0 || routeOptions.config.isUrgent || caller?.by?.kind === 'socket') return
  const by = caller?.by
  if (by?.id != null) rates.request(reply, { key: `${by.kind}:${by.id}`, isKnown: true })
  // Where nobody says who he is, each address is a caller.
  else rates.request(reply, { key: addressKey(ip), isKnown: isOpen })
  const isWrong = refusal instanceof Problem && refusal.kind === 'unauthorized'
  if (isWrong && bringsSecret(request)) rates.failure(ip)
}

/** A route that forgets to say who may ask is found when it is written, and not by who asks. */
function requireNeeds(server: FastifyInstance) {
  server.addHook('onRoute', ({ method, url, schema }) => {
    if (schema?.needs === undefined) throw new Error(`${method} ${url} does not say what it needs`)
  })
}

/** How long requests that have begun may take to end, once the server is to close: what it owes to channels comes after. */
const closeGraceMs = 2_000

/**
 * While the server closes: what is underway is answered, and its connection ended by that, or a client that keeps it alive
 * would hold up the close for the keep-alive time; who asks now is sent away; who never ends a request is cut off.
 */
function endPolitely(server: FastifyInstance) {
  let isClosing = false
  let cutOff: NodeJS.Timeout | undefined
  // Not closeAllConnections: of TLS it knows those whose handshake is done, and the close would wait for one that never ends.
  const sockets = new Set<Socket>()
  server.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.addHook('preClose', async () => {
    isClosing = true
    cutOff = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, closeGraceMs)
  })
  server.addHook('onClose', async () => clearTimeout(cutOff))
  server.addHook('onRequest', (_, __, done) =>
    done(isClosing ? new Problem('unavailable', 'The server is stopping.', { retryAfterMs: 1_000 }) : undefined),
  )
  server.addHook('onSend', (_, reply, payload, done) => {
    if (isClosing) reply.header('connection', 'close')
    done(null, payload)
  })
}

/** W3C Trace Context: `00-<trace id>-<parent id>-<flags>`. The same id then stands in the caller's log and in ours. */
function traceId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string'
    ? /^00-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(header)?.[1]
    : undefined
}

/** Answers a method that a resource does not have by 405 with those it has (RFC 9110 section 15.5.6), once all are known. */
function watchMethods(server: FastifyInstance): () => void {
  const known = new Map<string, Set<string>>()
  server.addHook('onRoute', ({ url, method }) => {
    const found = known.get(url) ?? new Set()
    for (const one of [method].flat()) found.add(one)
    known.set(url, found)
  })
  return () => {
    for (const [url, found] of [...known]) {
      const allowed = [...found].sort()
      const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'].filter(
        (method) => !found.has(method),
      )
      if (others.length === 0) continue
      const detail = `This resource has ${allowed.join(', ')}.`
      server.route({
        method: others,
        url,
        schema: { hide: true, needs: 'nothing' },
        handler: async () => {
          throw new Problem('method-not-allowed', detail, { allowed })
        },
      })
    }
  }
}
