import { catalog } from '#channels/catalog.ts'
import { parseTimeZone } from '#core/date-time.ts'
import { check, checkChannels } from './check.ts'
import { unknown } from './faults.ts'
import { type Config, flagOf, isSecret, type Key, keys, members, plainKeys, variableOf } from './schema.ts'
import { type ConfigSources, fromText, originalDatabase, readConfigFile, readFlags, readVariables } from './sources.ts'
import { checkSystemTimeZone } from './system-time-zone.ts'

export type { Config } from './schema.ts'
export type { ConfigSources } from './sources.ts'

/**
 * Every source of configuration into one frozen Config, or one error that names everything wrong with it. Flags go over the
 * environment, that over the file, that over the defaults.
 */
export class ConfigError extends Error {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** @throws ConfigError naming every fault in every source */
export const parseConfig = (sources: ConfigSources): Config => readConfig(sources).config

/** The same, with warnings for the log. @throws ConfigError naming every fault in every source */
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
    const said = flags.get(key) ?? variables.get(key)
    names[key] = said?.name ?? (key in file ? `${key} in ${path?.text}` : key)
    values[key] = said ? fromText(key, said.text) : key in file ? file[key] : structuredClone(members[key].default)
  }
  for (const key of Object.keys(file)) if (!(key in members)) faults.push(unknown(`${key} in ${path?.text}`, key, keys))

  check(values, names, faults)
  const config = values as Config
  if (faults.length === 0) checkChannels(config, sources.catalog ?? catalog, names.channels as string, faults)
  if (faults.length > 0) throw new ConfigError(faults)
  const warnings = exposedSecrets(sources.argv)
  // Checked above where it is configured.
  let timeZone = parseTimeZone(config.timeZone)
  if (timeZone === undefined) {
    const system = checkSystemTimeZone(sources.systemTimeZone, sources.env.TZ)
    timeZone = system.timeZone
    if (system.warning !== undefined) warnings.push(system.warning)
  }
  return { config: Object.freeze({ ...config, timeZone }), warnings }
}

/** A sentence for each flag that shows a secret to everybody on this machine. @param argv of a configuration that was accepted */
export function exposedSecrets(argv: readonly string[]): string[] {
  return [...readFlags(argv, [])]
    .filter(([key, { text }]) => members[key as Key]?.mayHoldSecret && holdsSecret(text))
    .map(([key, { name }]) => {
      const variable = variableOf(key)
      return `${name} holds a secret, and everybody on this machine can read command lines: set ${variable} instead, or ${variable}_FILE to the path of a file that holds it.`
    })
}

/** The password of a URL, or whatever tells one address of a web server from another. */
function holdsSecret(text: string): boolean {
  const url = URL.parse(text)
  if (!url) return false
  return /^https?:$/.test(url.protocol) ? url.pathname + url.search !== '/' : url.password !== ''
}

/** The flags, their variables and defaults, for `--help`. */
export function describeConfig(): string {
  const lines = plainKeys.map((key) => {
    const { description, default: preset, enum: choices } = members[key]
    const value = Array.isArray(preset) ? preset.join(',') : String(preset)
    const choice = choices ? ` (${choices.join(' | ')})` : ''
    if (isSecret(key)) return `  ${variableOf(key)}, ${variableOf(key)}_FILE\n      ${description}. Not a flag.`
    return `  ${flagOf(key)}, ${variableOf(key)}\n      ${description}${choice}.${value ? ` Default: ${value}` : ''}`
  })
  return [
    '  --config, DUEBELL_CONFIG\n      A JSON file with any of these, in camelCase, and channels.',
    ...lines,
  ].join('\n')
}
