import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '#actions/context.ts'
import { type IdempotentResult, performIdempotently, performIdempotentlyInChunks } from '#actions/idempotent.ts'
import { Problem } from '#core/problem.ts'

/** A success before it is sent, in a form that can be kept and sent again. */
export interface Answer {
  readonly headers: Readonly<Record<string, string>>
  readonly body: object
}

export function send(reply: FastifyReply, { headers, body }: Answer): FastifyReply {
  return reply.headers(headers).send(body)
}

/**
 * Answers a POST. One that carries an Idempotency-Key is done once, whatever happens to its answer: whoever repeats it gets the
 * first one again, with `Idempotency-Replayed: true`. Without the header nothing is different from `send(reply, await act(ctx))`.
 *
 * @param act everything that it does, with the context that it is handed; what it throws is not kept
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
  return sendKept(
    reply,
    await performIdempotently(ctx, request.actor, keyOf(header, request), async (ctx) => toKept(await act(ctx))),
  )
}

/** The same for what works in chunks, as `performIdempotentlyInChunks` has it. */
export async function answerIdempotentlyInChunks(
  ctx: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  act: () => Promise<Answer>,
): Promise<FastifyReply> {
  const header = request.headers['idempotency-key']
  if (header === undefined) return send(reply, await act())
  return sendKept(
    reply,
    await performIdempotentlyInChunks(ctx, request.actor, keyOf(header, request), async () => toKept(await act())),
  )
}

const keyOf = (header: string | string[], request: FastifyRequest) => ({
  key: parseIdempotencyKey(header),
  fingerprint: fingerprint(request),
})

const toKept = ({ headers, body }: Answer) => ({ status: 200, headers, body: JSON.stringify(body) })

function sendKept(reply: FastifyReply, { record, isReplayed }: IdempotentResult): FastifyReply {
  if (isReplayed) reply.header('idempotency-replayed', 'true')
  return reply
    .code(record.status)
    .headers(record.headers)
    .header('content-type', 'application/json; charset=utf-8')
    .send(record.body)
}

/**
 * A string in quotes, as the draft has it (draft-ietf-httpapi-idempotency-key-header), or bare, as most write it; both are the
 * same key. Bare it is what a token may hold, and what base64 needs besides.
 * @throws Problem `malformed`
 */
export function parseIdempotencyKey(header: string | string[]): string {
  const [, quoted, bare] =
    /^ *(?:"((?:[ !#-[\]-~]|\\["\\])*)"|([!#$%&'*+.^_`|~0-9A-Za-z:/=-]+)) *$/.exec(String(header)) ?? []
  const key = quoted?.replaceAll(/\\(.)/g, '$1') ?? bare
  if (key === undefined || key === '' || key.length > maxKeyLength)
    throw new Problem(
      'malformed',
      `Idempotency-Key must be 1 to ${maxKeyLength} characters of ASCII, in quotes or bare.`,
      {
        faults: [{ at: { parameter: 'Idempotency-Key' }, detail: `must be 1 to ${maxKeyLength} characters of ASCII` }],
      },
    )
  return key
}

const maxKeyLength = 255

/** Headers by which the same body means something else. */
const meaningful = ['if-match', 'if-none-match', 'prefer'] as const

/**
 * The same for two requests that mean the same: method, path, those headers, and the body as it was understood, not its bytes: a
 * client that writes its members in another order the second time repeats itself all the same.
 */
function fingerprint({ method, url, headers, body }: FastifyRequest): string {
  const parts = [method, url, ...meaningful.map((name) => headers[name] ?? null), body ?? null]
  return createHash('sha256').update(JSON.stringify(parts, sortMembers)).digest('hex')
}

function sortMembers(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
