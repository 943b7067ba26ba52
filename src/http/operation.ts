import type { RequestHeader, ResponseHeader } from '#api/operation.ts'
import type { ProblemKind } from '#core/problem.ts'
import type { Scope } from '#core/scope.ts'

/**
 * What a route says of itself, beside what it takes and answers. `openapi.json` is made from it (scripts/openapi); while the server runs
 * only `needs`, `adminOnly` and `sessionOnly` are read, by the door (door.ts), and a route that does not say what it needs is refused at the start.
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
    readonly gives?: readonly ResponseHeader[]
    /** Why it in particular may refuse, besides what any request of its form may meet. */
    readonly problems?: readonly ProblemKind[]
    /** The scope of a token without which it is not answered; `nothing`: it is for everybody. */
    readonly needs?: Scope | 'nothing'
    /** For administrators of the server, and no other user. */
    readonly adminOnly?: boolean
    /** For people who have signed in: a bearer token is refused, since what it does would outlast the token. */
    readonly sessionOnly?: boolean
    /** No operation of the API: a page, or the refusal of a method. */
    readonly hide?: true
  }
}
