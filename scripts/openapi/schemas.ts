import type { Schema } from './document.ts'

/**
 * Turns the shapes of routes into schemas of a document. Every named shape becomes a component, at any depth, and is replaced by a
 * reference.
 */
export function createSchemas(named: ReadonlyMap<string, object>) {
  const components: Record<string, Schema> = {}

  function refer(name: string): Schema {
    if (!(name in components)) {
      const shape = named.get(name)
      if (!shape) throw new Error(`no shape is named ${name}`)
      components[name] = {} // before its members, which may refer to it
      const { $id: _, ...rest } = shape as Schema
      components[name] = members(rest)
    }
    return { $ref: `#/components/schemas/${name}` }
  }

  function members(schema: Schema): Schema {
    const made = Object.fromEntries(
      Object.entries(schema).map(([key, value]) => [
        key,
        key === 'examples' || key === 'default' ? value : toSchema(value),
      ]),
    )
    // An enumeration of texts gets a type: some readers ignore the values.
    if (Array.isArray(schema.enum) && schema.type === undefined && schema.enum.every((one) => typeof one === 'string'))
      return { type: 'string', ...made }
    return made
  }

  function toSchema<T>(value: T): T | Schema {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map(toSchema)
    const schema = value as Schema
    if (typeof schema.$id === 'string') {
      const { $id: name } = schema
      if (JSON.stringify(named.get(name)) !== JSON.stringify(schema))
        throw new Error(`${name} is not the shape of this name that src/http exports`)
      return refer(name)
    }
    if (typeof schema.$ref === 'string') {
      const { $ref, ...beside } = schema
      return { ...refer($ref), ...members(beside) }
    }
    return members(schema)
  }

  return {
    toSchema: (shape: unknown): Schema => toSchema(shape) as Schema,
    /** Every component with a reference, in alphabetical order. */
    components: () => Object.fromEntries(Object.entries(components).sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}
