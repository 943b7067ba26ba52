import { createToken } from '#actions/tokens.ts'
import type { Clock } from '#clock.ts'
import { type Config, readConfig } from '#config/config.ts'
import { instantOf } from '#core/date-time.ts'
import { nearest, Problem } from '#core/problem.ts'
import { type Scope, scopes, widest } from '#core/scope.ts'
import { controlPath } from '#http/listen/control-socket.ts'
import { openStore } from '#store/engine/open.ts'
import { builtInUserId, ensureFirstUser, findUserByLogin } from '#store/users.ts'
import { isoText, parseTime } from '#wire/time.ts'
import { askServer } from './ask-server.ts'

/**
 * `duebell token create`, on the server itself: whoever may open its database, or its control socket, may do everything as it is.
 *
 *   embedded database, server running ──▶ asks the server, over the socket beside the file: one process has the file open
 *   else ───────────────────────────────▶ opens the database
 */
export const tokenUsage = `Usage: duebell token create [--name NAME] [--scopes read,write,admin] [--expires TIME] [--user NAME] [options of serve]

Makes a token, and prints it: to be sent as Authorization: Bearer <token>. Works while the server runs, and while it does not.

  --name     What it is for. Default: command line
  --scopes   read, write or admin; each takes the one before it in. Default: admin
  --expires  2027-01-01 or 2027-01-01T10:00:00Z. Default: never
  --user    Whose it is. Default: the first user, who administers the server
  --database-url, --config and the others are as for serve, as are their variables.`

export interface CommandWorld {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readFile: (path: string) => string
  readonly systemTimeZone: string
  readonly clock: Clock
}

interface Wish {
  readonly name: string
  readonly scope: Scope
  /** RFC 3339, or null. */
  readonly expires: string | null
  readonly user: string | null
}

/** @returns the token, and a sentence about it. @throws Problem, ConfigError */
export async function tokenCreate(world: CommandWorld): Promise<{ token: string; about: string }> {
  const { wish: asked, expiresText, rest } = parseWish(world.argv)
  const { config, warnings } = readConfig({ ...world, argv: rest })
  const expires = expiresText === undefined ? null : toInstant(expiresText, config.timeZone)
  const wish: Wish = { ...asked, expires }
  const path = controlPath(config.databaseUrl)
  const made =
    (path === undefined ? undefined : await byServer(path, wish)) ?? (await byDatabase(config, wish, world.clock))
  const notes = [...warnings, ...(made.notes ?? [])]
  const until = wish.expires === null ? 'until it is revoked' : `until ${wish.expires}`
  return {
    token: made.token,
    about: `${notes.map((note) => `${note}\n`).join('')}Token ${made.id} of ${made.user}, with the scope ${wish.scope}, is good ${until}. It is shown this once.`,
  }
}

interface Made {
  readonly token: string
  readonly id: number
  readonly user: string
  /** What opening the database has to say: a wrong path makes a new, empty one. */
  readonly notes?: readonly string[]
}

/** @returns undefined when no server answers there */
async function byServer(path: string, { name, scope, expires, user }: Wish): Promise<Made | undefined> {
  const ask = askServer(path)
  let whose: { id: number; name: string | null } | undefined
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await ask('GET', `/v1/users?limit=1000${cursor && `&cursor=${cursor}`}`)
    if (!page) return undefined
    const { users, next_cursor } = page as {
      users: { id: number; name: string | null }[]
      next_cursor: string | null
    }
    whose ??= users.find((one) => (user === null ? one.id === builtInUserId : one.name === user))
    cursor = next_cursor
  }
  if (!whose) throw noUser(user)
  const draft = { name, scopes: [scope], expires_dt: expires }
  const made = (await ask('POST', '/v1/tokens', draft, whose.id)) as { id: number; token: string } | undefined
  return made && { token: made.token, id: made.id, user: whose.name ?? 'the first user' }
}

async function byDatabase(config: Config, wish: Wish, clock: Clock): Promise<Made> {
  const { databaseUrl, timeZone, defaultReminders: reminders } = config
  const notes: string[] = []
  const log = { info: (text: string) => notes.push(text), warn() {}, error() {} }
  await using store = await openStore(databaseUrl, { clock, log, timeZone, onBroken() {} })
  await store.transact((tx, now) => ensureFirstUser(tx, { timeZone, reminders }, now))
  const found = wish.user === null ? undefined : await findUserByLogin(store.db, wish.user)
  if (wish.user !== null && !found) throw noUser(wish.user)
  const user = found?.user
  const { name, scope, expires } = wish
  const draft = { name, scope, expiresAt: expires === null ? null : Date.parse(expires) }
  const ctx = { db: store.db, transact: store.transact, wake() {} }
  const issuer = { userId: user?.id ?? builtInUserId, scope: 'admin', by: null } as const
  const { record, secret } = await createToken(ctx, issuer, draft)
  return { token: secret, id: record.id, user: user?.name ?? 'the first user', notes }
}

const noUser = (name: string | null) => new Problem('not-found', `There is no user «${name}».`)

const flags = ['--name', '--scopes', '--expires', '--user'] as const

/** What is for this command, and what is left for the configuration. @throws Problem `invalid` */
function parseWish(argv: readonly string[]): {
  wish: Omit<Wish, 'expires'>
  expiresText: string | undefined
  rest: string[]
} {
  const said = new Map<string, string>()
  const rest: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const [, name = '', inline] = /^(--[^=]+)(?:=(.*))?$/s.exec(argv[i] as string) ?? []
    if (!flags.includes(name as (typeof flags)[number])) {
      rest.push(argv[i] as string)
      continue
    }
    const value = inline ?? argv[++i]
    if (value === undefined || value === '' || (inline === undefined && value.startsWith('--')))
      throw new Problem('invalid', `${name}: needs a value`)
    said.set(name, value)
  }
  const name = said.get('--name') ?? 'command line'
  if ([...name].length > 100) throw new Problem('invalid', '--name: has at most 100 characters')
  const wanted = (said.get('--scopes') ?? 'admin').split(',').map((one) => one.trim())
  for (const one of wanted)
    if (!scopes.includes(one as Scope)) {
      const near = nearest(one, scopes)
      throw new Problem(
        'invalid',
        `--scopes: «${one}» is not one; ${near ? `did you mean ${near}?` : `there are ${scopes.join(', ')}`}`,
      )
    }
  const scope = widest(wanted) as Scope
  return { wish: { name, scope, user: said.get('--user') ?? null }, expiresText: said.get('--expires'), rest }
}

function toInstant(text: string, timeZone: string): string {
  const moment = parseTime(text)
  if (!moment) throw new Problem('invalid', '--expires: must be a time like 2027-01-01 or 2027-01-01T10:00:00Z')
  return isoText(instantOf(moment, timeZone))
}
