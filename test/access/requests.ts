import type { TestContext } from 'node:test'
import type { Scope } from '#core/scope.ts'
import { keepAliveClient, type PlainResponse } from '#kit/http-requests.ts'
import { type Document, operationsOf, type Parameter, resolve, type Schema } from '#openapi/document.ts'
import type { Route } from '#openapi/routes.ts'

/** An operation of the API, and by what right it is asked. */
export interface Operation {
  readonly id: string
  /** `GET` */
  readonly method: string
  /** `/v1/tasks/{id}` */
  readonly path: string
  /** What the door asks for. */
  readonly scope: Scope | 'none'
  /** What this very request needs, where that is more. */
  readonly requiredScope?: Scope
  readonly adminOnly: boolean
  /** For people who have signed in, and no token. */
  readonly sessionOnly: boolean
  /** All that it can be told, by place and name: `path id`, `query cursor`, `body tags`, `header Idempotency-Key`. */
  readonly parameters: readonly string[]
  /** The first of its examples, where it takes a body. */
  readonly body?: unknown
}

/** What is sent. A body that is not said is the operation's example. */
export interface Sending {
  readonly path?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface AccessRequest {
  /** The id of the operation. */
  readonly operation: string
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

/** Every operation of the document, with what its route needs. */
export function operationsToCheck(document: Document, routes: readonly Route[]): Operation[] {
  const described = operationsOf(document)
  return routes.map(({ schema }) => {
    const { operationId: id, scope, adminOnly = false, sessionOnly = false } = schema
    const { method, path, operation } = described.get(id) ?? fail(`${id} is not in openapi.json`)
    if (scope === undefined) fail(`${id} does not say what it needs`)
    const parameters = (operation.parameters ?? []).map((one) => resolve<Parameter>(document, one))
    const media = operation.requestBody?.content['application/json']
    return {
      id,
      method: method.toUpperCase(),
      path,
      scope,
      adminOnly,
      sessionOnly,
      parameters: [
        ...parameters.map((one) => `${one.in} ${one.name}`),
        ...(media ? membersOf(document, media.schema).map((name) => `body ${name}`) : []),
      ],
      ...(media && { body: Object.values(media.examples ?? {})[0]?.value }),
    }
  })
}

function fail(words: string): never {
  throw new Error(words)
}

function membersOf(document: Document, from: Schema): string[] {
  const schema = resolve<Schema>(document, from)
  const parts = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])] as Schema[]
  return [...Object.keys(schema.properties ?? {}), ...parts.flatMap((part) => membersOf(document, part))]
}

/** As it goes out. */
export function toRequest(
  { id, method, path, body: example }: Operation,
  { path: parts = {}, query = {}, headers = {}, body = example }: Sending,
): AccessRequest {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parts[name] ?? fail(name)))
  const pairs = new URLSearchParams(query).toString()
  return {
    operation: id,
    method,
    target: pairs === '' ? filled : `${filled}?${pairs}`,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    body,
  }
}

export type Reply = PlainResponse

export type Send = (request: AccessRequest) => Promise<Reply>

export function sendTo(t: TestContext, url: string): Send {
  const send = keepAliveClient(t, url)
  return ({ body, ...request }) => send({ ...request, body: body === undefined ? undefined : JSON.stringify(body) })
}
