import { randomUUID } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Fault, formatFaults, nearest, Problem, type ProblemKind } from '#core/problem.ts'
import { redact, redactPath } from '#core/redact.ts'
import type { Task } from '#core/task.ts'
import { failureLogOf } from '#http/failure-log.ts'
import { formatBytes } from '#http/limits/body-limits.ts'
import { toTaskWire } from '#wire/task.ts'
import { securityHeaders } from './security-headers.ts'

/**
 * Problem ⇄ RFC 9457. Three sources of errors meet here and nowhere else: our Problems, Fastify's own, and the unexpected.
 */
export const answers: Record<ProblemKind | 'internal', { status: number; slug: string; title: string }> = {
  malformed: { status: 400, slug: 'malformed', title: 'The request cannot be understood' },
  unauthorized: { status: 401, slug: 'unauthorized', title: 'Who is asking is not known' },
  forbidden: { status: 403, slug: 'forbidden', title: 'Not allowed' },
  'not-found': { status: 404, slug: 'not-found', title: 'Not found' },
  'method-not-allowed': { status: 405, slug: 'method-not-allowed', title: 'Not a method of this resource' },
  conflict: { status: 409, slug: 'conflict', title: 'In conflict with what is there' },
  gone: { status: 410, slug: 'gone', title: 'Not kept any more' },
  stale: { status: 412, slug: 'stale', title: 'Changed since it was read' },
  'too-large': { status: 413, slug: 'too-large', title: 'Too large' },
  'unsupported-media-type': {
    status: 415,
    slug: 'unsupported-media-type',
    title: 'Not a media type that is read here',
  },
  invalid: { status: 422, slug: 'invalid', title: 'Unprocessable Content' },
  'rate-limited': { status: 429, slug: 'rate-limited', title: 'Too many requests' },
  internal: { status: 500, slug: 'internal', title: 'Something went wrong here' },
  unavailable: { status: 503, slug: 'unavailable', title: 'Not available just now' },
}

/** Answers any error, as application/problem+json. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error, request)
  const { status, slug, title } = answers[problem?.kind ?? 'internal']
  if (!problem) request.log.error({ err: error, reqId: request.id }, 'unexpected error')
  else if (status === 503 && problem.extras.cause)
    // else it is as it is meant to be
    failureLogOf(request.log).note(problem.extras.cause, request.id)
  const { faults, current, missing, retryAfterMs, allowed, scope } = problem?.extras ?? {}
  if (retryAfterMs !== undefined) reply.header('retry-after', String(Math.ceil(retryAfterMs / 1_000)))
  if (allowed) reply.header('allow', allowed.join(', '))
  if (status === 401 || scope !== undefined) reply.header('www-authenticate', challenge(request, scope))
  return reply
    .code(status)
    .header('content-type', 'application/problem+json')
    .header('cache-control', 'no-store')
    .send(
      JSON.stringify({
        type: `/problems/${slug}`,
        title,
        status,
        detail: redact(problem?.message ?? 'It was logged under this request_id.'),
        instance: redactPath(request.url),
        request_id: request.id,
        errors: faults?.slice(0, maxFaults).map(toFaultWire),
        missing,
        current: current === undefined ? undefined : toTaskWire(current as Task),
      }),
    )
}

/**
 * How to say who is asking, and what was wrong with how it was said (RFC 6750 section 3). To who has sent no token, or by another
 * scheme, no more than that tokens are what is taken here: section 3.1 has it so.
 */
function challenge({ headers }: FastifyRequest, scope: string | undefined): string {
  const realm = 'Bearer realm="Duebell"'
  if (scope !== undefined) return `${realm}, error="insufficient_scope", scope="${scope}"`
  return /^bearer\b/i.test(headers.authorization ?? '') ? `${realm}, error="invalid_token"` : realm
}

/** A caller's own words are repeated to him, since they are what is wrong; but no key, which he may have put in the wrong place. */
function toFaultWire({ at, detail }: Fault) {
  const place = 'pointer' in at ? { pointer: redact(at.pointer) } : { parameter: redact(at.parameter) }
  return { ...place, detail: redact(detail) }
}

/**
 * The same past Fastify's way of errors, its hooks and the log, with the headers that the reply has: 25 µs and not 55. For what is refused
 * by the thousand. Of the problem only what it is and when to come back is told.
 */
export function answerAtOnce({ kind, message, extras }: Problem, request: FastifyRequest, reply: FastifyReply): void {
  const { status, slug, title } = answers[kind]
  const { id } = request
  const instance = redactPath(request.url)
  const text = JSON.stringify({
    type: `/problems/${slug}`,
    title,
    status,
    detail: redact(message),
    instance,
    request_id: id,
  })
  const headers = reply.headers({
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'retry-after': String(Math.ceil((extras.retryAfterMs ?? 0) / 1_000)),
    'x-request-id': id,
  })
  reply.hijack()
  reply.raw.writeHead(status, headers.getHeaders() as OutgoingHttpHeaders).end(text)
}

/** Answers what Node could not read as a request, on the bare connection. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error)
    return
  }
  const [status, kind, detail] = unreadable[error.code ?? ''] ?? [400, 'malformed', 'This is not an HTTP request.']
  const { slug, title } = answers[kind]
  const id = randomUUID()
  const body = { type: `/problems/${slug}`, title, status, detail, instance: '', request_id: id }
  const text = JSON.stringify(body)
  socket.write(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/problem+json; charset=utf-8',
      `content-length: ${Buffer.byteLength(text)}`,
      `x-request-id: ${id}`,
      ...unreadableHeaders,
      'connection: close',
      '',
      text,
    ].join('\r\n'),
  )
  socket.destroySoon()
}

// Not imported: that would load undici; see src/channels/http-client.ts.
const { STATUS_CODES } = process.getBuiltinModule('node:http')
const unreadableHeaders = Object.entries({ ...securityHeaders, 'cache-control': 'no-store' }).map(
  ([name, value]) => `${name}: ${value}`,
)

const unreadable: Record<string, [status: number, ProblemKind, detail: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'malformed', 'The request did not arrive in time.'],
  HPE_HEADER_OVERFLOW: [431, 'too-large', 'The path and headers are larger than 16 KiB.'],
}

/** More than this many faults tell nobody anything. */
const maxFaults = 20

const fastifyKinds: Record<string, [ProblemKind, string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported-media-type', 'The body must be application/json.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed', 'The body is empty, though its type says JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['malformed', 'The body is not as long as its Content-Length says.'],
  FST_ERR_BAD_URL: ['malformed', 'The path cannot be decoded.'],
  FST_ERR_MAX_PARAM_LENGTH: ['not-found', 'There is no such resource.'],
}

function toProblem(error: unknown, { routeOptions }: FastifyRequest): Problem | undefined {
  if (error instanceof Problem) return error
  const { code, validation, validationContext, statusCode } = error as {
    code?: string
    validation?: ValidationFault[]
    validationContext?: string
    statusCode?: number
  }
  if (validation) {
    const faults = validation.slice(0, maxFaults).map((fault) => toFault(fault, validationContext === 'body'))
    // A path that names no possible id names nothing.
    if (validationContext === 'params') return new Problem('not-found', 'There is no such resource.')
    return new Problem(validationContext === 'body' ? 'invalid' : 'malformed', formatFaults(faults), { faults })
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new Problem('too-large', `The body is larger than ${formatBytes(routeOptions.bodyLimit)}.`, { cause: error })
  const known = code === undefined ? undefined : fastifyKinds[code]
  if (known) return new Problem(known[0], known[1], { cause: error })
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new Problem('malformed', (error as Error).message, { cause: error })
  return undefined
}

/** What Ajv says of one fault. */
interface ValidationFault {
  readonly keyword: string
  readonly instancePath: string
  readonly params: Record<string, unknown>
  readonly message?: string
  readonly parentSchema?: { readonly properties?: object }
}

function toFault({ keyword, instancePath, params, message, parentSchema }: ValidationFault, isBody: boolean): Fault {
  let path = instancePath
  let detail = message ?? 'is not valid'
  if (keyword === 'additionalProperties') {
    const name = String(params.additionalProperty)
    const near = nearest(name, Object.keys(parentSchema?.properties ?? {}))
    path += `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    detail = near ? `is not known; did you mean ${near}?` : 'is not known'
  } else if (keyword === 'required') {
    path += `/${String(params.missingProperty)}`
    detail = 'is missing'
  } else if (keyword === 'type') detail = `must be ${[params.type].flat().join(' or ')}`
  else if (keyword === 'enum') detail = `must be one of ${(params.allowedValues as unknown[]).join(', ')}`
  return { at: isBody ? { pointer: path } : { parameter: path.slice(1) }, detail }
}
