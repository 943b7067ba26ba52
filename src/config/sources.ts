import type { ChannelKind } from '#channels/channel.ts'
import { redact } from '#core/redact.ts'
import { unknown } from './faults.ts'
import { flagOf, isSecret, type Key, members, plainKeys, variableOf } from './schema.ts'

/** Flags, variables and the file, each as it stands there: what of it goes over what is `config.ts`'s business. */

export interface ConfigSources {
  /** What stands behind the command. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a text file; throws when it cannot. */
  readonly readFile: (path: string) => string
  /** As `Temporal.Now.timeZoneId()` reports it; it may be no IANA name. */
  readonly systemTimeZone: string
  readonly catalog?: readonly ChannelKind[]
}

/** What a flag or a variable says, and what it is called. */
export interface Said {
  readonly name: string
  readonly text: string
}

export function readFlags(argv: readonly string[], faults: string[]): Map<string, Said> {
  const said = new Map<string, Said>()
  const byFlag = new Map([...plainKeys, 'config'].map((key) => [flagOf(key), key]))
  for (let i = 0; i < argv.length; i++) {
    const [, name = '', inline] = /^(--[^=]+)(?:=(.*))?$/s.exec(argv[i] as string) ?? []
    const key = byFlag.get(name)
    if (!key) {
      // Not what it says: it may be the half of a password behind a space.
      faults.push(
        name ? unknown(name, name, byFlag.keys()) : `argument ${i + 1}: is not a flag; quote a value that has spaces`,
      )
      if (name && inline === undefined && argv[i + 1] && !argv[i + 1]?.startsWith('--')) i++
      continue
    }
    const isSwitch = members[key as Key]?.type === 'boolean'
    const next = argv[i + 1]
    if (isSecret(key)) {
      const variable = variableOf(key)
      faults.push(
        `${name}: is not a flag, since everybody on this machine can read command lines; set ${variable}, or ${variable}_FILE to the path of a file that holds it`,
      )
      // What stands behind it is the secret, not a word to be called unknown.
      if (inline === undefined && next !== undefined && !byFlag.has(next.replace(/=.*/s, ''))) i++
      continue
    }
    if (inline !== undefined) said.set(key, { name, text: inline })
    else if (isSwitch) said.set(key, { name, text: 'true' })
    else if (next === undefined || next.startsWith('--')) faults.push(`${name}: needs a value`)
    else {
      said.set(key, { name, text: next })
      i++
    }
  }
  return said
}

/** `DUEBELL_X`, or `DUEBELL_X_FILE` naming a file that holds the value: for secrets. */
export function readVariables({ env, readFile }: ConfigSources, faults: string[]): Map<string, Said> {
  const said = new Map<string, Said>()
  const byVariable = new Map([...plainKeys, 'config'].map((key) => [variableOf(key), key]))
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('DUEBELL_') || text === undefined) continue
    const key = byVariable.get(name)
    const fileKey = byVariable.get(name.replace(/_FILE$/, ''))
    if (key) said.set(key, { name, text })
    else if (fileKey && env[name.replace(/_FILE$/, '')] !== undefined)
      faults.push(`${name}: is set beside the same without _FILE`)
    else if (fileKey) {
      try {
        said.set(fileKey, { name, text: readFile(text).replace(/\r?\n$/, '') })
      } catch {
        // Not which: people put the secret itself there.
        faults.push(`${name}: must be the path of a file that can be read`)
      }
    } else faults.push(unknown(name, name, byVariable.keys()))
  }
  return said
}

/** The variables of the service that Duebell re-creates name a MySQL server; its database was always this one. */
export function originalDatabase(env: ConfigSources['env']): Said | undefined {
  const { MYSQL_HOST: host, MYSQL_USER: user = 'root', MYSQL_PASSWORD: password = '' } = env
  if (!host) return undefined
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`
  return { name: 'MYSQL_HOST', text: `mysql://${login}@${host}/task_man` }
}

export function readConfigFile(
  { name, text: path }: Said,
  readFile: ConfigSources['readFile'],
  faults: string[],
): Record<string, unknown> {
  let text: string
  try {
    text = readFile(path)
  } catch {
    const isPath = !/[{\n]/.test(path)
    faults.push(isPath ? `${path}: cannot be read` : `${name}: must be the path of a file, not what stands in it`)
    return {}
  }
  try {
    const value: unknown = JSON.parse(text)
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
    faults.push(`${path}: must hold a JSON object`)
  } catch (error) {
    faults.push(`${path}: is not JSON: ${redact((error as Error).message)}`)
  }
  return {}
}

/** The text of a flag or variable as what the schema wants, where it can be that; the check says the rest. */
export function fromText(key: Key, text: string): unknown {
  const { type } = members[key]
  if (type === 'integer') return /^\d+$/.test(text) ? Number(text) : text
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  if (type === 'array') return text.trim() === '' ? [] : text.split(',').map((item) => item.trim())
  return text
}
