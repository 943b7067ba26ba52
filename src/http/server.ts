import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController, type RouteOptions } from 'fastify'
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
import { channelOperations } from '#operations/channels.ts'
import { notificationOperations } from '#operations/notifications.ts'
import { recurrenceOperations } from '#operations/recurrences.ts'
import { settingsOperations } from '#operations/settings.ts'
import { taskListOperations } from '#operations/task-list.ts'
import { taskTextOperations } from '#operations/task-texts.ts'
import { taskOperations } from '#operations/tasks.ts'
import { createTextReader } from '#operations/text-reader.ts'
import { tokenOperations } from '#operations/tokens.ts'
import { trashOperations } from '#operations/trash.ts'
import { userOperations } from '#operations/users.ts'
import { asProblem } from '#store/engine/unavailable.ts'
import type { Db } from '#store/schema.ts'
import type { Authenticator } from './auth/authenticate.ts'
import type { Oidc } from './auth/oidc.ts'
import { bind } from './bind.ts'
import { addHooks, type HookDeps } from './hooks.ts'
import { createAdmission } from './limits/admission.ts'
import { limitBodies, maxPublicBodyBytes } from './limits/body-limits.ts'
import { type ConnectionLimits, connectionLimits, connectionOptions } from './limits/connections.ts'
import type { RateLimiter } from './limits/rate-limit.ts'
import type { Certificate } from './listen/certificate.ts'
import { createTrust } from './listen/trusted-proxies.ts'
import { collectMethods } from './method-not-allowed.ts'
import { linkRoutes } from './pages/action-links.ts'
import { docsRoutes } from './pages/docs.ts'
import { problemRoutes } from './pages/problems.ts'
import { signInPageRoutes } from './pages/sign-in.ts'
import { type WebApp, webAppRoutes } from './pages/web-app.ts'
import { createCors } from './protocol/cors.ts'
import { handleClientError, sendProblem } from './protocol/problem.ts'
import { securityHeaders, setHsts } from './protocol/security-headers.ts'
import { readJsonStrictly, strictCompilers } from './protocol/validation.ts'
import { eventRoutes } from './routes/events.ts'
import { type Health, healthRoutes } from './routes/health.ts'
import { type Metrics, metricsRoutes } from './routes/metrics.ts'
import { oidcRoutes } from './routes/oidc.ts'
import { signInRoutes } from './routes/sign-in.ts'
import { userExportRoute } from './routes/user-export.ts'

export interface ServerDeps {
  readonly db: Db
  readonly ctx: ChannelContext
  readonly links: ActionLinks
  /** The key with which a browser subscribes to Web Push. */
  readonly webPushKey: string
  readonly trashDays: number
  readonly health: Health
  readonly metrics: Metrics
  readonly changeStream: ChangeStream
  readonly clock: Clock
  /** Where it is present, the server uses TLS. */
  readonly certificate?: Certificate | undefined
  /** There is no login and the server is on loopback: only programs on this machine may use it. */
  readonly isLocalOnly: boolean
  readonly isSocket: boolean
  readonly authenticator: Authenticator
  /** There is no login: every request may do everything. */
  readonly isOpen: boolean
  /** The OpenID Connect provider, if there is one; `name` is on its button. */
  readonly provider: { readonly oidc: Oidc; readonly name: string; readonly newUsers: boolean } | null
  /** The URL at which users reach the server; empty where it is not configured. */
  readonly publicUrl: string
  /** The defaults of users who have set none. */
  readonly defaults: Defaults
  /** Requests a minute of one caller; 0 for no limit. */
  readonly rateLimit: number
  /** Replaces some of the default limits. */
  readonly connections?: Partial<ConnectionLimits> | undefined
  readonly allowedHosts: readonly string[]
  readonly trustProxy: readonly string[]
  readonly corsOrigins: readonly string[]
  readonly log: Logger
  /** Called for every request. */
  readonly onRequest: () => void
  /** Called for every route: the API description is generated from them. */
  readonly onRoute?: (route: RouteOptions) => void
}

/** Creates the HTTP server; it does not listen yet. */
export function createServer(deps: ServerDeps): FastifyInstance {
  const { certificate } = deps
  const allowedOrigins = new Set(deps.corsOrigins)
  const cors = createCors(allowedOrigins)
  const hookDeps: HookDeps = {
    ...deps,
    transact: deps.ctx.transact,
    allowedOrigins,
    cors,
    trusts: createTrust(deps.trustProxy),
    admission: createAdmission(),
    connectionLimits: { ...connectionLimits, ...deps.connections },
    setHeaders(request, reply) {
      reply.header('x-request-id', request.id).headers(securityHeaders)
      if (certificate) setHsts(request, reply)
      cors?.setHeaders(request, reply)
    },
  }
  const server = createFastify(hookDeps, certificate)
  let webApp: WebApp | undefined
  handleErrors(server, deps.db, () => webApp)
  const rateLimiter = addHooks(server, hookDeps)
  requireScopes(server)
  limitBodies(server)
  readJsonStrictly(server)
  if (deps.onRoute) server.addHook('onRoute', deps.onRoute)
  const rejectOtherMethods = collectMethods(server)
  webApp = addRoutes(server, deps, rateLimiter)
  rejectOtherMethods()
  return server
}

function createFastify(deps: HookDeps, certificate: Certificate | undefined): FastifyInstance {
  const { admission, connectionLimits, setHeaders } = deps
  const options = connectionOptions(connectionLimits)
  // The origin check rejects a missing Host: Node's own response explains nothing.
  const node = { ...options.http, requireHostHeader: false }
  const server: FastifyInstance = fastify({
    loggerInstance: deps.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxPublicBodyBytes, // limitBodies raises it for routes that need a credential
    schemaController: { compilersFactory: strictCompilers() },
    // In UTF-16 code units: a key may have 200 characters.
    routerOptions: { maxParamLength: 2 * limits.keyCharacters },
    ...options,
    // A TLS handshake has the same timeout as headers.
    ...(certificate
      ? { https: { ...node, handshakeTimeout: connectionLimits.headersMs, ...certificate.options }, http: null }
      : { http: node }),
    // Errors before routing: a path that cannot be decoded.
    frameworkErrors: (error, request, reply) => {
      setHeaders(request, reply)
      admission.enqueueRejection(() => sendProblem(error, request, reply))
    },
    clientErrorHandler: handleClientError,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // closeGracefully responds with a problem document
    genReqId: (request) => traceId(request.headers.traceparent) ?? randomUUID(),
    requestIdHeader: false,
    trustProxy: deps.trusts ?? false,
  })
  // A server may ignore an unknown Expect (RFC 9110 section 10.1.1); Node would respond with a bare 417.
  server.server.on('checkExpectation', (request, response) => server.server.emit('request', request, response))
  // A client whose handshake failed can read no response, and a response would wait for ever.
  server.server.prependListener('tlsClientError', (_, socket: Socket) => socket.destroy())
  // No logger per request: creating one takes 2 µs, and the few lines that are logged name the request themselves.
  server.setChildLoggerFactory((logger) => logger)
  return server
}

function handleErrors(server: FastifyInstance, db: Db, webApp: () => WebApp | undefined): void {
  // Errors with a status are Fastify's. Writes throw Problems already; reads throw errors of the database.
  server.setErrorHandler((error: object, request, reply) =>
    sendProblem('statusCode' in error ? error : asProblem(db, error), request, reply),
  )
  server.setNotFoundHandler((request, reply) => {
    const page = webApp()?.notFound(request, reply)
    if (page) return page
    throw new Problem('not-found', `There is nothing at ${redactPath(request.url)}.`)
  })
}

/** A route that does not declare its scope fails at startup, not at a request. */
function requireScopes(server: FastifyInstance): void {
  server.addHook('onRoute', ({ method, url, schema }) => {
    if (schema?.scope === undefined) throw new Error(`${method} ${url} does not declare its scope`)
  })
}

function addRoutes(server: FastifyInstance, deps: ServerDeps, rateLimiter: RateLimiter): WebApp {
  const now = () => deps.clock.now()
  const stopping = new AbortController()
  server.addHook('preClose', async () => stopping.abort())
  const long: LongContext = { ...deps.ctx, signal: stopping.signal }
  const onUserChanged = () => deps.authenticator.invalidate()
  const all = { ...deps, ctx: long, now, onUserChanged }
  const provider = deps.provider?.name ?? null
  healthRoutes(server, deps)
  metricsRoutes(server, deps.metrics)
  const texts = createTextReader({ db: deps.db, now })
  const tasks = { ...taskOperations({ ...deps, texts }), ...taskTextOperations({ texts }) }
  bind(server, { ...tasks, ...recurrenceOperations(all) }, deps)
  bind(server, { ...taskListOperations(all), ...trashOperations(all) }, deps)
  bind(server, { ...notificationOperations(all), ...channelOperations(deps), ...settingsOperations(all) }, deps)
  bind(server, { ...tokenOperations(all), ...userOperations(all), ...changeOperations(deps) }, deps)
  userExportRoute(server, deps)
  signInRoutes(server, { ...deps, rates: rateLimiter, provider })
  signInPageRoutes(server, { provider })
  if (deps.provider) oidcRoutes(server, { ...deps, ...deps.provider })
  linkRoutes(server, all)
  eventRoutes(server, deps)
  docsRoutes(server)
  problemRoutes(server)
  return webAppRoutes(server, deps)
}

/** W3C Trace Context: `00-<trace id>-<parent id>-<flags>`. The caller's log and ours then have the same id. */
function traceId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string'
    ? /^00-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(header)?.[1]
    : undefined
}
