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
  /** Whether the request brings this ETag in If-None-Match: then `notModified` is enough of an answer. */
  readonly has: (etag: string) => boolean
  /** The context of the server; under an Idempotency-Key that of the transaction which keeps the answer. */
  readonly ctx: Context
  /** @throws Problem `forbidden` where the credential has a narrower scope; for what needs more than its operation says */
  readonly requireScope: (scope: Scope) => void
}

/** A success. */
export interface Result<B> {
  readonly body: B
  readonly etag?: string
  /** Path of what was made. */
  readonly location?: string
  readonly contentLocation?: string
  /** Preference-Applied. */
  readonly applied?: string
  readonly link?: string
  /** 304: the caller has it already. */
  readonly isNotModified?: true
  /** A secret is shown in it: no cache keeps it. */
  readonly isSecret?: true
}

export type Handler<O extends Operation> = (call: Call<O>) => Promise<Result<Response<O>>>

/** Handlers for some of the operations, each by its id. */
export type Handlers<Ids extends OperationId> = { readonly [Id in Ids]: Handler<Operations[Id]> }

/** 304 where the request has this ETag already; the list need not be read then. */
export const notModified = (etag: string): Result<never> => ({ etag, isNotModified: true, body: undefined as never })

/**
 * A handler whose work takes many transactions: under an Idempotency-Key its answer is kept after them, in one of its own.
 * @param when whether the work of this request does; always when absent
 */
export function inChunks<O extends Operation>(
  handler: Handler<O>,
  when: (body: Body<O>) => boolean = () => true,
): Handler<O> {
  return Object.assign((call: Call<O>) => handler(call), { isChunked: when })
}
