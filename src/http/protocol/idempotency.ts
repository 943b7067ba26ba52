import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '#actions/context.ts'
import { type IdempotentResult, performIdempotently, performIdempotentlyInChunks } from '#actions/idempotent.ts'
import { malformedParameter } from '#core/problem.ts'

/** A success in a form that can be stored and sent again. */
export interface Answer {
  readonly headers: Readonly<Record<string, string>>
  readonly body: object
}

export function send(reply: FastifyReply, { headers, body }: Answer): FastifyReply {
  return reply.headers(headers).send(body)
}

/**
 * Answers a POST. With an Idempotency-Key it is performed once: a repeated request receives the first response again, with
 * `Idempotency-Replayed: true`. Without the header this is `send(reply, await act(ctx))`.
 *
 * @param act performs the request with the context that it receives; errors are not stored
 * @throws Problem `malformed`, and those of `performIdempotently`
 */
export async function answerIdempotently(
  ctx: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  act: (ctx: Context) => Promise<Answer>,
): Promise<FastifyReply> {
  const header = request.headers['idempotency-key']
  if (header === undefined) return send(reply, await act(ctx))
  return sendRecord(
    reply,
    await performIdempotently(ctx, request.actor, keyOf(header, request), async (ctx) => toRecord(await act(ctx))),
  )
}

/** The same for requests of many transactions (`performIdempotentlyInChunks`). */
export async function answerIdempotentlyInChunks(
  ctx: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  act: () => Promise<Answer>,
): Promise<FastifyReply> {
  const header = request.headers['idempotency-key']
  if (header === undefined) return send(reply, await act())
  return sendRecord(
    reply,
    await performIdempotentlyInChunks(ctx, request.actor, keyOf(header, request), async () => toRecord(await act())),
  )
}

const keyOf = (header: string | string[], request: FastifyRequest) => ({
  key: parseIdempotencyKey(header),
  fingerprint: fingerprint(request),
})

const toRecord = ({ headers, body }: Answer) => ({ status: 200, headers, body: JSON.stringify(body) })

function sendRecord(reply: FastifyReply, { record, isReplayed }: IdempotentResult): FastifyReply {
  if (isReplayed) reply.header('idempotency-replayed', 'true')
  return reply
    .code(record.status)
    .headers(record.headers)
    .header('content-type', 'application/json; charset=utf-8')
    .send(record.body)
}

/**
 * A quoted string, as in the draft (draft-ietf-httpapi-idempotency-key-header), or a bare string, as most clients send it. Both are the same
 * key. A bare key may have the characters of a token, and those of base64.
 * @throws Problem `malformed`
 */
export function parseIdempotencyKey(header: string | string[]): string {
  const [, quoted, bare] =
    /^ *(?:"((?:[ !#-[\]-~]|\\["\\])*)"|([!#$%&'*+.^_`|~0-9A-Za-z:/=-]+)) *$/.exec(String(header)) ?? []
  const key = quoted?.replaceAll(/\\(.)/g, '$1') ?? bare
  if (key === undefined || key === '' || key.length > maxKeyLength)
    throw malformedParameter(
      'Idempotency-Key',
      `must be 1 to ${maxKeyLength} characters of ASCII`,
      `Idempotency-Key must be 1 to ${maxKeyLength} characters of ASCII, in quotes or bare.`,
    )
  return key
}

const maxKeyLength = 255

/** Headers that change the meaning of a body. */
const meaningful = ['if-match', 'if-none-match', 'prefer'] as const

/**
 * Equal for two requests with the same meaning: the same method, path, headers above and parsed body. The bytes are not compared, since a
 * client may repeat a request with its members in another order.
 */
function fingerprint({ method, url, headers, body }: FastifyRequest): string {
  const parts = [method, url, ...meaningful.map((name) => headers[name] ?? null), body ?? null]
  return createHash('sha256').update(JSON.stringify(parts, sortMembers)).digest('hex')
}

function sortMembers(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
