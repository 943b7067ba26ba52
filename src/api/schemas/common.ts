import type { Static, TSchema, TSchemaOptions } from '#json-schema.ts'
import Type from '#json-schema.ts'

/**
 * Wire shapes, to and from core. The only place that reads or writes ISO text. On the wire instants end in `_dt` (RFC 3339),
 * in code they are ms since 1970 and end in `At`.
 */

/** `type: [x, 'null']`: what JSON Schema 2020-12 and OpenAPI 3.1 say for «or null», and cheaper to check than anyOf. */
export function nullable<T extends TSchema & { type: string }>(schema: T) {
  return Type.Unsafe<Static<T> | null>({ ...schema, type: [schema.type, 'null'] })
}

/**
 * A reference by name, with the type of what it names: `Type.Ref` alone has the type unknown.
 * @param schema one with an `$id`
 */
export function refTo<T extends TSchema>(schema: T, options?: TSchemaOptions) {
  return Type.Unsafe<Static<T>>(Type.Ref((schema as { $id?: string }).$id as string, options))
}

export const time = (description: string) =>
  Type.String({ description: `${description}, RFC 3339 in UTC`, examples: ['2026-12-01T09:00:00.000Z'] })

export const timeIn = (description: string) =>
  Type.String({
    maxLength: 100,
    description: `${description}: RFC 3339, with an optional [zone] (RFC 9557); without an offset, local time of the task's zone`,
    examples: ['2026-12-01T10:00:00+01:00', '2026-12-01T10:00', '2026-12-01'],
  })

/** Sent back by clients that edit what they read. */
export const ignored = Type.Unknown({
  description: 'Ignored, so that a client can send back what it read',
  readOnly: true,
})

/** The maximum number of ids in one request, in its body or its query. */
export const maxIds = 1_000

/** In a query: path and headers have 16 KiB, and a thousand ids of eleven digits fit well below. */
export const IdList = Type.String({
  maxLength: 12_000,
  description: `Up to ${maxIds} ids, separated by commas`,
  examples: ['1,2,3'],
})
