import type TypeBox from 'typebox'
import type { TSchema } from 'typebox'

export type { Static, TSchema, TSchemaOptions } from 'typebox'

/**
 * The parts of TypeBox that we use: its types, with plain JSON Schema (2020-12) at run time, without `~kind` and the like. The library
 * itself has 373 files, which took 7 MB of an idle server and a fifth of its startup time.
 */
type Builders = Pick<
  typeof TypeBox,
  | 'Array'
  | 'Boolean'
  | 'Enum'
  | 'Integer'
  | 'Literal'
  | 'Null'
  | 'Object'
  | 'Omit'
  | 'Optional'
  | 'Partial'
  | 'Record'
  | 'Ref'
  | 'String'
  | 'Union'
  | 'Unknown'
  | 'Unsafe'
>

type Schemas = Readonly<Record<string, TSchema>>
interface ObjectSchema extends TSchema {
  readonly properties: Schemas
}

/** TypeBox marks an optional member itself; JSON Schema lists the others in `required` of the object. */
const optionals = new WeakSet<TSchema>()

function toOptional(schema: TSchema): TSchema {
  const copy = { ...schema }
  optionals.add(copy)
  return copy
}

function toObject(properties: Schemas, options?: object): TSchema {
  const required = Object.keys(properties).filter((name) => !optionals.has(properties[name] as TSchema))
  return { type: 'object', ...(required.length > 0 && { required }), properties, ...options }
}

const builders = {
  Array: (items: TSchema, options?: object) => ({ type: 'array', items, ...options }),
  Boolean: (options?: object) => ({ type: 'boolean', ...options }),
  Enum: (values: readonly unknown[], options?: object) => ({ enum: values, ...options }),
  Integer: (options?: object) => ({ type: 'integer', ...options }),
  Literal: (value: unknown, options?: object) => ({ type: typeof value, const: value, ...options }),
  Null: (options?: object) => ({ type: 'null', ...options }),
  Object: toObject,
  Omit: ({ properties }: ObjectSchema, names: readonly string[], options?: object) =>
    toObject(Object.fromEntries(Object.entries(properties).filter(([name]) => !names.includes(name))), options),
  Optional: toOptional,
  Partial: ({ properties }: ObjectSchema, options?: object) =>
    toObject(
      Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, toOptional(schema)])),
      options,
    ),
  Record: (_key: TSchema, value: TSchema, options?: object) => ({
    type: 'object',
    patternProperties: { '^.*$': value },
    ...options,
  }),
  Ref: ($ref: string, options?: object) => ({ $ref, ...options }),
  String: (options?: object) => ({ type: 'string', ...options }),
  Union: (anyOf: readonly TSchema[], options?: object) => ({ anyOf, ...options }),
  Unknown: (options?: object) => ({ ...options }),
  Unsafe: (schema: TSchema) => schema,
}

export default builders as unknown as Builders
