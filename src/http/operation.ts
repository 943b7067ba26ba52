import type { RequestHeader, ResponseHeader } from '#api/operation.ts'
import type { ProblemKind } from '#core/problem.ts'
import type { Scope } from '#core/scope.ts'

/**
 * The declarations of a route, beside its schemas. bind.ts makes them from an operation (src/api), and scripts/openapi makes `openapi.json`
 * from them. At runtime authentication reads `scope`, `adminOnly` and `sessionOnly`, and the audit log `operationId`. A route
 * without `scope` fails at startup.
 */
declare module 'fastify' {
  interface FastifySchema {
    /** camelCase, unique; the client has a method of this name. */
    readonly operationId?: string
    /** Imperative, 3 to 8 words. */
    readonly summary?: string
    readonly description?: string
    readonly tags?: readonly string[]
    /** Request headers that it uses, besides those of every request. */
    readonly requestHeaders?: readonly RequestHeader[]
    /** Headers of its success, besides those of every response. */
    readonly responseHeaders?: readonly ResponseHeader[]
    /** Problems of this route, besides those of every request of its form. */
    readonly problems?: readonly ProblemKind[]
    /** A request without a body is one with an empty object. */
    readonly isBodyOptional?: true
    /** The scope that a credential needs; `none`: no credential is needed. */
    readonly scope?: Scope | 'none'
    /** Only administrators of the server may use it. */
    readonly adminOnly?: boolean
    /** Only sessions may use it: the effects of a bearer token would outlast the token. */
    readonly sessionOnly?: boolean
    /** Not an operation of the API: a page, or a response of 405. */
    readonly hide?: true
  }
}
