import type { ErrorObject } from 'ajv'
import { nearest } from '#core/problem.ts'

/** How a fault is told: by the name that the person has written, and what is wrong with it. */

/** What is in a member: `memberHosts/1 in duebell.json`. */
export const within = (name: string, path: readonly (string | number)[]) =>
  name.replace(/^\S+/, (member) => [member, ...path].join('/'))

/** Never the value: it may be a secret. */
export function say(name: string, error: ErrorObject): string {
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params.additionalProperty)
    return unknown(
      `${name}/${key}`,
      key,
      Object.keys((error.parentSchema as { properties?: object })?.properties ?? {}),
    )
  }
  if (error.keyword === 'required') return `${name}: ${String(error.params.missingProperty)} is missing`
  if (error.keyword === 'enum') return `${name}: must be one of ${(error.params.allowedValues as string[]).join(', ')}`
  if (error.keyword === 'pattern' && error.schemaPath.includes('databaseUrl'))
    return `${name}: must begin with sqlite:, postgres:// or mysql://, and name a file or a server`
  if (error.keyword === 'pattern') return `${name}: must look like ${String(error.params.pattern)}`
  return `${name}: ${error.message}`
}

export function unknown(what: string, word: string, known: Iterable<string>): string {
  const near = nearest(word, known)
  return `${what}: is not known${near ? `; did you mean ${near}?` : ''}`
}
