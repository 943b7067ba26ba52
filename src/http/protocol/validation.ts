import { isUtf8 } from 'node:buffer'
import { Ajv } from 'ajv'
import type { FastifyInstance, FastifyRequest, FastifySchemaCompiler, FastifyServerOptions } from 'fastify'
import { Problem } from '#core/problem.ts'
import { createCallQueue, type EventLoop, eventLoop, everySecondTurn } from '#http/limits/fair-queue.ts'
import { variantFor } from '#http/variants.ts'
import { jsonShapeFault } from './json-shape.ts'

/** Parses and validates bodies, queries and parameters strictly: nothing is converted or dropped. */

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>
interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly type?: string; readonly items?: ObjectSchema }>>
  /** The forms that a body may have. */
  readonly oneOf?: readonly ObjectSchema[]
  readonly required?: readonly string[]
}

/**
 * The size above which a body is large. For large bodies only the first error is reported: listing those of 1 MiB takes 0.9 s, which would
 * delay reminders. They are parsed in a queue of their own, one in two turns of the event loop. So the bodies of 16 connections cause 16
 * short stalls, not one long one.
 */
const largeBytes = 64 * 1024
const largeBodies = new WeakSet<object>()
/** The number of large bodies that may wait to be parsed, each of up to 1 MiB. */
const maxWaiting = 64
/** The share of a turn. A body that takes longer is the only one in its turn. */
const largeShareMs = 4

type Parsed = (error: Error | null, value?: unknown) => void

/**
 * Accepts only uncompressed JSON in UTF-8, without prototype poisoning, and not too deep. Fastify's own parser replaces invalid bytes by
 * U+FFFD.
 * @param loop replaced in tests
 */
export function readJsonStrictly(server: FastifyInstance, loop: EventLoop = eventLoop) {
  const parseJson = server.getDefaultJsonParser('error', 'error')
  const queue = createCallQueue(largeShareMs, everySecondTurn(loop))

  const parse = (request: FastifyRequest, body: Buffer, done: Parsed) => {
    if (!isUtf8(body)) return done(new Problem('malformed', 'The body is not UTF-8.'))
    const fault = jsonShapeFault(body)
    if (fault) return done(fault)
    const text = body.toString('utf8')
    parseJson(request, text, (error, value) => {
      if (error) return done(new Problem('malformed', parseErrorDetail(text)))
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
        return done(
          new Problem('unsupported-media-type', `The server does not accept ${name}. Send the body uncompressed.`),
        )
      }
      if (body.length === 0) return done(new Problem('malformed', 'The body is empty, but its Content-Type is JSON.'))
      if (body.length <= largeBytes) return parse(request, body, done)
      if (queue.length >= maxWaiting) return done(new Problem('unavailable', tooManyLarge, { retryAfterMs: 2_000 }))
      queue.push(() => {
        // The client may have left while its body waited.
        if (!request.raw.socket.destroyed) parse(request, body, done)
      })
    },
  )
}

const tooManyLarge = 'Too many large bodies wait to be read. Send this one again later, or send less in one request.'

/** Fastify has one message for invalid JSON and for prototype poisoning. */
function parseErrorDetail(text: string): string {
  try {
    JSON.parse(text)
    return 'The body has a member __proto__ or constructor.prototype, which is not allowed.'
  } catch (error) {
    return `The body is not JSON: ${(error as Error).message}.`
  }
}

/** An option of the server: otherwise Fastify would load its own compilers. */
export function strictCompilers(): Compilers {
  return {
    // Fastify's type fits only its own compiler, which is called in another way.
    buildValidator: checkStrictly as unknown as NonNullable<Compilers['buildValidator']>,
    // JSON.stringify of V8 is faster than a serializer compiled from the schema (1.1 µs against 2.4 for a task), and omits nothing that
    // a schema lacks. Tests check responses against their schemas.
    buildSerializer: () => () => JSON.stringify,
  }
}

// Shared by all servers of a process, so that the tests compile each schema once.
const settings = {
  strict: false,
  validateSchema: false, // openapi.json, generated from them, is linted; validating costs 40 ms at startup
  verbose: true,
  removeAdditional: false,
  useDefaults: true,
  coerceTypes: false,
  addUsedSchema: false, // a schema with an $id may be part of another: a draft of a list of drafts
} as const
const all = new Ajv({ ...settings, allErrors: true })
const first = new Ajv({ ...settings, allErrors: false })

/**
 * Bodies are validated unchanged: Fastify's defaults turn `["a"]` into `"a"` and null into "", and drop unknown members. Only queries and
 * parameters, which are all text, are converted to integers where the schema has one. Rejected: Ajv's conversion. It reads `0x1`, `1e0`,
 * ` 1` and `01` as numbers too, so a mistyped path would name, and a DELETE remove, some task.
 */
function checkStrictly(): FastifySchemaCompiler<ObjectSchema> {
  return ({ schema, httpPart }) => {
    // Compiled at the first request: compiling those of all 59 operations took a sixth of the startup.
    const check = lazy(() => all.compile(schema))
    if (httpPart === 'body') {
      const variants = (schema.oneOf ?? [schema]).map(itemsByVariant)
      const checks = variants.map((variant) => lazy(() => all.compile(variant)))
      const quickChecks = variants.map((variant) => lazy(() => first.compile(variant)))
      return (body: unknown) => {
        const isLarge = typeof body === 'object' && body !== null && largeBodies.has(body)
        const validate = (isLarge ? quickChecks : checks)[variantFor(variants, body)]?.() ?? check()
        return validate(body) || { error: (validate.errors ?? []).filter(({ keyword }) => keyword !== 'if') }
      }
    }
    const integers = Object.entries(schema.properties ?? {}).filter(([, { type }]) => type === 'integer')
    return (texts: Record<string, unknown>) => {
      for (const [name] of integers) {
        const text = texts[name]
        if (typeof text === 'string' && /^(?:0|-?[1-9]\d*)$/.test(text)) texts[name] = Number(text)
      }
      return check()(texts) || { error: check().errors ?? [] }
    }
  }
}

/**
 * A body with lists whose items have one of two forms: an item is validated against the form that it is for, by the rule of `variantFor`.
 * By `oneOf` the errors would be those of both forms.
 */
function itemsByVariant(schema: ObjectSchema): ObjectSchema {
  const properties = Object.entries(schema.properties ?? {}).map(([name, member]) => {
    const [main, variant, ...more] = member.items?.oneOf ?? []
    if (!main || !variant) return [name, member]
    if (more.length > 0) throw new Error(`items of ${name} have more than two forms`)
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    const items = { if: { required: variant.required?.slice(0, 1) }, then: variant, else: main }
    return [name, { ...member, items }]
  })
  return schema.properties ? { ...schema, properties: Object.fromEntries(properties) } : schema
}

function lazy<T>(create: () => T): () => T {
  let value: T | undefined
  return () => (value ??= create())
}
