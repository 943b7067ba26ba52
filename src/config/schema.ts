import { channelSettingMembers } from '#channels/settings.ts'
import { clockForm } from '#core/quiet-hours.ts'
import { limits } from '#core/task.ts'
import Type, { type Static } from '#json-schema.ts'
import { logFormats, logLevels } from '#log.ts'

/**
 * The settings. This is the only list: the type, the names of flags and variables, and the help text follow from it. Exported for the test
 * that no secret is ever shown.
 */
export const configSchema = Type.Object(
  {
    host: Type.String({ default: '127.0.0.1', minLength: 1, description: 'Address to listen on' }),
    port: Type.Integer({
      default: 8888,
      minimum: 0,
      maximum: 65_535,
      description: 'Port to listen on; 0 chooses a free port',
    }),
    socket: Type.String({
      default: '',
      description: 'Path of a Unix socket to listen on instead of host and port, for programs of this system user only',
    }),
    tlsCert: Type.String({
      default: '',
      description: 'PEM file with the certificate for https and its intermediate certificates',
    }),
    tlsKey: Type.String({ default: '', description: 'PEM file with the key of that certificate' }),
    databaseUrl: Type.String({
      default: 'sqlite:data/duebell.db',
      pattern: '^(sqlite:.+|(postgres|postgresql|mysql|mariadb)://.+)$',
      mayHoldSecret: true,
      description: 'sqlite:<path of the file>, postgres://user:password@host/database or mysql://…',
    }),
    timeZone: Type.String({
      default: '',
      description: "IANA zone for times without an offset. Defaults to the system's",
    }),
    defaultReminders: Type.Array(Type.String(), {
      default: ['PT15M'],
      maxItems: limits.reminders,
      description:
        'Reminders of tasks that specify none: durations before the expiry, like PT15M, P7D@09:00 (at a time of day) or -P1D (after it); empty for none',
    }),
    defaultDayReminders: Type.Array(Type.String(), {
      default: ['PT0S'],
      maxItems: limits.reminders,
      description: 'The same for tasks that expire on a day, counted from --day-time',
    }),
    dayTime: Type.String({
      default: '09:00',
      pattern: clockForm,
      description: 'HH:MM, the time of day at which tasks that expire on a day remind',
    }),
    trashDays: Type.Integer({
      default: 30,
      minimum: 0,
      maximum: 3_650,
      description: 'Days for which deleted tasks can be restored; with 0, until the next purge, within an hour',
    }),
    logLevel: Type.Enum(logLevels, { default: 'info', description: 'Minimum level to log' }),
    logFormat: Type.Enum(logFormats, {
      default: 'auto',
      description: 'auto is pretty on a terminal, JSON lines otherwise',
    }),
    allowedHosts: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description: 'Host names that a server without login accepts, besides localhost and its own addresses',
    }),
    trustProxy: Type.Array(Type.String(), {
      default: [],
      description:
        'Proxies whose X-Forwarded-For, -Host and -Proto are trusted: addresses, ranges like 10.0.0.0/8, or the word loopback',
    }),
    corsOrigins: Type.Array(Type.String(), {
      default: [],
      description: 'Origins, like https://app.example.org, whose pages may use the API from a browser',
    }),
    rateLimit: Type.Integer({
      default: 6_000,
      minimum: 0,
      maximum: 1_000_000,
      description: 'Requests a minute for each caller; 0 for no limit. A server on loopback without login has no limit',
    }),
    publicUrl: Type.String({
      default: '',
      pattern: '^(https?://[^\\s]+)?$',
      maxLength: 500,
      description:
        'URL of this server for users, like https://tasks.example.org. With it, messages contain links to act on a task',
    }),
    login: Type.Boolean({
      default: false,
      description:
        'Require accounts: users sign in, and programs send tokens. Required on an address that other machines can reach; on loopback, use it for several users or behind a proxy',
    }),
    allowAnyoneOnNetwork: Type.Boolean({
      default: false,
      description:
        'Serve without login on an address that other machines can reach: anyone who can connect can read, change and delete everything',
    }),
    oidcIssuer: Type.String({
      default: '',
      maxLength: 500,
      description:
        'Issuer of an OpenID Connect provider for signing in, exactly as the provider spells it; requires a client id and a public URL',
    }),
    oidcClientId: Type.String({
      default: '',
      maxLength: 500,
      description: 'Client id of this server at the provider, with the redirect URI <public URL>/auth/oidc/callback',
    }),
    oidcClientSecret: Type.String({
      default: '',
      maxLength: 2_000,
      writeOnly: true,
      description: 'Secret of that client; none for a public client',
    }),
    oidcName: Type.String({
      default: 'single sign-on',
      minLength: 1,
      maxLength: 100,
      description: 'Name of the provider, shown on the button',
    }),
    oidcNewUsers: Type.Boolean({
      default: false,
      description: 'Whether users of the provider without an account get one when they first sign in',
    }),
    heartbeatUrl: Type.String({
      default: '',
      maxLength: 2_000,
      mayHoldSecret: true,
      description:
        'URL to GET every minute while reminders work, for an external dead man’s switch; secret if it contains a token',
    }),
    memberHosts: Type.Array(Type.String(), {
      default: [],
      maxItems: 1_000,
      description:
        'Private hosts that channels of users who are not administrators may reach: host names, addresses, ranges like 192.168.1.0/24',
    }),
    channels: Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 100 }),
          kind: Type.String(),
          options: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
          ...Type.Partial(Type.Object(channelSettingMembers)).properties,
        },
        { additionalProperties: false },
      ),
      { default: [], maxItems: 100, description: 'Channels besides the console (file only)' },
    ),
  },
  { additionalProperties: false },
)

export type Config = Readonly<Static<typeof configSchema>>
export type Key = keyof Config & string

interface Member {
  readonly type?: string
  readonly description: string
  readonly default: unknown
  readonly enum?: readonly string[]
  /** A secret: has no flag, and its value is never shown. */
  readonly writeOnly?: boolean
  /** An address that may contain a secret. It has a flag, since most contain none; a flag with a secret logs a warning without it. */
  readonly mayHoldSecret?: boolean
}
export const members = configSchema.properties as unknown as Record<Key, Member>
export const keys = Object.keys(members) as Key[]
/** Settings with a flag and a variable: all that fit into one line. */
export const plainKeys = keys.filter((key) => key !== 'channels')

export const isSecret = (key: string) => members[key as Key]?.writeOnly === true

export const flagOf = (key: string) => `--${key.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`
export const variableOf = (key: string) => `DUEBELL_${key.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase()}`
