import Type from '#json-schema.ts'

export const IdParams = Type.Object({
  id: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'The id from the response that created it',
  }),
})
/** A query without parameters: a mistyped parameter must be refused, not ignored. */
export const NoQuery = Type.Object({}, { additionalProperties: false })

/** The parameter of a DELETE of many. Declared, so that the audit log knows a request that deletes nothing. */
export const DryRun = Type.Optional(
  Type.Enum(['true', 'false'], {
    description: '`true`: only return the number, and delete nothing',
    examples: ['true'],
  }),
)
export const DryRunQuery = Type.Object({ dry_run: DryRun }, { additionalProperties: false })

export const Limit = Type.Integer({
  minimum: 1,
  maximum: 1_000,
  default: 100,
  description: 'The maximum number of items',
  examples: [100],
})

export const Cursor = (example: string, maxLength = 100) =>
  Type.Optional(Type.String({ maxLength, description: 'The `next_cursor` of the previous page', examples: [example] }))

/** A page of a list in the order of ids. */
export const PageQuery = Type.Object({ limit: Limit, cursor: Cursor('aWQ6MTAw') }, { additionalProperties: false })
