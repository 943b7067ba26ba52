/** The part of OpenAPI 3.1 that is written and read here. */
export interface Document {
  openapi: string
  info: object
  servers: object[]
  security: object[]
  tags: { name: string; description: string }[]
  paths: Record<string, Record<string, Operation>>
  webhooks?: Record<string, Record<string, Operation>>
  components: {
    schemas: Record<string, Schema>
    parameters: Record<string, Parameter>
    headers: Record<string, Header>
    responses: Record<string, Answer>
    securitySchemes?: Record<string, object>
  }
}

export interface Operation {
  operationId: string
  summary: string
  description?: string
  tags: string[]
  security?: Record<string, string[]>[]
  parameters?: (Parameter | Ref)[]
  requestBody?: { required: boolean; content: Record<string, Media> }
  responses: Record<string, Answer | Ref>
}

export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header'
  required?: boolean
  description?: string
  schema: Schema
  /** The example of a required parameter. */
  example?: unknown
  /** The examples of an optional parameter. */
  examples?: Record<string, OptionalExample>
}

export interface OptionalExample {
  value: unknown
  /** Scalar (/docs) shows it, and leaves it out of the sample request. */
  'x-disabled': true
}

export const optionalExample = (value: unknown): OptionalExample => ({ value, 'x-disabled': true })

export interface Answer {
  description: string
  headers?: Record<string, Header | Ref>
  content?: Record<string, Media>
}

export interface Header {
  description: string
  schema: Schema
}

export interface Media {
  schema: Schema
  examples?: Record<string, Example>
}

export interface Example {
  summary: string
  value: unknown
}

export interface Ref {
  $ref: string
}

/**
 * JSON Schema 2020-12; each reader checks the keywords that it knows.
 */
// biome-ignore lint/suspicious/noExplicitAny: a schema is any JSON
export type Schema = Record<string, any>

/** Resolves a reference of the document, or returns the object itself. */
export function resolve<T extends object>(document: Document, thing: T | Ref): T {
  if (!('$ref' in thing) || typeof thing.$ref !== 'string') return thing as T
  let found: unknown = document
  for (const key of thing.$ref.slice(2).split('/')) found = (found as Record<string, unknown> | undefined)?.[key]
  if (found === undefined) throw new Error(`${thing.$ref} is not in the document`)
  return found as T
}

export interface Described {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

/** The operations of a document, by their ids. */
export function operationsOf(document: Document): Map<string, Described> {
  const found = new Map<string, Described>()
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(methods))
      found.set(operation.operationId, { method, path, operation })
  return found
}
