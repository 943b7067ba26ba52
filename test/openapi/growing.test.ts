import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Change, changed, draft, listing, many, thing } from './small-document.ts'

/** Changes that leave every client working. */

const growing: [words: string, change: Change][] = [
  ['nothing', () => {}],
  [
    'words inside of one of several forms',
    (d) => {
      draft(d).properties.user.anyOf[0].description = 'By its id'
      draft(d).properties.user.anyOf[1].title = 'Nobody'
      thing(d).properties.mark.anyOf[1].description = 'Without one'
    },
  ],
  ['forms in another order', (d) => thing(d).properties.mark.anyOf.reverse()],
  ['a form that is taken as well', (d) => draft(d).properties.user.anyOf.push({ type: 'integer' })],
  [
    'a form that is no longer answered',
    (d) => {
      thing(d).properties.mark = { $ref: '#/components/schemas/Mark' }
    },
  ],
  ['a form of the body that is answered in a form of its own', many],
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
