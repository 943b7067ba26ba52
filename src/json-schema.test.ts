import assert from 'node:assert/strict'
import { test } from 'node:test'
import TypeBox from 'typebox'
import Type from './json-schema.ts'

/** One of each, with options and without, and one in the other. */
function schemasBy(make: typeof Type) {
  const about = { description: 'What it is', examples: ['x'] }
  const person = make.Object(
    {
      name: make.String({ minLength: 1, ...about }),
      age: make.Optional(make.Integer({ minimum: 0 })),
      tags: make.Array(make.String(), { maxItems: 3 }),
      role: make.Optional(make.Enum(['admin', 'member'], about)),
      likes: make.Optional(make.Union([make.Boolean(), make.Null()], about)),
    },
    { title: 'Person', additionalProperties: false },
  )
  return {
    person,
    nobody: make.Object({}),
    allOptional: make.Partial(person, about),
    without: make.Omit(person, ['name', 'age'], about),
    withoutAll: make.Omit(person, ['name', 'tags']),
    members: make.Object({ ...person.properties, ...make.Partial(make.Object({ more: make.String() })).properties }),
    record: make.Record(make.String(), make.Unknown(), about),
    ref: make.Ref('Person', about),
    word: make.Literal('1.0'),
    number: make.Literal(1, about),
    raw: make.Unsafe<string | null>({ type: ['string', 'null'], ...about }),
    bare: [make.Boolean(about), make.Null(about), make.Unknown(), make.Enum([1, 2]), make.Union([make.Ref('A')])],
  }
}

test('schemas are those of TypeBox, member for member and in the same order', () => {
  const [ours, theirs] = [schemasBy(Type), schemasBy(TypeBox)]
  for (const [name, schema] of Object.entries(theirs))
    assert.equal(JSON.stringify(ours[name as keyof typeof ours]), JSON.stringify(schema), name)
})

test('what is optional in one object is not therefore in another that has the same schema', () => {
  const name = Type.String()
  assert.deepEqual(JSON.parse(JSON.stringify(Type.Object({ name: Type.Optional(name) }))), {
    type: 'object',
    properties: { name: { type: 'string' } },
  })
  assert.deepEqual(JSON.parse(JSON.stringify(Type.Object({ name }))).required, ['name'])
})
