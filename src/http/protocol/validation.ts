import { isUtf8 } from 'node:buffer'
import { Ajv } from 'ajv'
import type { FastifyInstance, FastifyRequest, FastifySchemaCompiler, FastifyServerOptions } from 'fastify'
import { Problem } from '#core/problem.ts'
import { createLine, eventLoop, everySecond, type Turns } from '#http/limits/fair-queue.ts'
import { jsonShapeFault } from './json-shape.ts'

/** How bodies, queries and parameters are read: exactly, or not at all. */

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>
interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly type?: string }>>
}

/**
 * Bodies of more bytes than this. Of such a one only the first fault is told: a mebibyte of faults takes 0.9 s to list, and
 * the bell would wait for it. They are parsed in a line of their own, one in two turns of the event loop: what
 * 16 connections have sent is then not one stall, but 16 short ones.
 */
const largeBytes = 64 * 1024
const largeBodies = new WeakSet<object>()
/** Large bodies that wait to be parsed, each of up to 1 MiB. */
const maxWaiting = 64
/** Of a turn: a body takes longer or shorter, and is the only one where it takes longer. */
const largeShareMs = 4

type Parsed = (error: Error | null, value?: unknown) => void

/**
 * Only JSON, only UTF-8, only uncompressed, no prototype poisoning, not too deep. Fastify's own parser replaces invalid bytes by
 * U+FFFD.
 * @param turns another in tests
 */
export function readJsonStrictly(server: FastifyInstance, turns: Turns = eventLoop) {
  const parseJson = server.getDefaultJsonParser('error', 'error')
  const line = createLine<() => void>(
    { shareMs: largeShareMs, isOpen: () => true, serve: (work) => work() },
    everySecond(turns),
  )

  const parse = (request: FastifyRequest, body: Buffer, done: Parsed) => {
    if (!isUtf8(body)) return done(new Problem('malformed', 'The body is not UTF-8.'))
    const fault = jsonShapeFault(body)
    if (fault) return done(fault)
    const text = body.toString('utf8')
    parseJson(request, text, (error, value) => {
      if (error) return done(new Problem('malformed', whyUnread(text)))
      if (body.length > largeBytes && typeof value === 'object' && value !== null) largeBodies.add(value)
      done(null, value)
    })
  }

  server.removeAllContentTypeParsers()
  server.addContentTypeParser<Buffer>(
    ['application/json', 'application/merge-patch+json'],
    { parseAs: 'buffer' },
    (request, body, done) => {
      const encoding = request.headers['content-encoding']
      if (encoding !== undefined && encoding !== 'identity') {
        const name = /^[a-z]{1,10}$/i.test(encoding) ? `the encoding ${encoding}` : 'this encoding'
        return done(new Problem('unsupported-media-type', `A body in ${name} is not read here: send it as it is.`))
      }
      if (body.length === 0) return done(new Problem('malformed', 'The body is empty, though its type says JSON.'))
      if (body.length <= largeBytes) return parse(request, body, done)
      if (line.length >= maxWaiting) return done(new Problem('unavailable', tooManyLarge, { retryAfterMs: 2_000 }))
      line.enter(() => {
        // A client that went while it waited is not there to be answered.
        if (!request.raw.socket.destroyed) parse(request, body, done)
      })
    },
  )
}

const tooManyLarge = 'Too many large bodies wait to be read just now. Send this one again, or send less at a time.'

/** Fastify says the same of a body that is no JSON and of one that is poison. */
function whyUnread(text: string): string {
  try {
    JSON.parse(text)
    return 'The body has a member __proto__ or constructor.prototype, which is not read here.'
  } catch (error) {
    return `The body is not JSON: ${(error as Error).message}.`
  }
}

/** Handed over when the server is made: Fastify would load its own of each kind else. */
export function strictCompilers(): Compilers {
  return {
    // Fastify's type is that of the compiler it brings, which is called in another way.
    buildValidator: checkStrictly as unknown as NonNullable<Compilers['buildValidator']>,
    // JSON.stringify of V8 is faster than a serializer made from the schema here (1.1 µs against 2.4 for a task), and it cannot
    // leave out what a schema forgot. That answers match their schemas is a test's business.
    buildSerializer: () => () => JSON.stringify,
  }
}

/**
 * Bodies are taken as they are: Fastify's defaults turn `["a"]` into `"a"` and null into "", and drop unknown members. Only
 * queries and parameters, which are all text, are read as numbers where one is wanted. Not by Ajv: to it `0x1`, `1e0`, ` 1`
 * and `01` are numbers too, so that a mistyped path would name, and a DELETE take, some task.
 */
function checkStrictly(): FastifySchemaCompiler<ObjectSchema> {
  const settings = {
    strict: false,
    validateSchema: false, // openapi.json, which is made of them, is linted: 40 ms of a start
    verbose: true,
    removeAdditional: false,
    useDefaults: true,
    coerceTypes: false,
  } as const
  const all = new Ajv({ ...settings, allErrors: true })
  const first = new Ajv({ ...settings, allErrors: false })
  return ({ schema, httpPart }) => {
    // When first asked: to compile those of all 59 operations was a sixth of a start.
    const check = once(() => all.compile(schema))
    if (httpPart === 'body') {
      const quick = once(() => first.compile(schema))
      return (body: unknown) => {
        const isLarge = typeof body === 'object' && body !== null && largeBodies.has(body)
        const one = isLarge ? quick() : check()
        return one(body) || { error: one.errors ?? [] }
      }
    }
    const wanted = Object.entries(schema.properties ?? {}).filter(([, { type }]) => type === 'integer')
    return (texts: Record<string, unknown>) => {
      for (const [name] of wanted) {
        const text = texts[name]
        if (typeof text === 'string' && /^(?:0|-?[1-9]\d*)$/.test(text)) texts[name] = Number(text)
      }
      return check()(texts) || { error: check().errors ?? [] }
    }
  }
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}
