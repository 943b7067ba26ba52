import type { Body, Params, Query, RequestHeader, Response } from '#api/operation.ts'
import type { OperationId, Operations } from '#api/operations.ts'
import type { EventType, EventWire } from '#api/schemas/event.ts'
import type { TaskMarkWire, TaskWire } from '#api/schemas/task.ts'

/**
 * The types of the client's methods, made from the definitions in src/api. One rule holds for all of them:
 *
 *   path parameters, in the order of the path ─▶ body, if there is one ─▶ query, if there is one ─▶ options
 *
 * They are named by ids: by the definitions themselves, these would fill each error message.
 */
/** The methods of the lists with a cursor: `iterateTasks` follows the pages of `listTasks`. */
export type Iterators = {
  readonly [Id in PagedId as Id extends `list${infer Name}` ? `iterate${Name}` : never]: (
    ...args: [...PathArguments<Id>, filter?: FilterOf<Id>, options?: PageOptions]
  ) => AsyncGenerator<ItemOf<Id>>
}

type PagedId = { [Id in OperationId]: 'cursor' extends keyof Query<Operations[Id]> ? Id : never }[OperationId]

/** The method of an operation. */
export type Method<Id extends OperationId> = Id extends 'followEvents'
  ? (query?: Omit<QueryOf<Id>, 'wait'>, options?: RequestOptions) => AsyncGenerator<EventWire | Reset>
  : Operations[Id] extends { media: object }
    ? (...args: [...Arguments<Id>, options?: RequestOptions]) => Promise<ReadableStream<Uint8Array>>
    : 'prefer' extends HeaderOf<Id>
      ? <Minimal extends boolean = false>(
          ...args: [...Arguments<Id>, options?: Options<Id> & MinimalOption<Minimal>]
        ) => Promise<PreferredResponse<Response<Operations[Id]>, Minimal>>
      : (...args: [...Arguments<Id>, options?: Options<Id>]) => Promise<Response<Operations[Id]>>

// ── arguments ──

type Arguments<Id extends OperationId> = [
  ...PathArguments<Id>,
  ...BodyArgument<Id>,
  ...(keyof Query<Operations[Id]> extends never ? [] : [query?: QueryOf<Id>]),
]

type PathArguments<Id extends OperationId> = ArgumentsIn<Operations[Id]['path'], Params<Operations[Id]>>

type ArgumentsIn<Path extends string, Values> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? [...PathArgument<Name, Name extends keyof Values ? Values[Name] : never>, ...ArgumentsIn<Rest, Values>]
  : []

/** Only a literal can name an argument; editors show the name. */
type PathArgument<Name, Value> = Name extends 'id'
  ? [id: Value]
  : Name extends 'key'
    ? [key: Value]
    : [parameter: Value]

/** The body of an operation. */
export type BodyOf<Id extends OperationId> = Body<Operations[Id]>

type BodyArgument<Id extends OperationId> = Operations[Id] extends { body: object }
  ? Operations[Id] extends { isBodyOptional: true }
    ? [body?: BodyOf<Id>]
    : [body: BodyOf<Id>]
  : []

/** The query of an operation. Members that are absent or undefined are not sent. */
export type QueryOf<Id extends OperationId> = {
  readonly [Name in keyof Query<Operations[Id]>]?: QueryValue<Name, Query<Operations[Id]>[Name]> | undefined
}

/** A query without what chooses a page. */
export type FilterOf<Id extends OperationId> = Omit<QueryOf<Id>, 'limit' | 'offset' | 'cursor' | 'count'>

/** A query is text, and its schema says less than the value: a list, or a flag. */
type QueryValue<Name, Value> = Name extends 'ids'
  ? readonly number[]
  : Name extends 'types'
    ? readonly EventType[]
    : Value extends readonly (infer Item)[]
      ? readonly Item[]
      : Value extends 'true'
        ? true
        : Value extends 'false'
          ? false
          : Value

// ── options ──

type HeaderOf<Id extends OperationId> = Operations[Id] extends { requestHeaders: readonly (infer Header)[] }
  ? Header
  : never
type OptionFor<Id extends OperationId, Header extends RequestHeader, Option> =
  Header extends HeaderOf<Id> ? Option : unknown

/** Only what the operation reads: a precondition that the server ignored would protect nothing. */
type Options<Id extends OperationId> = RequestOptions &
  OptionFor<Id, 'if-match', Operations[Id] extends { params: object } ? VersionOption : EtagOption> &
  // Not for a GET, which is answered 304 without a body: a method returns the body.
  (Operations[Id]['method'] extends 'GET' ? unknown : OptionFor<Id, 'if-none-match', ExistsOption>) &
  OptionFor<Id, 'idempotency-key', KeyOption> &
  (Response<Operations[Id]> extends { missing: unknown } ? OptionFor<Id, 'prefer', StrictOption> : unknown)

export interface RequestOptions {
  /** Aborts the request. */
  readonly signal?: AbortSignal | undefined
}

export interface VersionOption {
  /** The resource must have this version, or one of these. Otherwise the request fails with 412. */
  readonly ifVersion?: number | readonly number[]
}

export interface ExistsOption {
  /** The resource must exist (`true`), or must not exist yet. Otherwise the request fails with 412. */
  readonly ifExists?: boolean
}

export interface EtagOption {
  /** The list must still have this ETag, as it was read. Otherwise the request fails with 412. */
  readonly ifEtag?: string
}

export interface KeyOption {
  /** The Idempotency-Key, for a request that outlives the page or process. Default: a random one for each call */
  readonly idempotencyKey?: string
}

export interface StrictOption {
  /** Fails if one of the items does not exist. Otherwise they are skipped, and listed in `missing`. */
  readonly strict?: boolean
}

export interface MinimalOption<Minimal extends boolean = boolean> {
  /** The response has only the id and version of each task. */
  readonly minimal?: Minimal
}

export interface PageOptions extends RequestOptions {
  /** The maximum number of items in one request. Default: 1,000 */
  readonly pageSize?: number
}

// ── results ──

type PreferredTask<Minimal> = Minimal extends true ? TaskMarkWire : TaskWire
type PreferredResponse<Result, Minimal> = Result extends { tasks: unknown }
  ? Omit<Result, 'tasks'> & { tasks: PreferredTask<Minimal>[] }
  : PreferredTask<Minimal>

/** The items of a page are its only array. */
type ItemOf<Id extends OperationId> = ItemIn<Response<Operations[Id]>>
type ItemIn<Page> = { [Name in keyof Page]-?: Page[Name] extends readonly (infer Item)[] ? Item : never }[keyof Page]

/** Earlier events are lost: load the tasks again by `listChanges`. The stream continues from this cursor. */
export interface Reset {
  readonly type: 'reset'
  readonly cursor: string
}
