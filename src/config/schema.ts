import { channelSettingMembers } from '#channels/settings.ts'
import { limits } from '#core/task.ts'
import Type, { type Static } from '#json-schema.ts'
import { logFormats, logLevels } from '#log.ts'

/**
 * What can be configured. This is the only list: the type, the names of flags and variables and the help text follow from it. Exported
 * for who has to know of every secret: the test that none is told to anybody.
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
      description:
        'Host names, besides localhost and its own addresses, under which a server without login may be addressed',
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
    oidcNewUsers: Type.Boolean({
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
          ...Type.Partial(Type.Object(channelSettingMembers)).properties,
        },
        { additionalProperties: false },
      ),
      { default: [], maxItems: 100, description: 'Where notifications go besides the console (file only)' },
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
  /** A secret: no flag, and its value is repeated nowhere. */
  readonly writeOnly?: boolean
  /** An address that may hold one. It is a flag, since most hold none; one that does is warned of there, and repeated nowhere. */
  readonly mayHoldSecret?: boolean
}
export const members = configSchema.properties as unknown as Record<Key, Member>
export const keys = Object.keys(members) as Key[]
/** Where a value may come from besides the file: all but what has no one-line form. */
export const plainKeys = keys.filter((key) => key !== 'channels')

export const isSecret = (key: string) => members[key as Key]?.writeOnly === true

export const flagOf = (key: string) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
export const variableOf = (key: string) => `DUEBELL_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
