import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Context } from '#actions/context.ts'
import type { Operation } from '#api/operation.ts'
import { type OperationId, operations } from '#api/operations.ts'
import { NotModified } from '#api/schemas/task.ts'
import { invalidMember } from '#core/problem.ts'
import type { Call, Result } from '#operations/call.ts'
import { requireMore } from './auth/authenticate.ts'
import { parseAcceptLanguage } from './protocol/accept-language.ts'
import { isNotModified, parseConditions } from './protocol/conditional-requests.ts'
import { answerIdempotently, answerIdempotentlyInChunks, send } from './protocol/idempotency.ts'
import { parsePrefer } from './protocol/prefer.ts'
import { variantFor, withVariants } from './variants.ts'

type AnyHandler = ((call: Call<Operation>, prepared?: unknown) => Promise<Result<unknown>>) & {
  isChunked?: (body: unknown) => boolean
  prepare?: (call: Call<Operation>) => Promise<unknown>
}

/**
 * Adds a route for each operation with a handler. All that HTTP adds to an operation is here: parameters, conditional requests
 * (RFC 9110 section 13), preferences (RFC 7240), Idempotency-Key, ETag, Location and 304.
 */
export function bind(
  server: FastifyInstance,
  // biome-ignore lint/suspicious/noExplicitAny: each handler is typed by its operation where it is written
  handlers: { readonly [Id in OperationId]?: any },
  { ctx }: { ctx: Context },
): void {
  const all = Object.entries(handlers).map(([id, handler]): Bound => {
    return { operation: operations[id as OperationId], handler }
  })
  for (const bound of all) {
    if (bound.operation.variantOf !== undefined) continue
    const variants = all.filter(({ operation }) => operation.variantOf === bound.operation.id)
    bindRoute(server, [bound, ...variants], ctx)
  }
}

interface Bound {
  readonly operation: Operation
  readonly handler: AnyHandler
}

/** @param bound the operation of the route, and its variants */
function bindRoute(server: FastifyInstance, bound: readonly [Bound, ...Bound[]], ctx: Context): void {
  const [main, ...variants] = bound
  const bodies = bound.map(({ operation }) => operation.body ?? {})
  const handlerFor = (body: unknown) => (bound[variantFor(bodies, body)] ?? main).handler
  const operation = withVariants(
    main.operation,
    variants.map((variant) => variant.operation),
  )
  const { requestHeaders = [], responseHeaders = [] } = operation
  const isIdempotent = requestHeaders.includes('idempotency-key')
  const canBeSame = mayBeNotModified(operation)
  const hasPatch = responseHeaders.includes('accept-patch')

  async function handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const handler = handlerFor(request.body)
    const prepared = await handler.prepare?.(new RequestCall(request, ctx))
    if (!isIdempotent) return respond(request, reply, await handler(new RequestCall(request, ctx), prepared))
    const answer = async (inner: Context) => toAnswer(await handler(new RequestCall(request, inner), prepared))
    return handler.isChunked?.(request.body)
      ? answerIdempotentlyInChunks(ctx, request, reply, () => answer(ctx))
      : answerIdempotently(ctx, request, reply, answer)
  }

  function respond(request: FastifyRequest, reply: FastifyReply, result: Result<unknown>): FastifyReply {
    const { etag, isNotModified: isKnown = false } = result
    const isSame = isKnown || (canBeSame && etag !== undefined && isNotModified(request.headers, etag))
    if (!isSame) return send(reply, toAnswer(result))
    return reply.headers(headersOf(result)).code(304).send()
  }

  server.route({
    method: operation.method,
    url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    ...toRouteOptions(operation),
    ...(hasPatch && { onRequest: advertisePatchTypes }),
    ...(operation.isBodyOptional && { preValidation: fillBody }),
    ...(operation.method !== 'GET' && operation.body === undefined && { preHandler: refuseBody }),
    handler: handle,
  })
}

/** The options of a route, for authentication, validation and the description of the API. */
export function toRouteOptions(operation: Operation): Pick<RouteOptions, 'schema' | 'config'> {
  const { id, scope, summary, description, tag, params, query, body, isBodyOptional, response, media } = operation
  const { adminOnly, sessionOnly, requestHeaders, responseHeaders, problems, longRunning, isLarge } = operation
  return {
    config: { ...(longRunning && { longRunning: true }), ...(isLarge && { isLarge }) },
    schema: {
      operationId: id,
      scope,
      ...(adminOnly && { adminOnly }),
      ...(sessionOnly && { sessionOnly }),
      summary,
      ...(description !== undefined && { description }),
      tags: [tag],
      ...(params && { params }),
      ...(query && { querystring: query }),
      ...(body && { body }),
      ...(isBodyOptional && { isBodyOptional }),
      response: { 200: media ?? response, ...(mayBeNotModified(operation) && { 304: NotModified }) },
      ...(requestHeaders && { requestHeaders }),
      ...(responseHeaders && { responseHeaders }),
      ...(problems && { problems }),
    },
  }
}

/** Whether the operation may answer 304: only one that says so, since a client that reads its description would not expect it. */
const mayBeNotModified = ({ method, requestHeaders = [] }: Operation) =>
  method === 'GET' && requestHeaders.includes('if-none-match')

/**
 * Headers are parsed when the handler reads the member: most handlers read two or three members. A getter in an object literal was rejected:
 * creating such an object takes 2 µs of the 40 of a read, and one of this class 0.1. Handlers take the functions out of it.
 */
class RequestCall {
  readonly caller: never
  readonly params: never
  readonly query: never
  readonly body: never
  readonly collectionMatch: string | undefined
  readonly ctx: Context
  readonly prefers: Call<Operation>['prefers']
  readonly has: Call<Operation>['has']
  readonly requireScope: Call<Operation>['requireScope']
  readonly #headers: FastifyRequest['headers']

  constructor(request: FastifyRequest, ctx: Context) {
    const { headers } = request
    this.#headers = headers
    this.caller = request.caller as never
    this.params = request.params as never
    this.query = request.query as never
    this.body = request.body as never
    this.collectionMatch = headers['if-match']
    this.ctx = ctx
    this.prefers = (preference) => {
      const [name, value] = preference.split('=') as [string, string]
      return headers.prefer !== undefined && parsePrefer(headers.prefer).get(name) === value
    }
    this.has = (etag) => isNotModified(headers, etag)
    this.requireScope = (scope) => requireMore(request, scope)
  }

  get condition() {
    return parseConditions(this.#headers)
  }

  get languages() {
    return parseAcceptLanguage(this.#headers['accept-language'])
  }
}

function headersOf({ etag, location, contentLocation, applied, link, isSecret }: Result<unknown>) {
  return {
    ...(etag !== undefined && { etag }),
    ...(location !== undefined && { location }),
    ...(contentLocation !== undefined && { 'content-location': contentLocation }),
    ...(applied !== undefined && { 'preference-applied': applied }),
    ...(link !== undefined && { link }),
    ...(isSecret && { 'cache-control': 'no-store' }),
  }
}

const toAnswer = (result: Result<unknown>) => ({ headers: headersOf(result), body: result.body as object })

/** On every response of a path with PATCH (RFC 5789 section 3.1). Clients need it most with a 415. */
const advertisePatchTypes: NonNullable<RouteOptions['onRequest']> = (_, reply, done) => {
  reply.header('accept-patch', 'application/merge-patch+json')
  done()
}

/** Fastify validates an absent body against its schema. */
async function fillBody(request: FastifyRequest): Promise<void> {
  request.body ??= {}
}

/** Refuses a body that would be ignored: a DELETE with a list of ids must not delete everything. */
export async function refuseBody({ body }: FastifyRequest): Promise<void> {
  const isNothing = body === undefined || body === null || (typeof body === 'object' && Object.keys(body).length === 0)
  if (!isNothing) throw invalidMember('', 'is not read here')
}
