import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { problemTypes } from '#http/protocol/problem.ts'
import { kindsOf } from '#openapi/describe.ts'
import { operationsOf, type Parameter, resolve } from '#openapi/document.ts'
import { documentFile, generate, toText } from '#openapi/generate.ts'
import { readRoutes } from '#openapi/routes.ts'
import { missingHeaders } from '#openapi/tell.ts'

/** openapi.json matches the routes and the responses of a real server. A failure names what a new route still lacks. */
const { document, told, undescribed } = await generate()
const { routes } = readRoutes()
const operations = operationsOf(document)

test('openapi.json matches the sources; otherwise run npm run openapi', () => {
  assert.equal(readFileSync(documentFile, 'utf8'), toText(document))
})

test('every route is an operation, or declares that it is none', () => {
  assert.deepEqual(undescribed, [], 'routes without an operationId in their schema')
})

test('no two operations have the same id', () => {
  assert.equal(operations.size, routes.length)
})

for (const route of routes) {
  const {
    operationId,
    summary,
    tags,
    response,
    responseHeaders = [],
    problems = [],
    requestHeaders = [],
  } = route.schema
  test(`${operationId} is described completely, with examples of a real server`, () => {
    const { operation } = operations.get(operationId) ?? assert.fail('is not in the document')
    const lacks: string[] = []
    if (!/^[a-z][A-Za-z]+$/.test(operationId)) lacks.push('an operationId in camelCase')
    if (!summary || /\.$/.test(summary)) lacks.push('a summary, one sentence without its full stop')
    if (tags?.length !== 1) lacks.push('one tag')
    for (const { name, description } of document.tags)
      if (tags?.includes(name) && !description) lacks.push(`words for the tag ${name}, in scripts/openapi/words.ts`)
    const successes = Object.keys((response ?? {}) as object).filter((status) => status < '400')
    if (successes.length === 0) lacks.push('the shape of its success: response: { 200: … }')

    const steps = told.filter(({ step }) => step.operation === operationId)
    for (const status of successes)
      if (!steps.some((one) => String(one.status) === status))
        lacks.push(`an example that is answered ${status}, in scripts/openapi/story.ts`)
    const body = operation.requestBody?.content['application/json']
    if (body && !body.examples) lacks.push('an example of its body, in scripts/openapi/story.ts')
    // Problems that an operation names are shown with it; those of every request of its form are shown at /problems.
    const own = [...problems, ...(requestHeaders.includes('if-match') ? (['stale'] as const) : [])]
    for (const kind of own)
      if (!steps.some(({ text }) => text.includes(`"/problems/${kind}"`)))
        lacks.push(`an example of the problem ${kind}, in scripts/openapi/story.ts`)
    for (const kind of kindsOf(route))
      if (!operation.responses[problemTypes[kind].status]) lacks.push(`the problem ${kind}`)
    for (const header of responseHeaders)
      if (!steps.some((one) => one.status < 400 && one.headers.has(header)))
        lacks.push(`an example with the header ${header}, which it says it gives`)
    assert.deepEqual(lacks, [], `${operationId} lacks`)
  })
}

test('every parameter has a description and an example; no optional one is in a sample request', () => {
  const lacks: string[] = []
  for (const { operation } of operations.values())
    for (const one of operation.parameters ?? []) {
      const { name, description, required, schema, example, examples } = resolve<Parameter>(document, one)
      const report = (what: string) => lacks.push(`${operation.operationId}, ${name}: ${what}`)
      if (!description) report('a description')
      if (!required && schema.examples) report('examples beside its schema, not in it')
      if (required ? example === undefined : examples === undefined) report('an example')
      // Scalar fills in an optional parameter that has an example, unless `x-disabled` prevents it: If-Match would make each request fail.
      for (const { 'x-disabled': isDisabled } of Object.values(examples ?? {})) if (!isDisabled) report('x-disabled')
    }
  assert.deepEqual(lacks, [])
})

test('the value of Prefer that generators fill in changes nothing', () => {
  const { schema, examples } = document.components.parameters.Prefer ?? assert.fail('is not described')
  assert.deepEqual(Object.values(examples ?? {})[0]?.value, 'return=representation')
  assert.deepEqual(schema, { type: 'string' })
})

test('only a body that may be absent is not required', () => {
  const optional = [...operations].flatMap(([id, { operation }]) =>
    operation.requestBody?.required === false ? [id] : [],
  )
  assert.deepEqual(optional.sort(), ['retryNotification', 'testChannel'])
})

test('documented headers of a response are present', () => {
  // A next page may exist or not; many tasks have no single location and version.
  const sometimes =
    /: (?:Link|Retry-After|Idempotency-Replayed|Preference-Applied)$|^createTask, «Two tasks .*: (?:ETag|Location)$/
  assert.deepEqual(
    missingHeaders(document, told).filter((one) => !sometimes.test(one)),
    [],
  )
})

test('every reference can be resolved', () => {
  for (const [, ref] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g))
    assert.ok(resolve(document, { $ref: String(ref) }), String(ref))
})

test('a response that is not in the document is reported', async () => {
  const { addExamples } = await import('#openapi/tell.ts')
  const [first = assert.fail()] = told
  assert.throws(() => addExamples(document, [{ ...first, status: 418 }]), /418, which is not described/)
  assert.throws(() => addExamples(document, [{ ...first, type: 'text/csv' }]), /text\/csv, which is not described/)
})
