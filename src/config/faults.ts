import type { ErrorObject } from 'ajv'
import { nearest } from '#core/problem.ts'

/** Error messages of the configuration. Each starts with the name as the user wrote it. */

/** The name of a nested member: `memberHosts/1 in duebell.json`. */
export const memberName = (name: string, path: readonly (string | number)[]) =>
  name.replace(/^\S+/, (member) => [member, ...path].join('/'))

/** Never includes the value, which may be a secret. */
export function formatFault(name: string, error: ErrorObject): string {
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params.additionalProperty)
    return formatUnknown(
      `${name}/${key}`,
      key,
      Object.keys((error.parentSchema as { properties?: object })?.properties ?? {}),
    )
  }
  if (error.keyword === 'required') return `${name}: ${String(error.params.missingProperty)} is missing`
  if (error.keyword === 'enum') return `${name}: must be one of ${(error.params.allowedValues as string[]).join(', ')}`
  if (error.keyword === 'pattern' && error.schemaPath.includes('databaseUrl'))
    return `${name}: must begin with sqlite:, postgres:// or mysql://, and name a file or a server`
  if (error.keyword === 'pattern') return `${name}: must match ${String(error.params.pattern)}`
  return `${name}: ${error.message}`
}

export function formatUnknown(what: string, word: string, known: Iterable<string>): string {
  const near = nearest(word, known)
  return `${what}: is not known${near ? `; did you mean ${near}?` : ''}`
}
