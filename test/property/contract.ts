import { Ajv2020 } from 'ajv/dist/2020.js'
import { problemTypes } from '#http/protocol/problem.ts'
import { type Answer, type Described, type Document, resolve, type Schema } from '#openapi/document.ts'

/** A response as it was received. */
export interface WireAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/**
 * Whether the document allows a response: its status and type are listed, its body has the shape, with all described members and no other,
 * and a problem is a valid problem. A 5xx is never allowed.
 */
export function createContract(document: Document) {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false })
  ajv.addSchema(closed(document) as object, 'api')
  const checks = new Map<string, ReturnType<typeof ajv.compile>>()
  const checkAt = (pointer: string) => {
    const check = checks.get(pointer) ?? ajv.compile({ $ref: `api#${pointer}` })
    checks.set(pointer, check)
    return check
  }

  function shapeFaults(pointer: string, body: unknown): string[] {
    const check = checkAt(pointer)
    if (check(body)) return []
    return (check.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath || 'the body'} ${message} ${JSON.stringify(params)}`,
    )
  }

  function problemFaults({ status, headers, text }: WireAnswer): string[] {
    if (!headers.get('content-type')?.startsWith('application/problem+json'))
      return [`is no problem document but ${headers.get('content-type')}`]
    const problem = parse(text)
    if (problem === undefined) return ['is not JSON']
    const faults = shapeFaults('/components/schemas/Problem', problem)
    if (faults.length > 0) return faults
    const { type, status: named, request_id } = problem as Record<string, unknown>
    const kind = Object.values(problemTypes).find(({ slug }) => type === `/problems/${slug}`)
    if (!kind) return [`${type} is no kind of problem`]
    // Errors of the connection have statuses of their own (problem.ts, handleClientError).
    if (named !== status || (kind.status !== status && status !== 408 && status !== 431))
      return [`${type} says ${named}, is ${kind.status} and came as ${status}`]
    return request_id === headers.get('x-request-id') ? [] : ['request_id and X-Request-Id differ']
  }

  return {
    /** @param steps to a schema of the document @returns the faults of a body of that schema, with all members described */
    bodyFaults: (steps: readonly string[], body: unknown) => shapeFaults(`/${steps.map(toPointer).join('/')}`, body),
    /** @returns the faults of a response of an operation; nothing if it keeps the contract */
    faults({ method, path, operation }: Described, answer: WireAnswer): string[] {
      const { status, headers, text } = answer
      if (status >= 500) return [`${status}`]
      const promised = operation.responses[status]
      if (!promised) return [`${status} is not among ${Object.keys(operation.responses).join(', ')}`]
      if (!headers.get('x-request-id')) return ['X-Request-Id is missing']
      if (status >= 400) return problemFaults(answer)
      const { content } = resolve<Answer>(document, promised)
      if (!content) return text === '' ? [] : ['has a body']
      const type = headers.get('content-type')?.replace(/;.*/, '').trim() ?? ''
      if (!(type in content)) return [`${type || 'no type'} is not among ${Object.keys(content).join(', ')}`]
      if (type === 'text/event-stream') return []
      const body = type.endsWith('json') ? parse(text) : text
      if (body === undefined) return ['is not JSON']
      const steps = ['paths', path, method, 'responses', String(status), 'content', type, 'schema']
      return shapeFaults(`/${steps.map(toPointer).join('/')}`, body)
    },
    /** @returns the faults of a response to a request for no operation: that is always a problem */
    refusalFaults(answer: WireAnswer): string[] {
      const { status } = answer
      return status >= 400 && status < 500 ? problemFaults(answer) : [`${status} where a refusal should be`]
    },
  }
}
export type Contract = ReturnType<typeof createContract>

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A step of a JSON pointer in the fragment of a URI (RFC 6901 section 6). */
function toPointer(step: string): string {
  return encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))
}

/** Schemas without additionalProperties get `false`: a response has exactly the described members. */
function closed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(closed)
  const made = Object.fromEntries(Object.entries(value as Schema).map(([key, member]) => [key, closed(member)]))
  const isOpen = made.properties && made.type === 'object' && made.additionalProperties === undefined
  return isOpen ? { ...made, additionalProperties: false } : made
}
