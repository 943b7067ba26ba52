import type { Precondition } from '#actions/conditions.ts'
import type { Context } from '#actions/context.ts'
import type { Body, Operation, Params, Query, Response } from '#api/operation.ts'
import type { OperationId, Operations } from '#api/operations.ts'
import type { Caller } from '#core/caller.ts'
import type { Scope } from '#core/scope.ts'

/** A request to an operation, read and checked: a handler knows neither headers nor Fastify. */
export interface Call<O extends Operation> {
  /** Null where an operation is for everybody, and the request has no credential. */
  readonly caller: O['scope'] extends 'none' ? Caller | null : Caller
  readonly params: Params<O>
  readonly query: Query<O>
  readonly body: Body<O>
  /** If-Match and If-None-Match of a write. @throws Problem `malformed` */
  readonly condition: Precondition
  /** If-Match of a collection, as it was sent. */
  readonly collectionMatch: string | undefined
  /** `Prefer: return=minimal`, `Prefer: handling=strict`. */
  readonly prefers: (preference: 'return=minimal' | 'handling=strict') => boolean
  /** The languages of Accept-Language, the preferred one first. */
  readonly languages: readonly string[]
  /** Whether If-None-Match has this ETag: then the handler may return `notModified`. */
  readonly has: (etag: string) => boolean
  /** The context of the server; with an Idempotency-Key, of the transaction that stores the response. */
  readonly ctx: Context
  /** For requests that need more than the scope of their operation. @throws Problem `forbidden` when the credential has a narrower scope */
  readonly requireScope: (scope: Scope) => void
}

/** A success. */
export interface Result<B> {
  readonly body: B
  readonly etag?: string
  /** The path of the new resource. */
  readonly location?: string
  readonly contentLocation?: string
  /** Preference-Applied. */
  readonly applied?: string
  readonly link?: string
  /** 304: the client has this version. */
  readonly isNotModified?: true
  /** The body has a secret, so no cache may store it. */
  readonly isSecret?: true
}

export type Handler<O extends Operation> = (call: Call<O>) => Promise<Result<Response<O>>>

/** Handlers for some of the operations, each by its id. */
export type Handlers<Ids extends OperationId> = { readonly [Id in Ids]: Handler<Operations[Id]> }

/** The response 304, for a request that has this ETag. The list need not be read then. */
export const notModified = (etag: string): Result<never> => ({ etag, isNotModified: true, body: undefined as never })

/**
 * Marks a handler that needs many transactions. With an Idempotency-Key its response is stored afterwards, in another transaction.
 * @param when whether a request with this body needs them; always if absent
 */
export function inChunks<O extends Operation>(
  handler: Handler<O>,
  when: (body: Body<O>) => boolean = () => true,
): Handler<O> {
  return Object.assign((call: Call<O>) => handler(call), { isChunked: when })
}

/**
 * Marks a handler that reads something first, outside of the transaction of an Idempotency-Key: a text takes up to 22 ms to parse, during which
 * other writes would wait.
 * @param handler receives what `prepare` has read
 */
export function withPreparation<O extends Operation, P>(
  prepare: (call: Call<O>) => Promise<P>,
  handler: (call: Call<O>, prepared: P) => Promise<Result<Response<O>>>,
): Handler<O> {
  return Object.assign((call: Call<O>, prepared?: unknown) => handler(call, prepared as P), { prepare })
}
