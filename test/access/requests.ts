import type { TestContext } from 'node:test'
import type { Scope } from '#core/scope.ts'
import { keepAliveClient, type PlainResponse } from '#kit/http-requests.ts'
import type { Schema } from '#openapi/document.ts'
import { allOperations, membersOf } from '#openapi/operations.ts'
import { story } from '#openapi/story.ts'
import { requestHeaders as described } from '#openapi/words.ts'

/** An operation of the API, and its required permission. */
export interface Operation {
  readonly id: string
  /** `GET` */
  readonly method: string
  /** `/v1/tasks/{id}` */
  readonly path: string
  /** The scope that authentication checks. */
  readonly scope: Scope | 'none'
  /** The scope that this very request needs, if it is a wider one. */
  readonly requiredScope?: Scope
  readonly adminOnly: boolean
  /** Only for sessions, not for tokens. */
  readonly sessionOnly: boolean
  /** All its parameters, by place and name: `path id`, `query cursor`, `body tags`, `header Idempotency-Key`. */
  readonly parameters: readonly string[]
  /** The first of its examples, if it has a body. */
  readonly body?: unknown
}

/** The content of a request. The default body is the operation's example. */
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

/** Every operation, with its required permission. */
export function operationsToCheck(): Operation[] {
  const names = (place: string, schema: Schema | undefined) =>
    Object.keys(membersOf(schema)).map((name) => `${place} ${name}`)
  return allOperations().map((operation) => {
    const { id, method, path, scope, adminOnly = false, sessionOnly = false, requestHeaders = [] } = operation
    const { params, query, body } = operation
    return {
      id,
      method,
      path,
      scope,
      adminOnly,
      sessionOnly,
      parameters: [
        ...names('path', params),
        ...names('query', query),
        ...requestHeaders.map((name) => `header ${described[name].name}`),
        ...names('body', body),
      ],
      ...(body && { body: exampleOf(id) }),
    }
  })
}

/** The first accepted body of an operation in the example scenario of the document. */
function exampleOf(id: string): unknown {
  return story.find(({ operation, body, status = 200 }) => operation === id && body !== undefined && status < 400)?.body
}

function fail(words: string): never {
  throw new Error(words)
}

/** The request as it is sent. */
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
