import Type from '#json-schema.ts'

export const IdParams = Type.Object({
  id: Type.Integer({
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'The id, as it was answered at creation',
  }),
})
/** A query that takes nothing: a mistyped parameter must not be taken for none. */
export const NoQuery = Type.Object({}, { additionalProperties: false })

/** The parameter of a DELETE of many. Declared, so that the audit log knows a request that deletes nothing. */
export const DryRun = Type.Optional(
  Type.Enum(['true', 'false'], { description: 'true: only count, and delete nothing', examples: ['true'] }),
)
export const DryRunQuery = Type.Object({ dry_run: DryRun }, { additionalProperties: false })

export const Limit = Type.Integer({
  minimum: 1,
  maximum: 1_000,
  default: 100,
  description: 'How many at most',
  examples: [100],
})

export const Cursor = (example: string, maxLength = 100) =>
  Type.Optional(Type.String({ maxLength, description: 'The `next_cursor` of the page before', examples: [example] }))

/** A page of a list in the order of ids. */
export const PageQuery = Type.Object({ limit: Limit, cursor: Cursor('aWQ6MTAw') }, { additionalProperties: false })
