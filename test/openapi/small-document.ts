import { breakingChanges } from '#openapi/breaking.ts'
import type { Document } from '#openapi/document.ts'

/** «/v1 only grows»: a small document, a change to it, and the result of the check. */
export function document(): Document {
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
            mark: { anyOf: [{ $ref: '#/components/schemas/Mark' }, { type: 'null' }] },
          },
        },
        Mark: { type: 'object', required: ['at'], properties: { at: { type: 'string' } } },
        Draft: {
          type: 'object',
          required: ['name'],
          additionalProperties: false,
          properties: {
            name: { type: 'string', minLength: 1, maxLength: 50 },
            color: { enum: ['red', 'green'] },
            count: { type: 'number' },
            tags: { type: 'array', items: { type: 'string' }, maxItems: 3 },
            code: { type: 'string', pattern: '^a' },
            user: {
              anyOf: [
                { type: 'object', description: 'By id', required: ['id'], properties: { id: { type: 'integer' } } },
                { type: 'null' },
              ],
            },
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
export type Change = (document: any) => void
export const changed = (change: Change) => {
  const after = document()
  change(after)
  return breakingChanges(document(), after)
}
// biome-ignore lint/suspicious/noExplicitAny: as above
export const listing = (d: any) => d.paths['/things'].get
// biome-ignore lint/suspicious/noExplicitAny: as above
export const draft = (d: any) => d.components.schemas.Draft
// biome-ignore lint/suspicious/noExplicitAny: as above
export const thing = (d: any) => d.components.schemas.Thing

// biome-ignore lint/suspicious/noExplicitAny: as above
export const creating = (d: any) => d.paths['/things'].post
/** A body may also be a list, and then the response is a list. */
export const many: Change = (d) => {
  const list = (name: string) => ({
    type: 'object',
    required: ['things'],
    additionalProperties: false,
    properties: { things: { type: 'array', items: { $ref: `#/components/schemas/${name}` } } },
  })
  Object.assign(d.components.schemas, { Drafts: list('Draft'), Things: list('Thing') })
  const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
  creating(d).requestBody.content['application/json'].schema = { oneOf: [ref('Draft'), ref('Drafts')] }
  creating(d).responses[200].content['application/json'].schema = { anyOf: [ref('Thing'), ref('Things')] }
}
