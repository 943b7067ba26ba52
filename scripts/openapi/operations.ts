import type { Operation } from '#api/operation.ts'
import { operations } from '#api/operations.ts'
import type { Schema } from './document.ts'
import { readRoutes } from './routes.ts'

/** An operation with the members that a request needs, without the texts of the document. */
export type AnyOperation = Pick<
  Operation,
  'id' | 'method' | 'path' | 'scope' | 'adminOnly' | 'sessionOnly' | 'params' | 'query' | 'body' | 'requestHeaders'
>

/** Every operation: those of src/api, and health checks and metrics, whose routes are written by hand. */
export function allOperations(): AnyOperation[] {
  const byHand = readRoutes().routes.filter(({ schema }) => !(schema.operationId in operations))
  return [
    ...withVariants(Object.values<Operation>(operations)),
    ...byHand.map(({ method, url, schema }): AnyOperation => {
      const { operationId: id, scope, adminOnly, sessionOnly, params, querystring, body, requestHeaders } = schema
      if (scope === undefined) throw new Error(`${id} does not declare a scope`)
      return {
        id,
        method: method.toUpperCase() as Operation['method'],
        path: url.replaceAll(/:(\w+)/g, '{$1}'),
        scope,
        ...(adminOnly && { adminOnly }),
        ...(sessionOnly && { sessionOnly }),
        ...(params !== undefined && { params: params as object }),
        ...(querystring !== undefined && { query: querystring as object }),
        ...(body !== undefined && { body: body as object }),
        ...(requestHeaders && { requestHeaders }),
      }
    }),
  ]
}

/** Operations that share a route are one in the document, with a body of several forms. */
function withVariants(all: readonly Operation[]): AnyOperation[] {
  return all.flatMap((operation) => {
    if (operation.variantOf !== undefined) return []
    const bodies = all.filter(({ variantOf }) => variantOf === operation.id).flatMap(({ body }) => body ?? [])
    return bodies.length === 0 ? [operation] : [{ ...operation, body: { oneOf: [operation.body, ...bodies] } }]
  })
}

/** The members of an object, over all its alternatives. */
export function membersOf(schema: Schema | undefined): Readonly<Record<string, Schema>> {
  const { properties = {}, anyOf = [], oneOf = [], allOf = [] } = schema ?? {}
  return Object.assign({}, properties, ...[...anyOf, ...oneOf, ...allOf].map(membersOf))
}
