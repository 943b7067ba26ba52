import type { ProblemKind } from '#core/problem.ts'
import type { Scope } from '#core/scope.ts'
import type { Static, TSchema } from '#json-schema.ts'

/**
 * One operation of the API, defined once. Routes, `openapi.json`, the client, the access matrix and the fuzzer follow from it. Nothing here
 * knows Fastify or the store.
 */
export interface Operation {
  /** camelCase, unique; the client has a method of this name. */
  readonly id: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With parameters in braces: `/v1/tasks/{id}`. */
  readonly path: string
  /**
   * The id of the operation with which it shares method and path. A body with the first required member of its schema is for this one,
   * any other body for that one. In `openapi.json` they are one operation with two forms of a body: OpenAPI knows no other way.
   */
  readonly variantOf?: string
  /** The scope that a credential needs; `none`: everybody may ask. */
  readonly scope: Scope | 'none'
  /** For administrators of the server, and no other user. */
  readonly adminOnly?: true
  /** Only in a session: a bearer token is refused, since what it does would outlast the token. */
  readonly sessionOnly?: true
  /** Imperative, 3 to 8 words. */
  readonly summary: string
  readonly description?: string
  readonly tag: Tag
  readonly params?: TSchema
  readonly query?: TSchema
  readonly body?: TSchema
  /** A request without a body is one with an empty object. */
  readonly isBodyOptional?: true
  /** The body of a success. */
  readonly response: TSchema
  /** A success of other media types, as OpenAPI has it (`description`, `content`); then `response` is not described. */
  readonly media?: { readonly description: string; readonly content: Readonly<Record<string, { schema: TSchema }>> }
  /** Headers that it heeds, besides those of every request. With `if-none-match` a GET may be answered 304. */
  readonly requestHeaders?: readonly RequestHeader[]
  /** Headers of its success, besides those of every response. */
  readonly responseHeaders?: readonly ResponseHeader[]
  /** Why it in particular may refuse, besides what any request of its form may meet. */
  readonly problems?: readonly ProblemKind[]
  /** It waits for something outside, and so holds no slot of those that share the processor. */
  readonly longRunning?: true
  /** It may concern a million rows: clients wait minutes for its response, as for one that is longRunning. */
  readonly longTimeout?: true
  /** Whether this request takes the processor for long: such requests wait for each other. @param body undefined until it has arrived; not validated */
  readonly isLarge?: (query: Readonly<Record<string, unknown>>, body: unknown) => boolean
}

export type Tag = 'tasks' | 'trash' | 'tags' | 'notifications' | 'channels' | 'accounts' | 'events'
export type RequestHeader =
  | 'if-match'
  | 'if-none-match'
  | 'idempotency-key'
  | 'prefer'
  | 'last-event-id'
  | 'accept-language'
export type ResponseHeader =
  | 'etag'
  | 'location'
  | 'link'
  | 'accept-patch'
  | 'idempotency-replayed'
  | 'preference-applied'

/** Checks a definition, and keeps its exact type. */
export const operation = <const O extends Operation>(definition: O): O => definition

type Of<S> = S extends TSchema ? Static<S> : undefined
export type Params<O extends Operation> = Of<O['params']>
export type Query<O extends Operation> = Of<O['query']>
export type Body<O extends Operation> = Of<O['body']>
export type Response<O extends Operation> = Of<O['response']>
