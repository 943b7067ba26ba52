import fc from 'fast-check'
import type { Schema } from '#openapi/document.ts'

/** Every UTF-16 text, including unpaired surrogates and control characters. */
export const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.array(fc.nat(0xffff), { maxLength: 10 }).map((units) => String.fromCharCode(...units)),
)

/** Any JSON, including extreme values. */
export const anything = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue() },
  anyText,
  fc.constantFrom(null, '', 0, -0, -1, 0.5, 1e300, 2 ** 53, -(2 ** 63), true, [], {}, [[[[[[]]]]]]),
  fc.nat(70_000).map((length) => 'x'.repeat(length)),
)

/**
 * Values that a schema allows, including its bounds. Constraints that a schema cannot express (a text that is a time) come from its
 * examples.
 */
export function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  if ('$ref' in schema) throw new Error(`a request has a reference: ${schema.$ref}`)
  const values = valuesOfType(schema)
  const { examples } = schema
  if (!Array.isArray(examples) || examples.length === 0) return values
  return fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...examples) }, { weight: 1, arbitrary: values })
}

function valuesOfType(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum)
  if (Array.isArray(schema.type))
    return fc.oneof(
      ...schema.type.map((type: string) => ({
        weight: type === 'null' ? 1 : 4,
        arbitrary: valuesOfType({ ...schema, type }),
      })),
    )
  for (const combinator of ['anyOf', 'oneOf'])
    if (Array.isArray(schema[combinator])) return fc.oneof(...schema[combinator].map((one: Schema) => valuesOf(one)))
  switch (schema.type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer': {
      const { minimum: min = -(2 ** 31), maximum: max = 2 ** 31 } = schema
      const whole = fc.maxSafeInteger().filter((n) => n >= min && n <= max)
      const near = fc.integer({ min, max: Math.min(max, min + 30) })
      return fc.oneof({ weight: 5, arbitrary: near }, fc.constantFrom(min, max), max > 2 ** 40 ? whole : near)
    }
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true })
    case 'string':
      return texts(schema)
    case 'array': {
      const { items = {}, minItems = 0, maxItems = 20 } = schema
      return fc.oneof(
        {
          weight: 5,
          arbitrary: fc.array(valuesOf(items), { minLength: minItems, maxLength: Math.min(maxItems, 4) }),
        },
        fc.array(valuesOf(items), { minLength: Math.min(maxItems, 50), maxLength: Math.min(maxItems, 50) }),
      )
    }
    case 'object': {
      const members = Object.entries((schema.properties ?? {}) as Record<string, Schema>)
      const required = members.map(([name]) => name).filter((name) => schema.required?.includes(name))
      return fc.record(Object.fromEntries(members.map(([name, member]) => [name, valuesOf(member)])), {
        requiredKeys: required,
      })
    }
    default:
      return anything
  }
}

function texts({ minLength: min = 0, maxLength, pattern }: Schema): fc.Arbitrary<string> {
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern))
  const max = maxLength ?? min + 60
  const short = fc.string({ unit: 'grapheme', minLength: min, maxLength: Math.min(max, min + 20) })
  const edges = [min, max].map((length) => 'x'.repeat(length))
  return fc.oneof({ weight: 8, arbitrary: short }, fc.constantFrom(...edges), fc.constant('x'.repeat(max + 1)))
}
