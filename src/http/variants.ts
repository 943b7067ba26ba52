import type { Operation } from '#api/operation.ts'
import Type, { type TSchema } from '#json-schema.ts'

/**
 * Operations that share method and path, and are told apart by their bodies: `POST /v1/tasks` takes one task or a list. Each is defined
 * and handled by itself; together they are one route.
 */

interface BodySchema {
  readonly required?: readonly string[]
}

/**
 * Which of several schemas a body is for: the first, unless it has the first required member of another. Rejected: to validate against
 * all of them. The errors would be those of every schema, and `titel` in a single task would be reported as a missing list as well.
 */
export function variantFor(schemas: readonly BodySchema[], body: unknown): number {
  if (schemas.length === 1 || typeof body !== 'object' || body === null) return 0
  const found = schemas.findIndex(({ required = [] }, i) => i > 0 && required[0] !== undefined && required[0] in body)
  return Math.max(found, 0)
}

/** The operation of the route: its body and its response have the form of any of them. */
export function withVariants(operation: Operation, variants: readonly Operation[]): Operation {
  if (variants.length === 0) return operation
  const all = [operation, ...variants]
  const description = all.flatMap(({ description }) => description ?? [])
  const problems = new Set(all.flatMap(({ problems = [] }) => problems))
  return {
    ...operation,
    description: description.join('\n\n'),
    body: { oneOf: all.map(({ body }) => body) } as TSchema,
    response: Type.Union(all.flatMap(({ response }) => formsOf(response))),
    problems: [...problems],
    isLarge: (query, body) => all.some(({ isLarge }) => isLarge?.(query, body)),
  }
}

const formsOf = (schema: TSchema): TSchema[] => (schema as { anyOf?: TSchema[] }).anyOf ?? [schema]
