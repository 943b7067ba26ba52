import { createToken } from '#actions/tokens.ts'
import type { UserWire } from '#api/schemas/account.ts'
import type { Clock } from '#clock.ts'
import { type Config, defaultsOf, readConfig } from '#config/config.ts'
import { flagAt } from '#config/flags.ts'
import type { ConfigSources } from '#config/sources.ts'
import { instantOf } from '#core/date-time.ts'
import { nearest, Problem } from '#core/problem.ts'
import { type Scope, scopes, widest } from '#core/scope.ts'
import { controlPath } from '#http/listen/control-socket.ts'
import { openStore } from '#store/engine/open.ts'
import { ensureFirstUser } from '#store/user-writes.ts'
import { builtInUserId, findUserByLogin } from '#store/users.ts'
import { isoText, parseTime } from '#wire/time.ts'
import { withRunningServer } from './running-server.ts'

/**
 * `duebell token create`, on the server's machine. It needs no login: a user who may open the database or the control socket has full
 * access anyway.
 *
 *   SQLite, server running ──▶ sends a request over the socket beside the file, since one process has the file open
 *   otherwise ───────────────▶ opens the database
 */
export const tokenUsage = `Usage: duebell token create [--name NAME] [--scopes read,write,admin] [--expires TIME] [--user NAME] [options of serve]

Create a token and print it. Send it as Authorization: Bearer <token>. Works whether the server is running or not.

  --name     Purpose of the token. Default: command line
  --scopes   read, write or admin; each includes the ones before it. Default: admin
  --expires  2027-01-01 or 2027-01-01T10:00:00Z. Default: never
  --user     Name of its user. Default: the first user, who administers the server
  --database-url, --config and the others work as for serve, as do their variables.`

export interface CommandEnvironment extends Omit<ConfigSources, 'catalog'> {
  readonly clock: Clock
}

interface TokenRequest {
  readonly name: string
  readonly scope: Scope
  /** RFC 3339, or null. */
  readonly expires: string | null
  readonly user: string | null
}

/** @returns the token, and a description of it. @throws Problem, ConfigError */
export async function tokenCreate(environment: CommandEnvironment): Promise<{ token: string; about: string }> {
  const { args, expiresText, rest } = parseArgs(environment.argv)
  const { config, warnings } = readConfig({ ...environment, argv: rest })
  const expires = expiresText === undefined ? null : toInstant(expiresText, config.timeZone)
  const request: TokenRequest = { ...args, expires }
  const path = controlPath(config.databaseUrl)
  const created =
    (path === undefined ? undefined : await byServer(path, request)) ??
    (await byDatabase(config, request, environment.clock))
  const notes = [...warnings, ...(created.notes ?? [])]
  const until = request.expires === null ? 'until it is revoked' : `until ${request.expires}`
  return {
    token: created.token,
    about: `${notes.map((note) => `${note}\n`).join('')}Token ${created.id} of ${created.user}, with the scope ${request.scope}, is valid ${until}. It is shown only once.`,
  }
}

interface CreatedToken {
  readonly token: string
  readonly id: number
  readonly user: string
  /** Messages from opening the database: a wrong path creates a new, empty one. */
  readonly notes?: readonly string[]
}

/** @returns undefined when no server is running */
function byServer(path: string, request: TokenRequest): Promise<CreatedToken | undefined> {
  const { name, scope, expires, user: userName } = request
  const isMeant = (user: UserWire) => (userName === null ? user.id === builtInUserId : user.name === userName)
  return withRunningServer(path, async (connect) => {
    for await (const user of connect().iterateUsers()) {
      if (!isMeant(user)) continue
      const { id, token } = await connect(user.id).createToken({ name, scopes: [scope], expires_dt: expires })
      return { id, token, user: user.name ?? 'the first user' }
    }
    throw noUser(userName)
  })
}

async function byDatabase(config: Config, request: TokenRequest, clock: Clock): Promise<CreatedToken> {
  const { databaseUrl, timeZone } = config
  const notes: string[] = []
  const log = { info: (text: string) => notes.push(text), warn() {}, error() {} }
  await using store = await openStore(databaseUrl, { clock, log, timeZone, onBroken() {} })
  await store.transact((tx, now) => ensureFirstUser(tx, defaultsOf(config), now))
  const found = request.user === null ? undefined : await findUserByLogin(store.db, request.user)
  if (request.user !== null && !found) throw noUser(request.user)
  const user = found?.user
  const { name, scope, expires } = request
  const draft = { name, scope, expiresAt: expires === null ? null : Date.parse(expires) }
  const ctx = { db: store.db, transact: store.transact, wake() {} }
  const issuer = { userId: user?.id ?? builtInUserId, scope: 'admin', by: null } as const
  const { record, secret } = await createToken(ctx, issuer, draft)
  return { token: secret, id: record.id, user: user?.name ?? 'the first user', notes }
}

const noUser = (name: string | null) => new Problem('not-found', `There is no user «${name}».`)

const flags = ['--name', '--scopes', '--expires', '--user'] as const

/** Separates the flags of this command from those of the configuration. @throws Problem `invalid` */
function parseArgs(argv: readonly string[]): {
  args: Omit<TokenRequest, 'expires'>
  expiresText: string | undefined
  rest: string[]
} {
  const values = new Map<string, string>()
  const rest: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const { name, isInline, value } = flagAt(argv, i)
    if (!flags.includes(name as (typeof flags)[number])) {
      rest.push(argv[i] as string)
      continue
    }
    if (!value) throw new Problem('invalid', `${name}: requires a value`)
    values.set(name, value)
    if (!isInline) i++
  }
  const name = values.get('--name') ?? 'command line'
  if ([...name].length > 100) throw new Problem('invalid', '--name: must have at most 100 characters')
  const wanted = (values.get('--scopes') ?? 'admin').split(',').map((one) => one.trim())
  for (const one of wanted)
    if (!scopes.includes(one as Scope)) {
      const near = nearest(one, scopes)
      throw new Problem(
        'invalid',
        `--scopes: «${one}» is not a scope; ${near ? `did you mean ${near}?` : `the scopes are ${scopes.join(', ')}`}`,
      )
    }
  const scope = widest(wanted) as Scope
  return { args: { name, scope, user: values.get('--user') ?? null }, expiresText: values.get('--expires'), rest }
}

function toInstant(text: string, timeZone: string): string {
  const time = parseTime(text)
  if (!time) throw new Problem('invalid', '--expires: must be a time like 2027-01-01 or 2027-01-01T10:00:00Z')
  return isoText(instantOf(time, timeZone))
}
