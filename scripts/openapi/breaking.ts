import {
  type Answer,
  type Document,
  type Operation,
  operationsOf,
  type Parameter,
  type Ref,
  resolve,
  type Schema,
} from './document.ts'

/**
 * Checks that «/v1 only grows»: every request and every use of a response that was possible yesterday is possible today.
 * Requests: every valid value stays valid. Nothing is removed, nothing becomes required, no bound becomes tighter.
 * Responses: every member stays. None is removed, none that was always present may be absent, and none gets a new type.
 * Allowed are new paths, operations, optional parameters and members, accepted values, statuses of problems, and members and values of
 * enumerations in responses: the document tells readers to ignore unknown ones. A body may get another form, and with it the response:
 * callers that send the old form get the old response.
 * A change that this cannot judge (a pattern, an unknown keyword) is refused in every part of a request.
 * @returns each broken promise in words
 */
export function breakingChanges(before: Document, after: Document): string[] {
  const found: string[] = []
  const after_ = operationsOf(after)
  for (const [id, { method, path, operation }] of operationsOf(before)) {
    const now = after_.get(id)
    const name = `${method.toUpperCase()} ${path}`
    const still = after.paths[path]?.[method]
    if (!still) found.push(`${name}: is gone`)
    else if (!now || now.operation !== still) found.push(`${name}: ${id} is now called ${still.operationId}`)
    if (!still) continue
    const say = (place: string, what: string) => found.push(`${name}: ${place}: ${what}`)
    compareParameters(before, operation.parameters ?? [], after, still.parameters ?? [], say)

    const [was, is] = [operation.requestBody, still.requestBody]
    if (was && !is) say('body', 'is no longer read')
    if (!was && is?.required) say('body', 'is required now')
    if (was && is && !was.required && is.required) say('body', 'is required now')
    for (const [type, { schema }] of Object.entries(was?.content ?? {})) {
      const media = is?.content[type]
      if (media) compare({ before, after, isAsked: true, say, seen: new Set() }, schema, media.schema, 'body')
      else if (is) say('body', `${type} is no longer read`)
    }

    const hasNewForm = hasMoreForms(before, was, after, is)
    for (const [status, answer] of Object.entries(operation.responses))
      if (status < '400') compareAnswers(before, answer, after, still.responses[status], { status, say, hasNewForm })
  }
  return found
}

/** Whether no value has both forms: one requires a member that the other refuses, or they have no type in common. */
function excludeEachOther(document: Document, one: Schema, other: Schema): boolean {
  const [a, b] = [resolve<Schema>(document, one), resolve<Schema>(document, other)]
  const refuses = (schema: Schema, name: string) =>
    schema.additionalProperties === false && schema.properties?.[name] === undefined
  if ((a.required ?? []).some((name: string) => refuses(b, name))) return true
  if ((b.required ?? []).some((name: string) => refuses(a, name))) return true
  const [types, otherTypes] = [typesOf(a), typesOf(b)]
  return !types.has('any') && !otherTypes.has('any') && types.isDisjointFrom(otherTypes)
}

type Say = (place: string, what: string) => void

function compareParameters(
  before: Document,
  was: readonly (Parameter | Ref)[],
  after: Document,
  is: readonly (Parameter | Ref)[],
  say: Say,
) {
  const byName = (document: Document, all: readonly (Parameter | Ref)[]) =>
    new Map(
      all.map((one) => resolve<Parameter>(document, one)).map((one) => [`${one.in} ${one.name.toLowerCase()}`, one]),
    )
  const [old, now] = [byName(before, was), byName(after, is)]
  for (const [name, parameter] of old) {
    const still = now.get(name)
    if (!still) say(name, 'is gone')
    else compare({ before, after, isAsked: true, say, seen: new Set() }, parameter.schema, still.schema, name)
  }
  for (const [name, { required }] of now) if (required && !old.get(name)?.required) say(name, 'is required now')
}

function hasMoreForms(before: Document, was: Operation['requestBody'], after: Document, is: Operation['requestBody']) {
  const count = (document: Document, body: Operation['requestBody']) => {
    const schema = body?.content['application/json']?.schema
    return schema ? formsOf(document, schema).length : 0
  }
  return count(before, was) > 0 && count(after, is) > count(before, was)
}

interface AnswerOptions {
  readonly status: string
  readonly say: Say
  /** The body has a new form, whose responses no existing caller has seen. */
  readonly hasNewForm: boolean
}

function compareAnswers(
  before: Document,
  was: Answer | Ref,
  after: Document,
  is: Answer | Ref | undefined,
  { status, say, hasNewForm }: AnswerOptions,
) {
  if (!is) return say(status, 'is no longer answered')
  const [old, now] = [resolve<Answer>(before, was), resolve<Answer>(after, is)]
  for (const header of Object.keys(old.headers ?? {}))
    if (!now.headers?.[header]) say(status, `the header ${header} is gone`)
  for (const [type, { schema }] of Object.entries(old.content ?? {})) {
    const media = now.content?.[type]
    const comparison = { before, after, isAsked: false, say, seen: new Set<string>() }
    if (media && hasNewForm) compareForms(comparison, schema, media.schema, status, { mayGrow: true })
    else if (media) compare(comparison, schema, media.schema, status)
    else say(status, `${type} is no longer answered`)
  }
}

interface Comparison {
  readonly before: Document
  readonly after: Document
  readonly isAsked: boolean
  readonly say: Say
  /** Components that name themselves are compared once. */
  readonly seen: Set<string>
}

/** Bounds that refuse more as they grow, and those that refuse more as they shrink. */
const lower = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'] as const
const upper = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'] as const
/** Texts, and keywords that are compared separately. */
const judged = new Set<string>([
  ...lower,
  ...upper,
  ...['type', 'enum', 'const', 'properties', 'required', 'additionalProperties', 'items', '$ref'],
  ...['title', 'description', 'examples', 'example', 'deprecated', 'readOnly', 'writeOnly', '$comment'],
  ...['anyOf', 'oneOf'],
])

const hasForms = ({ anyOf, oneOf }: Schema) => anyOf !== undefined || oneOf !== undefined

/** The forms among which a value has one: what `anyOf` or `oneOf` lists, or the schema itself. */
function formsOf(document: Document, schema: Schema): Schema[] {
  const { anyOf, oneOf } = resolve<Schema>(document, schema)
  return anyOf ?? oneOf ?? [schema]
}

/**
 * Requests: one of the new forms accepts everything that any of the old forms accepted. Responses: one of the old forms promised everything
 * that any of the new forms has. Forms have no names, so each is compared with all on the other side; if none fits, the faults of the
 * nearest are reported.
 */
function compareForms(comparison: Comparison, was: Schema, is: Schema, place: string, { mayGrow = false } = {}): void {
  const [old, now] = [formsOf(comparison.before, was), formsOf(comparison.after, is)]
  const differences = (one: Schema, other: Schema) => {
    const found: [string, string][] = []
    // Pairs seen on the way here are being compared. Pairs seen in here are known only if this form is the one.
    const seen = new Set(comparison.seen)
    compare({ ...comparison, seen, say: (...difference) => found.push(difference) }, one, other, place)
    return found
  }
  const nearest = (all: [string, string][][]) => all.reduce((least, one) => (one.length < least.length ? one : least))
  if (comparison.isAsked && resolve<Schema>(comparison.after, is).oneOf)
    for (const [i, one] of now.entries())
      for (const other of now.slice(i + 1))
        if (!excludeEachOther(comparison.after, one, other)) comparison.say(place, 'has forms that may both fit')
  const oldToNow = () => old.map((one) => nearest(now.map((other) => differences(one, other))))
  const nowToOld = () => now.map((one) => nearest(old.map((other) => differences(other, one))))
  for (const difference of comparison.isAsked || mayGrow ? oldToNow() : nowToOld())
    for (const [where, what] of difference) comparison.say(where, what)
}

function compare(comparison: Comparison, was: Schema, is: Schema, place: string): void {
  const { before, after, isAsked, say, seen } = comparison
  const pair = `${was.$ref} ${is.$ref}`
  if (was.$ref && is.$ref) {
    if (seen.has(pair)) return
    seen.add(pair)
  }
  const [old, now] = [resolve<Schema>(before, was), resolve<Schema>(after, is)]
  if (hasForms(old) || hasForms(now)) compareForms(comparison, was, is, place)
  // A schema that is one of the forms on the other side was compared with them.
  if (hasForms(old) !== hasForms(now)) return

  compareTypes(old, now, isAsked, (what) => say(place, what))
  if (isAsked) {
    for (const bound of lower)
      if ((now[bound] ?? Number.NEGATIVE_INFINITY) > (old[bound] ?? Number.NEGATIVE_INFINITY))
        say(place, `${bound} was ${old[bound] ?? 'none'} and is ${now[bound]}`)
    for (const bound of upper)
      if ((now[bound] ?? Number.POSITIVE_INFINITY) < (old[bound] ?? Number.POSITIVE_INFINITY))
        say(place, `${bound} was ${old[bound] ?? 'none'} and is ${now[bound]}`)
    if (old.additionalProperties !== false && now.additionalProperties === false)
      say(place, 'members that are not known are refused now')
  }
  for (const keyword of new Set([...Object.keys(old), ...Object.keys(now)]))
    if (!judged.has(keyword) && JSON.stringify(old[keyword]) !== JSON.stringify(now[keyword]))
      if (isAsked ? now[keyword] !== undefined : old[keyword] !== undefined)
        // A request with fewer restrictions accepts more. A response with more restrictions does no harm.
        say(place, `${keyword} has changed`)

  const [required, nowRequired] = [new Set<string>(old.required), new Set<string>(now.required)]
  for (const name of isAsked ? nowRequired : required)
    if (isAsked ? !required.has(name) : !nowRequired.has(name))
      say(`${place}/${name}`, isAsked ? 'is required now' : 'may be absent now')
  for (const [name, member] of Object.entries((old.properties ?? {}) as Record<string, Schema>)) {
    const still: Schema | undefined = now.properties?.[name]
    if (still) compare(comparison, member, still, `${place}/${name}`)
    else say(`${place}/${name}`, 'is gone')
  }
  if (old.items && now.items) compare(comparison, old.items, now.items, `${place}/*`)
  else if (isAsked ? now.items : old.items) say(`${place}/*`, isAsked ? 'has a schema now' : 'has no schema any more')
}

function compareTypes(old: Schema, now: Schema, isAsked: boolean, say: (what: string) => void) {
  const [types, nowTypes] = [typesOf(old), typesOf(now)]
  // Requests: every type accepted before is accepted now. Responses: every type that is possible now was possible before.
  const [needed, there] = isAsked ? [types, nowTypes] : [nowTypes, types]
  for (const type of needed)
    if (!there.has(type) && !there.has('any') && !(type === 'integer' && there.has('number')))
      say(isAsked ? `${type} is no longer taken` : `may be ${type} now`)
  if (!isAsked) return
  const [values, nowValues] = [valuesOf(old), valuesOf(now)]
  if (!nowValues) return
  if (!values) say(`only ${[...nowValues].join(', ')} are taken now`)
  else for (const value of values) if (!nowValues.has(value)) say(`${value} is no longer taken`)
}

function typesOf({ type, enum: values, const: value }: Schema): Set<string> {
  if (type !== undefined) return new Set<string>([type].flat())
  const known = values ?? (value === undefined ? undefined : [value])
  return new Set<string>(known?.map((one: unknown) => (one === null ? 'null' : typeof one)) ?? ['any'])
}

function valuesOf({ enum: values, const: value }: Schema): Set<string> | undefined {
  const known: unknown[] | undefined = values ?? (value === undefined ? undefined : [value])
  return known && new Set(known.map((one) => JSON.stringify(one)))
}
