import { Ajv, type ErrorObject } from 'ajv'
import { catalog } from '#channels/catalog.ts'
import type { ChannelKind } from '#channels/channel.ts'
import { parseTarget } from '#channels/outbound.ts'
import { policyMembers, toPolicy } from '#channels/policy.ts'
import { anywhere, isListable } from '#channels/reach.ts'
import { checkChoices } from '#core/channel.ts'
import { concealed } from '#core/concealed.ts'
import { parseTimeZone } from '#core/moment.ts'
import { nearest, type Problem } from '#core/problem.ts'
import { parseLead } from '#core/reminder.ts'
import { limits } from '#core/task.ts'
import { isConfidential } from '#core/web-address.ts'
import { originFault } from '#http/cors.ts'
import { proxyFault } from '#http/proxies.ts'
import { socketFault } from '#http/unix-socket.ts'
import Type, { type Static } from '#json-schema.ts'
import { logFormats, logLevels } from './log.ts'

/**
 * Every source of configuration into one frozen Config, or one error that names everything wrong with it. Flags go over the
 * environment, that over the file, that over the defaults. The schema below is the only list: type, names of flags and
 * variables and the help text follow from it. Exported for who has to know of every secret: the test that none is told to anybody.
 */
export const configSchema = Type.Object(
  {
    host: Type.String({ default: '127.0.0.1', minLength: 1, description: 'Address to listen on' }),
    port: Type.Integer({
      default: 8888,
      minimum: 0,
      maximum: 65_535,
      description: 'Port to listen on; 0 takes a free one',
    }),
    socket: Type.String({
      default: '',
      description: 'Path of a Unix socket to listen at instead of host and port, for programs of this user alone',
    }),
    tlsCert: Type.String({
      default: '',
      description: 'File with the certificate for https, in PEM, and those between it and its root',
    }),
    tlsKey: Type.String({ default: '', description: 'File with the key of that certificate, in PEM' }),
    databaseUrl: Type.String({
      default: 'sqlite:data/duebell.db',
      pattern: '^(sqlite:.+|(postgres|postgresql|mysql|mariadb)://.+)$',
      mayHoldSecret: true,
      description: 'sqlite:<path of the file>, postgres://user:password@host/database or mysql://…',
    }),
    timeZone: Type.String({
      default: '',
      description: "IANA zone in which times without an offset are read; by default the system's",
    }),
    defaultReminders: Type.Array(Type.String(), {
      default: ['PT15M'],
      maxItems: limits.reminders,
      description: 'When tasks ring that say nothing of their own: ISO 8601 leads before expiry; empty for never',
    }),
    trashDays: Type.Integer({
      default: 30,
      minimum: 0,
      maximum: 3_650,
      description: 'How long deleted tasks can be restored, in days; 0 until the next purge, within an hour',
    }),
    logLevel: Type.Enum(logLevels, { default: 'info', description: 'Least severe level that is logged' }),
    logFormat: Type.Enum(logFormats, {
      default: 'auto',
      description: 'auto is pretty on a terminal, JSON lines otherwise',
    }),
    allowedHosts: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description: 'Host names, besides localhost, under which a server on loopback may be addressed',
    }),
    trustProxy: Type.Array(Type.String(), {
      default: [],
      description:
        'Proxies whose X-Forwarded-For, -Host and -Proto are believed: addresses, ranges like 10.0.0.0/8, and the word loopback',
    }),
    corsOrigins: Type.Array(Type.String(), {
      default: [],
      description: 'Origins, like https://app.example.org, whose pages may use the API from a browser',
    }),
    rateLimit: Type.Integer({
      default: 6_000,
      minimum: 0,
      maximum: 1_000_000,
      description:
        'Requests a minute of one caller, 0 for as many as it likes; a server on loopback without login has no limit',
    }),
    publicUrl: Type.String({
      default: '',
      pattern: '^(https?://[^\\s]+)?$',
      maxLength: 500,
      description:
        'Where people reach this server, like https://tasks.example.org: messages then have links to act on a task',
    }),
    login: Type.Boolean({
      default: false,
      description:
        'Accounts: people sign in and programs send tokens. Needed on an address that other machines reach; on loopback for several people, or behind a proxy',
    }),
    allowAnyoneOnNetwork: Type.Boolean({
      default: false,
      description:
        'Serve without any login on an address that other machines reach: whoever can connect can read, change and delete everything',
    }),
    oidcIssuer: Type.String({
      default: '',
      maxLength: 500,
      description:
        'Issuer of an OpenID Connect provider by which people may sign in, to the letter as it calls itself; needs a client id and a public URL',
    }),
    oidcClientId: Type.String({
      default: '',
      maxLength: 500,
      description: 'As which this server is registered there, with <public URL>/auth/oidc/callback to come back to',
    }),
    oidcClientSecret: Type.String({
      default: '',
      maxLength: 2_000,
      writeOnly: true,
      description: 'The secret that goes with the client id; none for a public client',
    }),
    oidcName: Type.String({
      default: 'single sign-on',
      minLength: 1,
      maxLength: 100,
      description: 'What people know the provider as: it stands on the button',
    }),
    oidcNewOwners: Type.Boolean({
      default: false,
      description:
        'Whether people whom the provider knows and this server does not get an account when they first sign in',
    }),
    heartbeatUrl: Type.String({
      default: '',
      maxLength: 2_000,
      mayHoldSecret: true,
      description:
        'Called (GET) every minute while the bell works, for a dead man’s switch outside; like a password where it holds a token',
    }),
    memberHosts: Type.Array(Type.String(), {
      default: [],
      maxItems: 1_000,
      description:
        'Where in the private network channels of those may go who do not administer the server: host names, addresses, ranges like 192.168.1.0/24',
    }),
    channels: Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 100 }),
          kind: Type.String(),
          options: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
          ...Type.Partial(Type.Object(policyMembers)).properties,
        },
        { additionalProperties: false },
      ),
      { default: [], maxItems: 100, description: 'Where notices go besides the console (file only)' },
    ),
  },
  { additionalProperties: false },
)

export type Config = Readonly<Static<typeof configSchema>>
type Key = keyof Config & string

interface Member {
  readonly type?: string
  readonly description: string
  readonly default: unknown
  readonly enum?: readonly string[]
  /** A secret: no flag, and its value is repeated nowhere. */
  readonly writeOnly?: boolean
  /** An address that may hold one. It is a flag, since most hold none; one that does is warned of there, and repeated nowhere. */
  readonly mayHoldSecret?: boolean
}
const members = configSchema.properties as unknown as Record<Key, Member>
const keys = Object.keys(members) as Key[]
/** Where a value may come from besides the file: all but what has no one-line form. */
const plainKeys = keys.filter((key) => key !== 'channels')

const isSecret = (key: string) => members[key as Key]?.writeOnly === true

const flagOf = (key: string) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
const variableOf = (key: string) => `DUEBELL_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`

export class ConfigError extends Error {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

export interface ConfigSources {
  /** What stands behind the command. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a text file; throws when it cannot. */
  readonly readFile: (path: string) => string
  /** IANA name. */
  readonly systemTimeZone: string
  readonly catalog?: readonly ChannelKind[]
}

/** @throws ConfigError naming every fault in every source */
export function parseConfig(sources: ConfigSources): Config {
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
  const timeZone = parseTimeZone(config.timeZone || sources.systemTimeZone) as string
  return Object.freeze({ ...config, timeZone })
}

interface Said {
  readonly name: string
  readonly text: string
}

function readFlags(argv: readonly string[], faults: string[]): Map<string, Said> {
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
function readVariables({ env, readFile }: ConfigSources, faults: string[]): Map<string, Said> {
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
function originalDatabase(env: ConfigSources['env']): Said | undefined {
  const { MYSQL_HOST: host, MYSQL_USER: user = 'root', MYSQL_PASSWORD: password = '' } = env
  if (!host) return undefined
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`
  return { name: 'MYSQL_HOST', text: `mysql://${login}@${host}/task_man` }
}

function readConfigFile(
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
    faults.push(`${path}: is not JSON: ${concealed((error as Error).message)}`)
  }
  return {}
}

/** The text of a flag or variable as what the schema wants, where it can be that; the check says the rest. */
function fromText(key: Key, text: string): unknown {
  const { type } = members[key]
  if (type === 'integer') return /^\d+$/.test(text) ? Number(text) : text
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  if (type === 'array') return text.trim() === '' ? [] : text.split(',').map((item) => item.trim())
  return text
}

const ajv = new Ajv({ allErrors: true, strict: false, verbose: true, validateSchema: false })
const isConfig = ajv.compile(configSchema)

function check(values: Record<string, unknown>, names: Record<string, string>, faults: string[]) {
  isConfig(values)
  for (const error of isConfig.errors ?? []) {
    const [, key = '', ...rest] = error.instancePath.split('/')
    faults.push(say(within(names[key] ?? key, rest), error))
  }
  const { timeZone, defaultReminders, heartbeatUrl, memberHosts } = values
  if (typeof heartbeatUrl === 'string' && heartbeatUrl !== '') {
    try {
      parseTarget(heartbeatUrl, '', anywhere)
    } catch (error) {
      faults.push(`${names.heartbeatUrl}: ${(error as Problem).extras.faults?.[0]?.detail}`)
    }
  }
  checkOidc(values, names, faults)
  if (typeof timeZone === 'string' && timeZone !== '' && !parseTimeZone(timeZone))
    faults.push(`${names.timeZone}: must be a time zone of the IANA database, like Europe/Paris`)
  checkDoor(values, names, faults)
  if (Array.isArray(defaultReminders))
    for (const [i, lead] of defaultReminders.entries())
      if (typeof lead === 'string' && !parseLead(lead))
        faults.push(
          `${within(names.defaultReminders as string, [i])}: must be an ISO 8601 duration of at most ten years, like PT15M or P1D`,
        )
  if (Array.isArray(memberHosts))
    for (const [i, host] of memberHosts.entries())
      if (typeof host === 'string' && !isListable(host))
        faults.push(
          `${within(names.memberHosts as string, [i])}: is no host name, no address that is ever spoken to, and no range like 192.168.1.0/24`,
        )
}

/** What is in a member: `memberHosts/1 in duebell.json`. */
const within = (name: string, path: readonly (string | number)[]) =>
  name.replace(/^\S+/, (member) => [member, ...path].join('/'))

/** All or nothing: half of it would be a button that leads nowhere, or none where one is expected. */
function checkOidc(values: Record<string, unknown>, names: Record<string, string>, faults: string[]) {
  const { oidcIssuer: issuer, publicUrl } = values
  if (issuer === '') {
    for (const key of ['oidcClientId', 'oidcClientSecret', 'oidcName', 'oidcNewOwners'] as const)
      if (values[key] !== members[key].default)
        faults.push(`${names[key]}: is of no use without ${bothNamesOf('oidcIssuer')}`)
    return
  }
  if (values.oidcClientId === '') faults.push(`${names.oidcIssuer}: needs ${bothNamesOf('oidcClientId')} too`)
  if (values.login !== true) faults.push(`${names.oidcIssuer}: needs ${bothNamesOf('login')} too`)
  if (publicUrl === '')
    faults.push(`${names.oidcIssuer}: needs ${bothNamesOf('publicUrl')} too, to which the provider sends people back`)
  if (typeof issuer !== 'string') return
  try {
    const { url } = parseTarget(issuer, '', anywhere)
    if (!isConfidential(url))
      faults.push(`${names.oidcIssuer}: must be an https URL; http is for a provider on this machine alone`)
    // OpenID Connect Discovery 1.0 section 3.
    if (/[?#]/.test(issuer)) faults.push(`${names.oidcIssuer}: must not have a query or a fragment`)
  } catch (error) {
    faults.push(`${names.oidcIssuer}: ${(error as Problem).extras.faults?.[0]?.detail}`)
  }
}

const bothNamesOf = (key: string) => `${flagOf(key)} (${variableOf(key)})`

/** How it listens, and who may come in. */
function checkDoor(values: Record<string, unknown>, names: Record<string, string>, faults: string[]) {
  const { socket, tlsCert, tlsKey, trustProxy, corsOrigins } = values
  const tell = (key: Key, fault: string | undefined, ...rest: number[]) => {
    if (fault !== undefined) faults.push(`${within(names[key] as string, rest)}: ${fault}`)
  }
  const isSaid = (value: unknown) => typeof value === 'string' && value !== ''
  if (isSaid(socket)) tell('socket', socketFault(String(socket)))
  if (isSaid(tlsCert) && !isSaid(tlsKey)) tell('tlsCert', 'is of no use without a tlsKey')
  if (isSaid(tlsKey) && !isSaid(tlsCert)) tell('tlsKey', 'is of no use without a tlsCert')
  if (isSaid(tlsCert) && isSaid(socket))
    tell('tlsCert', 'is of no use with a socket, which takes the place of host and port: leave out one of the two')
  if (Array.isArray(trustProxy))
    for (const [i, text] of trustProxy.entries()) tell('trustProxy', proxyFault(String(text)), i)
  if (Array.isArray(corsOrigins))
    for (const [i, text] of corsOrigins.entries()) tell('corsOrigins', originFault(String(text)), i)
}

function checkChannels({ channels }: Config, known: readonly ChannelKind[], name: string, faults: string[]) {
  const seen = new Set(['console'])
  for (const channel of channels) {
    const place = `channel «${channel.name}» (${name})`
    if (seen.has(channel.name)) faults.push(`${place}: the name is taken; «console» is the built-in one`)
    seen.add(channel.name)
    const kind = known.find((one) => one.kind === channel.kind)
    if (!kind) {
      const kinds = known.map((one) => one.kind)
      faults.push(
        `${place}: ${unknown(`kind «${channel.kind}»`, channel.kind, kinds)} (there are: ${kinds.join(', ')})`,
      )
      continue
    }
    try {
      checkChoices({ ...toPolicy(channel), name: channel.name, options: {}, isEnabled: true })
    } catch (error) {
      faults.push(`${place}: ${(error as Error).message}`)
    }
    const isValid = ajv.compile(kind.options)
    if (!isValid(channel.options ?? {}))
      for (const error of isValid.errors ?? []) faults.push(say(`${place}: options${error.instancePath}`, error))
  }
}

/** Never the value: it may be a secret. */
function say(name: string, error: ErrorObject): string {
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

function unknown(what: string, word: string, known: Iterable<string>): string {
  const near = nearest(word, known)
  return `${what}: is not known${near ? `; did you mean ${near}?` : ''}`
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
