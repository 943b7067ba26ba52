import fc from 'fast-check'
import type { RequestHeader } from '#api/operation.ts'
import type { Schema } from '#openapi/document.ts'
import { type AnyOperation, membersOf } from '#openapi/operations.ts'
import { story } from '#openapi/story.ts'
import { requestHeaders } from '#openapi/words.ts'
import { anyText, anything, valuesOf } from './from-schema.ts'

/** A complete request, and its intended operation. */
export interface FuzzRequest {
  /** Undefined if it is meant for no operation. */
  readonly operation: string | undefined
  readonly method: string
  /** Path and query as sent; `{n}` is the id of an existing object, the n-th last one. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
}

/** The request in the syntax of HTTP. */
export function describeRequest({ method, target, headers, body }: FuzzRequest): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
  const text = body === undefined ? [] : [JSON.stringify(Buffer.from(body).toString('utf8')).slice(0, 500)]
  return [`${method} ${target}`, ...lines, ...text].join('\n')
}

/** Requests for operations, and some for none. */
export function requests(all: readonly AnyOperation[]): fc.Arbitrary<FuzzRequest> {
  const each = all.map((operation) => ({ weight: weightOf(operation), arbitrary: requestsOf(operation) }))
  return fc.oneof(...each, { weight: 8, arbitrary: strays(all) })
}

function weightOf({ method, path, params, query, body, requestHeaders }: AnyOperation): number {
  // Operations that delete everything leave others nothing to do, and a test of a channel adds little.
  if (method === 'DELETE' && !path.includes('{')) return 3
  const hasParameters = [params, query].some((one) => Object.keys(membersOf(one)).length > 0)
  return hasParameters || requestHeaders || body ? 12 : 2
}

/** Possible faults of a request. Mostly one at a time: of two, the first refusal would hide the other. */
type Part = 'path' | 'query' | 'headers' | 'body'

/** A parameter of a path or a query, or a header. */
type Parameter = readonly [name: string, schema: Schema]

function requestsOf({
  id,
  method,
  path,
  params,
  query,
  body,
  requestHeaders,
}: AnyOperation): fc.Arbitrary<FuzzRequest> {
  const inPath = Object.entries(membersOf(params))
  const inQuery = Object.entries(membersOf(query))
  const steps = story.filter((step) => step.operation === id && (step.status ?? 200) < 400)
  const examples = steps.flatMap((step) => (step.body === undefined ? [] : [step.body]))
  const right =
    body &&
    fc.oneof(
      { weight: 2, arbitrary: valuesOf(body) },
      ...(examples.length > 0 ? [{ weight: 3, arbitrary: fc.constantFrom(...examples) }] : []),
    )

  const make = (wrong: readonly Part[]) => {
    const isRight = (part: Part) => !wrong.includes(part)
    return fc
      .record({
        parts: fc.tuple(...inPath.map((one) => (isRight('path') ? rightPart : anyPart)(one))),
        pairs: (isRight('query') ? rightPairs : anyPairs)(inQuery),
        headers: headersOf(requestHeaders ?? [], isRight('headers')),
        body: bodiesOf(method, right, isRight('body')),
      })
      .map(({ parts, pairs, headers, body }) => {
        let i = 0
        const filled = path.replace(/\{\w+\}/g, () => parts[i++] as string)
        return {
          operation: id,
          method,
          target: pairs.length === 0 ? filled : `${filled}?${pairs.map((pair) => pair.join('=')).join('&')}`,
          headers: body === undefined && isRight('headers') ? withoutType(headers) : headers,
          body,
        }
      })
  }
  const faulty = fc.oneof(
    ...(inPath.length > 0 ? [{ weight: 2, arbitrary: make(['path']) }] : []),
    { weight: 2, arbitrary: make(['query']) },
    { weight: 2, arbitrary: make(['headers']) },
    ...(method === 'GET' ? [] : [{ weight: right ? 8 : 2, arbitrary: make(['body']) }]),
    { weight: 1, arbitrary: make(['path', 'query', 'headers', 'body']) },
  )
  return fc.oneof({ weight: 1, arbitrary: make([]) }, { weight: 2, arbitrary: faulty })
}

function withoutType({ 'content-type': _, ...rest }: Record<string, string>): Record<string, string> {
  return rest
}

const slot = fc.nat(19).map((n) => `{${n}}`)

function rightPart([name, schema]: Parameter): fc.Arbitrary<string> {
  if (schema.type === 'integer') return slot
  const any = valuesOf(schema).map((value) => encodeURIComponent(wellFormed(String(value))) || '-')
  // Names that one operation creates and another requests must match now and then.
  const example = story.find(({ path }) => path?.[name] !== undefined)?.path?.[name]
  return example === undefined ? any : fc.oneof(any, fc.constant(encodeURIComponent(String(example))))
}

function anyPart(parameter: Parameter): fc.Arbitrary<string> {
  const odd = fc.constantFrom(
    ...['0', '-1', '01', '1.0', '1e3', '0x1', '%31', '%20', '+1', 'null', 'NaN', '%00', '%zz', '%ff', '..', '%2e%2e'],
    ...['9007199254740991', '9007199254740992', '99999999999999999999', '1%2f2', "1'--", '1'.repeat(301)],
  )
  return fc.oneof({ weight: 8, arbitrary: rightPart(parameter) }, odd, segment)
}

const segment = anyText.map((text) => encodeURIComponent(wellFormed(text)) || '-')

type Pairs = readonly (readonly [string, string])[]

function rightPairs(query: readonly Parameter[]): fc.Arbitrary<Pairs> {
  const each = query.map(([name, schema]) => {
    const value = valuesOf(schema).map((one) =>
      [one].flat().map((item) => [name, encodeURIComponent(wellFormed(String(item)))] as const),
    )
    return fc.oneof(fc.constant([]), value)
  })
  return fc.tuple(...each).map((all) => all.flat())
}

function anyPairs(query: readonly Parameter[]): fc.Arbitrary<Pairs> {
  const names = query.map(([name]) => name)
  const name = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...names, ...names, ...names, 'limt', 'id', 'toString', '__proto__') },
    segment,
  )
  const value = fc.oneof(
    fc.constantFrom(
      '',
      '0',
      '1',
      '-1',
      '1e3',
      '0x1',
      '%201',
      '01',
      '1,2',
      'null',
      '[]',
      '%00',
      '%zz',
      '%ff',
      '9'.repeat(30),
    ),
    fc.integer().map(String),
    segment,
    fc.nat(5_000).map((length) => 'a'.repeat(length)),
  )
  const more = fc.array(fc.tuple(name, value), { maxLength: 3 })
  // Valid names stay among them, so that a name comes twice, and an invalid one beside valid ones.
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: rightPairs(query) },
    { weight: 1, arbitrary: fc.tuple(rightPairs(query), more).map((both) => both.flat()) },
  )
}

/** The characters that HTTP allows in a value: others never leave Node. */
const headerText = fc
  .array(fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff })), { maxLength: 20 })
  .map((codes) => String.fromCharCode(...codes))

function headersOf(names: readonly RequestHeader[], isRight: boolean) {
  const own = names.map((name): [string, fc.Arbitrary<string>] => {
    const right = valuesOf(requestHeaders[name].schema).map((value) => String(value).replace(/[^\x20-\x7e]/g, ''))
    const version = fc.oneof(
      { weight: 3, arbitrary: fc.constant('*') },
      fc.nat(4).map((n) => `"${n}"`),
    )
    const wrong = fc.oneof(fc.constantFrom('*', 'W/"1"', '"1", "2"', '""', '1', '"x"'), headerText)
    const values = name === 'if-match' || name === 'if-none-match' ? version : right
    return [name, isRight ? values : fc.oneof({ weight: 3, arbitrary: values }, wrong)]
  })
  const type = fc.constantFrom('application/json', 'application/merge-patch+json')
  const strangeType = fc.oneof(
    fc.constantFrom(
      'text/plain',
      'application/xml',
      'multipart/form-data; boundary=x',
      'application/json; charset=utf-16',
      '*/*',
      'json',
      '',
    ),
    headerText,
  )
  const usual: Record<string, fc.Arbitrary<string>> = {
    ...Object.fromEntries(own),
    accept: fc.oneof(fc.constantFrom('application/json', 'text/html', '*/*'), ...(isRight ? [] : [headerText])),
    ...(!isRight && {
      'content-encoding': fc.constantFrom('gzip', 'br', 'identity', 'x'),
      traceparent: headerText,
      'idempotency-key': headerText,
      prefer: headerText,
    }),
  }
  return fc
    .tuple(
      fc.record(usual, { requiredKeys: [] }),
      isRight ? type : fc.oneof({ weight: 12, arbitrary: type }, strangeType),
    )
    .map(([given, contentType]): Record<string, string> => {
      // A few requests have an encoding; with more, no other fault would ever be reached.
      const { 'content-encoding': encoding, ...rest } = given
      const isEncoded = encoding !== undefined && rest.traceparent === undefined && rest.prefer === undefined
      return {
        ...rest,
        ...(isEncoded && { 'content-encoding': encoding }),
        'content-type': contentType,
      } as Record<string, string>
    })
}

function bodiesOf(method: string, right: fc.Arbitrary<unknown> | undefined, isRight: boolean) {
  const nothing = fc.constant(undefined)
  if (method === 'GET') return nothing
  const text = (value: unknown) => Buffer.from(JSON.stringify(value) ?? '')
  if (isRight) return right ? right.map(text) : nothing
  const nearly = right ? fc.oneof({ weight: 2, arbitrary: right }, { weight: 6, arbitrary: mutated(right) }) : anything
  const broken = nearly.chain((value) => brokenText(JSON.stringify(value) ?? ''))
  return fc.oneof(
    { weight: 12, arbitrary: nearly.map(text) },
    { weight: 2, arbitrary: broken },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 50 }) },
    { weight: right ? 1 : 8, arbitrary: nothing },
  )
}

/** A value with one change somewhere in it. */
function mutated(right: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const change = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('replace' as const), by: anything }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('add' as const), name: anyText, by: anything }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('nest' as const), depth: fc.nat(3_000) }) },
  )
  return fc.tuple(right, change, fc.nat(1_000)).map(([value, change, place]) => {
    const copy: unknown = structuredClone(value)
    // Every place that can be changed: the root, members, items.
    const places: { in: Record<string, unknown>; at: string }[] = []
    const root: Record<string, unknown> = { root: copy }
    const walk = (inside: Record<string, unknown>) => {
      for (const at of Object.keys(inside)) {
        places.push({ in: inside, at })
        const member = inside[at]
        if (typeof member === 'object' && member !== null) walk(member as Record<string, unknown>)
      }
    }
    walk(root)
    const { in: inside, at } = places[place % places.length] as (typeof places)[number]
    if (change.do === 'replace') inside[at] = change.by
    else if (change.do === 'remove') delete inside[at]
    else if (change.do === 'nest') inside[at] = nested(change.depth)
    else {
      const member = inside[at]
      const target = typeof member === 'object' && member !== null ? (member as Record<string, unknown>) : inside
      Object.defineProperty(target, change.name, {
        value: change.by,
        enumerable: true,
        configurable: true,
        writable: true,
      })
    }
    return root.root === undefined ? null : root.root
  })
}

function nested(depth: number): unknown {
  let value: unknown = null
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value }
  return value
}

/** Invalid or unusual JSON. */
function brokenText(text: string): fc.Arbitrary<Uint8Array> {
  const bytes = Buffer.from(text)
  const at = fc.nat(bytes.length)
  return fc.oneof(
    at.map((end) => bytes.subarray(0, end)),
    fc
      .tuple(at, fc.nat(255))
      .map(([i, byte]) => Buffer.concat([bytes.subarray(0, i), Buffer.of(byte), bytes.subarray(i)])),
    fc
      .constantFrom(
        ...[`${text}${text}`, `﻿${text}`, `[${text}`, text.replaceAll('"', "'"), text.replaceAll(':', ':\n\t ')],
        ...[text.replace('{', '{"__proto__":{"a":1},'), text.replace('{', '{"title":1,"title":"x",'), '"\\ud800"'],
        ...['{"title":"\\ud800"}', '{"title":"a\\u0000b"}', '{"title":1e400}', '-', '0123', 'NaN', '[1,]', '{"a"}'],
      )
      .map((odd) => Buffer.from(odd)),
    fc
      .constantFrom([0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf0, 0x9f])
      .map((wrong) => Buffer.concat([Buffer.from('{"title":"'), Buffer.from(wrong), Buffer.from('"}')])),
  )
}

/** Requests for no operation: unknown paths, and methods that a path does not have. */
function strays(all: readonly AnyOperation[]): fc.Arbitrary<FuzzRequest> {
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
  const known = new Map<string, Set<string>>()
  for (const { path, method } of all) known.set(path, (known.get(path) ?? new Set()).add(method))
  const wrongMethods = [...known].flatMap(([path, has]) =>
    methods.filter((method) => !has.has(method)).map((method) => [method, path.replace(/\{\w+\}/g, '{0}')] as const),
  )
  const nowhere = fc
    .tuple(fc.constantFrom(...methods), fc.array(segment, { minLength: 1, maxLength: 4 }))
    .map(([method, segments]) => [method, `/v0/${segments.join('/')}`] as const)
  return fc
    .tuple(
      fc.oneof(fc.constantFrom(...wrongMethods), nowhere),
      fc.option(fc.constant(Buffer.from('{}')), { nil: undefined }),
    )
    .map(([[method, target], body]) => ({
      operation: undefined,
      method,
      target,
      headers: body && method !== 'GET' ? { 'content-type': 'application/json' } : {},
      body: method === 'GET' ? undefined : body,
    }))
}

/** encodeURIComponent throws on an unpaired surrogate. */
const wellFormed = (text: string) => text.toWellFormed()
