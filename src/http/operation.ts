import type { ProblemKind } from '#core/problem.ts'

/**
 * What a route says of itself, beside what it takes and answers. `openapi.json` is made from it (scripts/openapi); nothing here
 * is read while the server runs.
 */
declare module 'fastify' {
  interface FastifySchema {
    /** camelCase, unique; the client has a method for each. */
    readonly operationId?: string
    /** One sentence. */
    readonly summary?: string
    readonly description?: string
    readonly tags?: readonly string[]
    /** Headers it goes by, besides those of every request. */
    readonly reads?: readonly RequestHeader[]
    /** Headers of its success, besides those of every answer. */
    readonly gives?: readonly AnswerHeader[]
    /** Why it in particular may refuse, besides what any request of its form may meet. */
    readonly problems?: readonly ProblemKind[]
    /** No operation of the API: a page, or the refusal of a method. */
    readonly hide?: true
  }
}

export type RequestHeader = 'if-match' | 'if-none-match' | 'idempotency-key' | 'prefer' | 'last-event-id'
export type AnswerHeader = 'etag' | 'location' | 'link' | 'accept-patch' | 'idempotency-replayed' | 'preference-applied'
