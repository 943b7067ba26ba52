import { STATUS_CODES } from 'node:http'
import type { ProblemKind } from '#core/problem.ts'
import { problemReference } from '#http/pages/problems.ts'
import { problemTypes } from '#http/protocol/problem.ts'
import type { TSchema } from '#json-schema.ts'
import {
  type Answer,
  type Document,
  type Media,
  type Operation,
  optionalExample,
  type Parameter,
  type Ref,
  type Schema,
} from './document.ts'
import { namedShapes, type Route } from './routes.ts'
import { createSchemas } from './schemas.ts'
import { describeWebhooks } from './webhooks.ts'
import {
  answerHeaders,
  headerName,
  info,
  problemShape,
  requestHeaders,
  securitySchemes,
  servers,
  tags,
} from './words.ts'

/**
 * The document, from what the routes say. Without examples: those come from a real run (tell.ts).
 *
 *   routes ──describe──▶ document ──tell──▶ document with examples ──▶ openapi.json
 *   words  ──┘             story ──┘
 */
export async function describe(routes: readonly Route[], version: string): Promise<Document> {
  const named = await namedShapes()
  const { toSchema, components } = createSchemas(new Map([...named, ['Problem', problemShape]]))
  toSchema({ $ref: 'Problem' })
  const usedHeaders = new Set<string>()
  const usedParameters = new Set<string>()
  const usedKinds = new Set<Kind>()
  const headerRefs = (names: readonly string[]) =>
    Object.fromEntries(
      names.map((name) => {
        usedHeaders.add(name)
        return [headerName(name), { $ref: `#/components/headers/${headerName(name)}` }]
      }),
    )

  function parametersOf({ schema }: Route): (Parameter | Ref)[] {
    const found: (Parameter | Ref)[] = []
    for (const place of ['path', 'query'] as const) {
      const shape = (place === 'path' ? schema.params : schema.querystring) as Schema | undefined
      for (const [name, member] of Object.entries((shape?.properties ?? {}) as Record<string, Schema>)) {
        const { description, ...rest } = toSchema(member)
        const required = place === 'path' || (shape?.required?.includes(name) && !('default' in rest))
        found.push({
          name,
          in: place,
          ...(required && { required }),
          ...(description && { description }),
          ...(required ? { schema: rest } : withExamples(rest)),
        })
      }
    }
    for (const name of schema.requestHeaders ?? []) {
      usedParameters.add(name)
      found.push({ $ref: `#/components/parameters/${headerName(name)}` })
    }
    return found
  }

  function answersOf(route: Route): Record<string, Answer | Ref> {
    const found: Record<string, Answer | Ref> = {}
    for (const [status, shape] of Object.entries((route.schema.response ?? {}) as Record<string, TSchema>)) {
      const byType =
        'content' in shape ? (shape.content as Record<string, Media>) : { 'application/json': { schema: shape } }
      const hasBody = Number(status) !== 204 && Number(status) !== 304
      found[status] = {
        description: STATUS_CODES[status] ?? status,
        headers: headerRefs([
          ...(status < '300' || status === '304' ? (route.schema.responseHeaders ?? []) : []),
          'x-request-id',
        ]),
        ...(hasBody && {
          content: Object.fromEntries(
            Object.entries(byType).map(([type, { schema }]) => [type, { schema: toSchema(schema) }]),
          ),
        }),
      }
    }
    for (const kind of kindsOf(route)) {
      usedKinds.add(kind)
      const { status } = problemTypes[kind]
      const name = componentName(kind)
      const own = found[status] as Answer | undefined
      // If the route answers this status in a form of its own as well (health), both are documented.
      if (own) own.content = { ...own.content, 'application/problem+json': problemMedia }
      else found[status] = { $ref: `#/components/responses/${name}` }
    }
    return found
  }

  const paths: Document['paths'] = {}
  for (const route of routes) {
    const path = route.url.replace(/:(\w+)/g, '{$1}')
    const { operationId, summary = '', description, tags: own = [], body, isBodyOptional = false } = route.schema
    const parameters = parametersOf(route)
    const operation: Operation = {
      operationId,
      summary,
      description: [description, accessOf(route)].filter(Boolean).join('\n\n'),
      tags: [...own],
      security: securityOf(route),
      ...(parameters.length > 0 && { parameters }),
      ...(body !== undefined && {
        requestBody: { required: !isBodyOptional, content: bodyMedia(route.method, toSchema(body)) },
      }),
      responses: answersOf(route),
    }
    paths[path] = { ...paths[path], [route.method]: operation }
  }

  const webhooks = describeWebhooks(toSchema)
  const shown = Object.entries(requestHeaders).map(([name, header]) => [
    name,
    { ...header, ...withExamples(header.schema) },
  ])
  const parameters = Object.fromEntries(shown) as Record<string, Parameter>

  const pick = <T>(from: Record<string, T>, names: Set<string>) =>
    Object.fromEntries([...names].sort().map((name) => [headerName(name), from[name] as T]))
  const responses = Object.fromEntries(
    [...usedKinds].sort(byStatus).map((kind): [string, Answer] => {
      const { title, example } = problemReference(kind)
      const isWaiting = kind === 'unavailable' || kind === 'rate-limited'
      const isOfAccess = kind === 'unauthorized' || kind === 'forbidden'
      return [
        componentName(kind),
        {
          description: title,
          headers: headerRefs([
            ...(isWaiting ? ['retry-after'] : []),
            ...(isOfAccess ? ['www-authenticate'] : []),
            'x-request-id',
          ]),
          content: {
            'application/problem+json': {
              ...problemMedia,
              examples: { [kind]: { summary: title, value: example.problem } },
            },
          },
        },
      ]
    }),
  )

  const usedTags = new Set(routes.flatMap(({ schema }) => schema.tags ?? []))
  return {
    openapi: '3.1.1',
    info: { ...info, version },
    servers,
    security: [],
    tags: byWords([...usedTags]).map((name) => ({ name, description: tags[name] ?? '' })),
    paths,
    webhooks,
    components: {
      schemas: components(),
      parameters: pick(parameters, usedParameters),
      headers: pick(answerHeaders, usedHeaders),
      securitySchemes,
      responses,
    },
  }
}

/** The required permissions in words: a security scheme only names the mechanism. */
function accessOf({ schema: { scope, adminOnly, sessionOnly } }: Route): string {
  if (scope === undefined || scope === 'none') return 'Needs no authentication.'
  const who = `${adminOnly ? ' and the role of an administrator' : ''}${sessionOnly ? ', in a session' : ''}`
  return `Needs the scope \`${scope}\`${who}.`
}

function securityOf({ schema: { scope, sessionOnly } }: Route): Record<string, string[]>[] {
  if (scope === undefined || scope === 'none') return []
  // The empty requirement is first, since a server without login needs no more; both kinds of server have the same document.
  return [{}, ...(sessionOnly ? [] : [{ token: [scope] }]), { session: [] }]
}

/**
 * The schema of an optional parameter, and beside it the examples of it. In the schema, Scalar would fill the first one into the sample
 * request of /docs: If-Match would make each fail, and of the parameters of a list some exclude each other.
 */
function withExamples({ examples = [], ...schema }: Schema): Pick<Parameter, 'schema' | 'examples'> {
  const named = (examples as unknown[]).map((value, i) => [i === 0 ? 'default' : `other-${i}`, optionalExample(value)])
  return { schema, ...(named.length > 0 && { examples: Object.fromEntries(named) }) }
}

/** PATCH is where the other media type is expected. */
function bodyMedia(method: string, schema: Schema): Record<string, Media> {
  const json = { 'application/json': { schema } }
  return method === 'patch' ? { ...json, 'application/merge-patch+json': { schema } } : json
}

/** In the order of words.ts, then those without a text. */
function byWords(names: readonly string[]): string[] {
  const order = Object.keys(tags)
  return [...names].sort(
    (a, b) => (order.indexOf(a) + 1 || order.length + 1) - (order.indexOf(b) + 1 || order.length + 1),
  )
}

export type Kind = ProblemKind | 'internal'

const problemMedia: Media = { schema: { $ref: '#/components/schemas/Problem' } }

/**
 * The problems of an operation: those of its form, and those it names. 405, 408 and 431 belong to no operation (words.ts describes them
 * once).
 */
export function kindsOf({ method, schema }: Pick<Route, 'method' | 'schema'>): Kind[] {
  const kinds = new Set<Kind>([
    'malformed',
    'forbidden',
    'rate-limited',
    'internal',
    'unavailable',
    ...(schema.problems ?? []),
  ])
  if (schema.scope !== 'none') kinds.add('unauthorized')
  if (schema.params) kinds.add('not-found')
  if (method !== 'get') for (const kind of ['too-large', 'unsupported-media-type', 'invalid'] as const) kinds.add(kind)
  if (schema.requestHeaders?.includes('if-match')) kinds.add('stale')
  if (schema.requestHeaders?.includes('idempotency-key')) kinds.add('conflict')
  return [...kinds].sort(byStatus)
}

const byStatus = (a: Kind, b: Kind) => problemTypes[a].status - problemTypes[b].status

/** `not-found` as a component: `NotFound`. */
function componentName(kind: Kind): string {
  return kind.replace(/(?:^|-)[a-z]/g, (letter) => letter.slice(-1).toUpperCase())
}
