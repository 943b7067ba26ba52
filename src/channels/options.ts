import { isDeepStrictEqual } from 'node:util'
import { Ajv, type ErrorObject } from 'ajv'
import { type Fault, nearest, Problem } from '#core/problem.ts'
import type { TSchema } from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'

/** A channel's options in the API: validated against the schema of their kind, and returned without secrets. */
export type Options = Readonly<Record<string, unknown>>

/** Stands for a secret that is set. A request that sends it back keeps the secret. */
export const mask = '********'

const ajv = new Ajv({ allErrors: true, strict: false, validateSchema: false })

/** @throws Problem `invalid` that names every faulty member below `/options`, and never a value, which may be a secret */
export function checkOptions({ kind, label, options: schema }: ChannelKind, options: Options): void {
  const isValid = ajv.compile(schema)
  if (isValid(options)) return
  const faults = (isValid.errors ?? []).map((error) => toFault(error, schema))
  throw new Problem('invalid', `These are no options of ${label} («${kind}»).`, { faults })
}

function toFault({ keyword, params, instancePath, message }: ErrorObject, schema: TSchema): Fault {
  const at = (member = '') => ({ pointer: `/options${instancePath}${member && `/${member}`}` })
  if (keyword === 'required') return { at: at(String(params.missingProperty)), detail: 'is missing' }
  if (keyword !== 'additionalProperties') return { at: at(), detail: message ?? 'is not valid' }
  const name = String(params.additionalProperty)
  const near = nearest(name, Object.keys(membersOf(schema)))
  return { at: at(name), detail: `is not known${near ? `; did you mean ${near}?` : ''}` }
}

export function maskOptions({ options: schema }: ChannelKind, options: Options): Record<string, unknown> {
  const members = membersOf(schema)
  return Object.fromEntries(
    // A kind or member that this server no longer knows may be secret.
    Object.entries(options).map(([name, value]) => [name, members[name] && !members[name].writeOnly ? value : mask]),
  )
}

/**
 * A merge patch (RFC 7396) of the options, in which a mask keeps the stored value.
 *
 * A stored secret is used only for the destination it was given for. A patch that changes its destination or its protection must contain
 * the secret again. Otherwise one request could send the secret to any address.
 * @throws Problem `invalid` that names every secret to give again
 */
export function patchOptions({ options: schema }: ChannelKind, before: Options, patch: Options): Options {
  const after = merge(before, patch)
  const members = membersOf(schema)
  const effective = (options: Options, name: string) => options[name] ?? members[name]?.default
  // A member without a decision counts as one that affects secrets: a new kind that forgets one asks too often, and leaks nothing.
  const changed = Object.entries(members)
    .filter(([, { writeOnly, affectsSecrets = true }]) => affectsSecrets && !writeOnly)
    .map(([name]) => name)
    .filter((name) => !isDeepStrictEqual(effective(before, name), effective(after, name)))
  const unchanged = Object.keys(after).filter(
    (name) => members[name]?.writeOnly && isUnchanged(patch[name], before[name]),
  )
  if (changed.length > 0 && unchanged.length > 0) throw toMissingSecrets(changed, unchanged)
  return after
}

const isUnchanged = (given: unknown, before: unknown) => before !== undefined && (given === undefined || given === mask)

function toMissingSecrets(changed: readonly string[], unchanged: readonly string[]): Problem {
  const verb = changed.length === 1 ? 'changes' : 'change'
  const reason = `because ${changed.join(' and ')} ${verb}: a stored secret is not sent to another address or with other protection`
  const faults = unchanged.map((name) => ({
    at: { pointer: `/options/${name}` },
    detail: `must be given again in this request, ${reason}`,
  }))
  return new Problem('invalid', `Give ${unchanged.join(' and ')} again in this request, ${reason}.`, { faults })
}

function merge(before: Options, patch: Options): Options {
  const after: Record<string, unknown> = { ...before }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete after[name]
    else if (value !== mask || before[name] === undefined) after[name] = value
  }
  return after
}

interface Member {
  readonly writeOnly?: boolean
  readonly affectsSecrets?: boolean
  readonly default?: unknown
}

function membersOf(schema: TSchema): Readonly<Record<string, Member>> {
  return (schema as { properties?: Record<string, Member> }).properties ?? {}
}
