import type { ChannelKind } from '#channels/channel.ts'
import { redact } from '#core/redact.ts'
import { formatUnknown } from './faults.ts'
import { flagAt } from './flags.ts'
import { flagOf, isSecret, type Key, members, plainKeys, variableOf } from './schema.ts'

/** Reads flags, variables and the file, each as it is. `config.ts` decides which takes precedence. */

export interface ConfigSources {
  /** The arguments after the command. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a text file; throws when it cannot. */
  readonly readFile: (path: string) => string
  /** As `Temporal.Now.timeZoneId()` reports it; it may be no IANA name. */
  readonly systemTimeZone: string
  readonly catalog?: readonly ChannelKind[]
}

/** The text of a flag or variable, and its name. */
export interface RawValue {
  readonly name: string
  readonly text: string
}

export function readFlags(argv: readonly string[], faults: string[]): Map<string, RawValue> {
  const values = new Map<string, RawValue>()
  const byFlag = new Map([...plainKeys, 'config'].map((key) => [flagOf(key), key]))
  for (let i = 0; i < argv.length; i++) {
    const { name, isInline, value } = flagAt(argv, i)
    const key = byFlag.get(name)
    if (!key) {
      // Does not repeat the argument, which may be half of a password with a space.
      faults.push(
        name
          ? formatUnknown(name, name, byFlag.keys())
          : `argument ${i + 1}: is not a flag; quote a value that has spaces`,
      )
      if (name && !isInline && value) i++
      continue
    }
    if (isSecret(key)) {
      const variable = variableOf(key)
      faults.push(
        `${name}: is not a flag, since every user of this machine can read command lines; set ${variable}, or ${variable}_FILE to the path of a file that contains it`,
      )
      // The next argument is the secret, which no message may repeat.
      const next = argv[i + 1]
      if (!isInline && next !== undefined && !byFlag.has(next.replace(/=.*/s, ''))) i++
      continue
    }
    const isSwitch = members[key as Key]?.type === 'boolean'
    if (isSwitch && !isInline) values.set(key, { name, text: 'true' })
    else if (value === undefined) faults.push(`${name}: requires a value`)
    else {
      values.set(key, { name, text: value })
      if (!isInline) i++
    }
  }
  return values
}

/** `DUEBELL_X`, or for secrets `DUEBELL_X_FILE`, the path of a file that contains the value. */
export function readVariables({ env, readFile }: ConfigSources, faults: string[]): Map<string, RawValue> {
  const values = new Map<string, RawValue>()
  const byVariable = new Map([...plainKeys, 'config'].map((key) => [variableOf(key), key]))
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('DUEBELL_') || text === undefined) continue
    const key = byVariable.get(name)
    const fileKey = byVariable.get(name.replace(/_FILE$/, ''))
    if (key) values.set(key, { name, text })
    else if (fileKey && env[name.replace(/_FILE$/, '')] !== undefined)
      faults.push(`${name}: is also set without _FILE; set only one of the two`)
    else if (fileKey) {
      try {
        values.set(fileKey, { name, text: readFile(text).replace(/\r?\n$/, '') })
      } catch {
        // Does not repeat the value: users put the secret itself there.
        faults.push(`${name}: must be the path of a readable file`)
      }
    } else faults.push(formatUnknown(name, name, byVariable.keys()))
  }
  return values
}

/** The original service, which Duebell replaces, names its MySQL server by these variables. Its database had a fixed name. */
export function originalDatabase(env: ConfigSources['env']): RawValue | undefined {
  const { MYSQL_HOST: host, MYSQL_USER: user = 'root', MYSQL_PASSWORD: password = '' } = env
  if (!host) return undefined
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`
  return { name: 'MYSQL_HOST', text: `mysql://${login}@${host}/task_man` }
}

export function readConfigFile(
  { name, text: path }: RawValue,
  readFile: ConfigSources['readFile'],
  faults: string[],
): Record<string, unknown> {
  let text: string
  try {
    text = readFile(path)
  } catch {
    const isPath = !/[{\n]/.test(path)
    faults.push(isPath ? `${path}: cannot be read` : `${name}: must be the path of a file, not its content`)
    return {}
  }
  try {
    const value: unknown = JSON.parse(text)
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
    faults.push(`${path}: must contain a JSON object`)
  } catch (error) {
    faults.push(`${path}: is not JSON: ${redact((error as Error).message)}`)
  }
  return {}
}

/** Converts the text of a flag or variable to the schema's type. Text that does not convert stays, and fails validation. */
export function parseText(key: Key, text: string): unknown {
  const { type } = members[key]
  if (type === 'integer') return /^\d+$/.test(text) ? Number(text) : text
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  if (type === 'array') return text.trim() === '' ? [] : text.split(',').map((item) => item.trim())
  return text
}
