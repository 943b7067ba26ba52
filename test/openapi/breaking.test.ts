import assert from 'node:assert/strict'
import { test } from 'node:test'
import { breakingChanges } from '#openapi/breaking.ts'
import type { Document } from '#openapi/document.ts'
import { readDocument } from '#openapi/generate.ts'

/** «/v1 only grows». A small document, a change to it, and what the rule says of that. */
function document(): Document {
  return {
    openapi: '3.1.1',
    info: {},
    servers: [],
    security: [],
    tags: [],
    paths: {
      '/things': {
        get: {
          operationId: 'listThings',
          summary: '',
          tags: [],
          parameters: [
            { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 100, default: 10 } },
            { $ref: '#/components/parameters/Prefer' },
          ],
          responses: {
            200: {
              description: '',
              headers: { Link: { $ref: '#/components/headers/Link' } },
              content: {
                'application/json': {
                  schema: {
                    type: 'object',
                    properties: { things: { type: 'array', items: { $ref: '#/components/schemas/Thing' } } },
                  },
                },
              },
            },
            400: { $ref: '#/components/responses/Malformed' },
          },
        },
        post: {
          operationId: 'createThing',
          summary: '',
          tags: [],
          requestBody: {
            required: false,
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Draft' } } },
          },
          responses: {
            200: {
              description: '',
              content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
            },
          },
        },
      },
    },
    components: {
      schemas: {
        Thing: {
          type: 'object',
          required: ['id', 'name'],
          properties: {
            id: { type: 'integer' },
            name: { type: ['string', 'null'] },
            color: { type: 'string', enum: ['red', 'green'] },
            parent: { $ref: '#/components/schemas/Thing' },
          },
        },
        Draft: {
          type: 'object',
          required: ['name'],
          additionalProperties: true,
          properties: {
            name: { type: 'string', minLength: 1, maxLength: 50 },
            color: { enum: ['red', 'green'] },
            count: { type: 'number' },
            tags: { type: 'array', items: { type: 'string' }, maxItems: 3 },
            code: { type: 'string', pattern: '^a' },
          },
        },
      },
      parameters: { Prefer: { name: 'Prefer', in: 'header', schema: { type: 'string' } } },
      headers: { Link: { description: '', schema: { type: 'string' } } },
      responses: { Malformed: { description: '' } },
    },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a test reaches into a document
type Change = (document: any) => void
const changed = (change: Change) => {
  const after = document()
  change(after)
  return breakingChanges(document(), after)
}
// biome-ignore lint/suspicious/noExplicitAny: as above
const listing = (d: any) => d.paths['/things'].get
// biome-ignore lint/suspicious/noExplicitAny: as above
const draft = (d: any) => d.components.schemas.Draft
// biome-ignore lint/suspicious/noExplicitAny: as above
const thing = (d: any) => d.components.schemas.Thing

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
      draft(d).additionalProperties = false
    },
    /not known are refused/,
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
      `${found.join('\n')} says ${expected}`,
    )
  })

const growing: [words: string, change: Change][] = [
  ['nothing', () => {}],
  [
    'words',
    (d) => {
      listing(d).summary = 'x'
      thing(d).description = 'y'
      thing(d).properties.id.examples = [1]
    },
  ],
  [
    'a path',
    (d) => {
      d.paths['/others'] = d.paths['/things'] && { get: { ...listing(d), operationId: 'others' } }
    },
  ],
  ['an optional parameter', (d) => listing(d).parameters.push({ name: 'x', in: 'query', schema: {} })],
  [
    'a wider bound',
    (d) => {
      listing(d).parameters[0].schema.maximum = 1000
      draft(d).properties.name.minLength = 0
    },
  ],
  [
    'no bound',
    (d) => {
      delete draft(d).properties.name.maxLength
      delete draft(d).properties.code.pattern
    },
  ],
  [
    'a type that is taken as well',
    (d) => {
      draft(d).properties.name.type = ['string', 'null']
    },
  ],
  ['a value that is taken as well', (d) => draft(d).properties.color.enum.push('blue')],
  [
    'an optional member asked for',
    (d) => {
      draft(d).properties.more = { type: 'string' }
    },
  ],
  [
    'a member that need not be given',
    (d) => {
      draft(d).required = []
    },
  ],
  [
    'a member answered',
    (d) => {
      thing(d).properties.more = { type: 'string' }
      thing(d).required.push('more')
    },
  ],
  ['a value that is answered as well', (d) => thing(d).properties.color.enum.push('blue')],
  [
    'a member that is never null any more',
    (d) => {
      thing(d).properties.name.type = 'string'
    },
  ],
  [
    'another problem',
    (d) => {
      listing(d).responses[429] = { description: '' }
    },
  ],
  ['a problem that is no longer met', (d) => delete listing(d).responses[400]],
  [
    'a header',
    (d) => {
      listing(d).responses[200].headers.ETag = { description: '', schema: {} }
    },
  ],
  [
    'a body',
    (d) => {
      listing(d).requestBody = { required: false, content: {} }
    },
  ],
]
for (const [words, change] of growing) test(`growing: ${words}`, () => assert.deepEqual(changed(change), []))

test('the real document does not break itself, and breaks when any of its operations goes', () => {
  const real = readDocument()
  assert.deepEqual(breakingChanges(real, real), [])
  for (const path of Object.keys(real.paths)) {
    const { [path]: _, ...paths } = real.paths
    assert.ok(breakingChanges(real, { ...real, paths }).length > 0, path)
  }
})
