import assert from 'node:assert/strict'
import { test } from 'node:test'
import { breakingChanges } from '#openapi/breaking.ts'
import { readDocument } from '#openapi/generate.ts'
import { type Change, changed, creating, draft, listing, many, thing } from './small-document.ts'

const breaking: [words: string, change: Change, expected: RegExp][] = [
  ['a path goes', (d) => delete d.paths['/things'], /GET \/things: is gone/],
  ['a method goes', (d) => delete d.paths['/things'].post, /POST \/things: is gone/],
  [
    'an operation is called otherwise',
    (d) => {
      listing(d).operationId = 'all'
    },
    /is now called all/,
  ],
  ['a parameter goes', (d) => listing(d).parameters.shift(), /query limit: is gone/],
  ['a shared parameter goes', (d) => listing(d).parameters.pop(), /header prefer: is gone/],
  [
    'a parameter becomes required',
    (d) => {
      listing(d).parameters[0].required = true
    },
    /limit: is required now/,
  ],
  [
    'a new parameter is required',
    (d) => listing(d).parameters.push({ name: 'x', in: 'query', required: true, schema: {} }),
    /query x: is required/,
  ],
  [
    'a bound rises from below',
    (d) => {
      listing(d).parameters[0].schema.minimum = 2
    },
    /minimum was 1 and is 2/,
  ],
  [
    'a bound sinks from above',
    (d) => {
      listing(d).parameters[0].schema.maximum = 99
    },
    /maximum was 100 and is 99/,
  ],
  [
    'a bound appears',
    (d) => {
      draft(d).properties.count.maximum = 1e9
    },
    /count: maximum was none/,
  ],
  [
    'a default is another',
    (d) => {
      listing(d).parameters[0].schema.default = 20
    },
    /default has changed/,
  ],
  [
    'a length sinks',
    (d) => {
      draft(d).properties.name.maxLength = 49
    },
    /name: maxLength/,
  ],
  [
    'fewer items are taken',
    (d) => {
      draft(d).properties.tags.maxItems = 2
    },
    /tags: maxItems/,
  ],
  [
    'a pattern is another',
    (d) => {
      draft(d).properties.code.pattern = '^b'
    },
    /code: pattern has changed/,
  ],
  [
    'a pattern appears',
    (d) => {
      draft(d).properties.name.pattern = '^a'
    },
    /name: pattern has changed/,
  ],
  [
    'a type is no longer taken',
    (d) => {
      draft(d).properties.count.type = 'integer'
    },
    /number is no longer taken/,
  ],
  [
    'a value is no longer taken',
    (d) => {
      draft(d).properties.color.enum = ['red']
    },
    /"green" is no longer taken/,
  ],
  [
    'only some values are taken',
    (d) => {
      draft(d).properties.name.enum = ['a']
    },
    /only "a" are taken now/,
  ],
  ['a member asked for goes', (d) => delete draft(d).properties.tags, /tags: is gone/],
  ['a member becomes required', (d) => draft(d).required.push('tags'), /tags: is required now/],
  [
    'unknown members are refused',
    (d) => {
      draft(d).properties.user.anyOf[0].additionalProperties = false
    },
    /user: members that are not known are refused/,
  ],
  [
    'a body becomes required',
    (d) => {
      d.paths['/things'].post.requestBody.required = true
    },
    /body: is required/,
  ],
  ['a body is no longer read', (d) => delete d.paths['/things'].post.requestBody, /body: is no longer read/],
  [
    'a media type is no longer read',
    (d) => {
      d.paths['/things'].post.requestBody.content = { 'text/csv': { schema: {} } }
    },
    /application\/json is no longer read/,
  ],
  ['a success is no longer answered', (d) => delete listing(d).responses[200], /200: is no longer answered/],
  [
    'a media type is no longer answered',
    (d) => {
      listing(d).responses[200].content = {}
    },
    /json is no longer answered/,
  ],
  ['a header is no longer answered', (d) => delete listing(d).responses[200].headers.Link, /header Link is gone/],
  ['a member answered goes', (d) => delete thing(d).properties.color, /color: is gone/],
  [
    'a member that always came may be absent',
    (d) => {
      thing(d).required = ['id']
    },
    /name: may be absent now/,
  ],
  [
    'a member may be null',
    (d) => {
      thing(d).properties.id.type = ['integer', 'null']
    },
    /id: may be null now/,
  ],
  [
    'a member is of another type',
    (d) => {
      thing(d).properties.id.type = 'string'
    },
    /id: may be string now/,
  ],
  ['one of several forms is no longer taken', (d) => draft(d).properties.user.anyOf.pop(), /null is no longer taken/],
  [
    'one of several forms takes less',
    (d) => {
      draft(d).properties.user.anyOf[0].properties.id.minimum = 1
    },
    /user\/id: minimum was none and is 1/,
  ],
  [
    'forms are no longer told apart',
    (d) => {
      const { user } = draft(d).properties
      draft(d).properties.user = { oneOf: [...user.anyOf, { type: 'object' }] }
    },
    /user: has forms that may both fit/,
  ],
  [
    'the only form becomes one of others',
    (d) => {
      draft(d).properties.name = { anyOf: [{ type: 'integer' }, { type: 'null' }] }
    },
    /name: string is no longer taken/,
  ],
  [
    'an answer has another form, though nothing new was asked for',
    (d) => thing(d).properties.mark.anyOf.push({ type: 'string' }),
    /mark: may be string now/,
  ],
  [
    'what is one of the forms of an answer lacks a member',
    (d) => {
      d.components.schemas.Mark.required = []
    },
    /mark\/at: may be absent now/,
  ],
  [
    'an old form is no longer answered, with a new form of the body',
    (d) => {
      many(d)
      creating(d).responses[200].content['application/json'].schema = { $ref: '#/components/schemas/Things' }
    },
    /200\/id: is gone/,
  ],
  [
    'a list becomes a list of others',
    (d) => {
      listing(d).responses[200].content['application/json'].schema.properties.things.items = { type: 'string' }
    },
    /things\/\*: may be string now/,
  ],
]
for (const [words, change, expected] of breaking)
  test(`breaking: ${words}`, () => {
    const found = changed(change)
    assert.ok(
      found.some((one) => expected.test(one)),
      `${found.join('\n')} expected ${expected}`,
    )
  })

test('the real document does not break itself, and breaks when any of its operations goes', () => {
  const real = readDocument()
  assert.deepEqual(breakingChanges(real, real), [])
  for (const path of Object.keys(real.paths)) {
    const { [path]: _, ...paths } = real.paths
    assert.ok(breakingChanges(real, { ...real, paths }).length > 0, path)
  }
})
