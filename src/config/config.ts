import { catalog } from '#channels/catalog.ts'
import { parseTimeZone } from '#core/date-time.ts'
import type { Defaults } from '#core/reminder.ts'
import { checkChannels, checkValues } from './check.ts'
import { formatUnknown } from './faults.ts'
import { type Config, flagOf, isSecret, type Key, keys, members, plainKeys, variableOf } from './schema.ts'
import { type ConfigSources, originalDatabase, parseText, readConfigFile, readFlags, readVariables } from './sources.ts'
import { checkSystemTimeZone } from './system-time-zone.ts'

export type { Config } from './schema.ts'
export type { ConfigSources } from './sources.ts'

/**
 * Merges all sources of configuration into one frozen Config, or throws one error that names every fault. Flags take precedence over
 * environment variables, those over the file, and the file over the defaults.
 */
export class ConfigError extends Error {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** The defaults of users who have not chosen their own. */
export const defaultsOf = ({ defaultReminders, defaultDayReminders, dayTime, timeZone }: Config): Defaults => ({
  reminders: defaultReminders,
  dayReminders: defaultDayReminders,
  dayTime,
  timeZone,
})

/** @throws ConfigError naming every fault in every source */
export const parseConfig = (sources: ConfigSources): Config => readConfig(sources).config

/** The configuration with warnings for the log. @throws ConfigError naming every fault in every source */
export function readConfig(sources: ConfigSources): { config: Config; warnings: string[] } {
  const faults: string[] = []
  const flags = readFlags(sources.argv, faults)
  const variables = readVariables(sources, faults)
  const path = flags.get('config') ?? variables.get('config')
  const file = path === undefined ? {} : readConfigFile(path, sources.readFile, faults)

  const fromOriginal = originalDatabase(sources.env)
  if (fromOriginal && !variables.has('databaseUrl') && !('databaseUrl' in file))
    variables.set('databaseUrl', fromOriginal)

  const values: Record<string, unknown> = {}
  const names: Record<string, string> = {}
  for (const key of keys) {
    const raw = flags.get(key) ?? variables.get(key)
    names[key] = raw?.name ?? (key in file ? `${key} in ${path?.text}` : key)
    values[key] = raw ? parseText(key, raw.text) : key in file ? file[key] : structuredClone(members[key].default)
  }
  for (const key of Object.keys(file))
    if (!(key in members)) faults.push(formatUnknown(`${key} in ${path?.text}`, key, keys))

  checkValues(values, names, faults)
  const config = values as Config
  if (faults.length === 0) checkChannels(config, sources.catalog ?? catalog, names.channels as string, faults)
  if (faults.length > 0) throw new ConfigError(faults)
  const warnings = exposedSecrets(sources.argv)
  // A configured zone is checked above.
  let timeZone = parseTimeZone(config.timeZone)
  if (timeZone === undefined) {
    const system = checkSystemTimeZone(sources.systemTimeZone, sources.env.TZ)
    timeZone = system.timeZone
    if (system.warning !== undefined) warnings.push(system.warning)
  }
  return { config: Object.freeze({ ...config, timeZone }), warnings }
}

/** A warning for each flag that shows a secret to every user of this machine. @param argv of a valid configuration */
export function exposedSecrets(argv: readonly string[]): string[] {
  return [...readFlags(argv, [])]
    .filter(([key, { text }]) => members[key as Key]?.mayHoldSecret && holdsSecret(text))
    .map(([key, { name }]) => {
      const variable = variableOf(key)
      return `${name} contains a secret, and every user of this machine can read command lines: set ${variable} instead, or ${variable}_FILE to the path of a file that contains it.`
    })
}

/** Whether a URL has a password, or for a web server a path or query that may contain a token. */
function holdsSecret(text: string): boolean {
  const url = URL.parse(text)
  if (!url) return false
  return /^https?:$/.test(url.protocol) ? url.pathname + url.search !== '/' : url.password !== ''
}

/** The flags, their variables and defaults, for `--help`. */
export function describeConfig(): string {
  const lines = plainKeys.map((key) => {
    const { description, default: preset, enum: allowedValues } = members[key]
    const value = Array.isArray(preset) ? preset.join(',') : String(preset)
    const allowed = allowedValues ? ` (${allowedValues.join(' | ')})` : ''
    if (isSecret(key)) return `  ${variableOf(key)}, ${variableOf(key)}_FILE\n      ${description}. Not a flag.`
    return `  ${flagOf(key)}, ${variableOf(key)}\n      ${description}${allowed}.${value ? ` Default: ${value}` : ''}`
  })
  return [
    '  --config, DUEBELL_CONFIG\n      A JSON file with any of these, in camelCase, and channels.',
    ...lines,
  ].join('\n')
}
