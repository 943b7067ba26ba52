import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sessionMs } from '#actions/sign-in.ts'
import { hashSecret } from '#actions/tokens.ts'
import type { Clock } from '#clock.ts'
import type { TokenRecord, User } from '#core/account.ts'
import type { Caller } from '#core/caller.ts'
import { Problem } from '#core/problem.ts'
import { covers, type Scope } from '#core/scope.ts'
import type { Transact } from '#store/engine/transact.ts'
import type { Db } from '#store/schema.ts'
import { extendSession, findToken, markTokenUsed } from '#store/tokens.ts'
import { builtInUserId, findUser } from '#store/users.ts'
import { watchCredentials } from './credential-watch.ts'
import { secretOf, sessionCookie } from './session-cookie.ts'

/**
 * Who is asking, and whether he may. Every route says what it needs (operation.ts); the door looks before anything else is read.
 *
 *   Authorization ─▶ token ─┐
 *   Cookie ───────▶ session ├─▶ looked up, or as it was less than half a second ago ─▶ caller ─▶ scope and role enough? ─▶ route
 *   nothing, and no login ──┘                                                            └─ 401        └─ 403
 *
 * What was looked up is kept for half a second, so that a request costs no read and a token that is revoked is good for nothing within a
 * second on every replica; in this process at once. What is not found is not kept.
 */
declare module 'fastify' {
  interface FastifyRequest {
    /** Null where a route is for everybody, and nobody has said who he is. */
    caller: Caller | null
    /** The same where a route needs somebody: there the door has seen to it. */
    readonly actor: Caller
    /** The scope that this one needs, where that is more than its route says. */
    needed: Scope | null
  }
}

/** @throws Problem `unauthorized` */
export function actorOf(request: FastifyRequest): Caller {
  if (!request.caller) throw nobody()
  return request.caller
}

/** What is not there, or is for everybody: health, pages, sign-in. */
const isPublic = ({ routeOptions }: FastifyRequest) => (routeOptions.schema?.needs ?? 'nothing') === 'nothing'

const nobody = () => new Problem('unauthorized', 'Sign in, or send a token: Authorization: Bearer <token>.')

/** For what needs more than the rest of its route. @throws Problem `forbidden` */
export function requireMore(request: FastifyRequest, needed: Scope): void {
  request.needed = needed
  requireScope(request.actor, needed)
}

function requireScope({ scope }: Caller, needed: Scope): void {
  if (!covers(scope, needed))
    throw new Problem('forbidden', `This needs the scope «${needed}», and the token has «${scope}».`, { scope: needed })
}

export interface Authenticator {
  /** The hook: to be the first that waits for anything. */
  readonly enter: (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void
  /** Where a route is for everybody: who is asking all the same, or null. */
  readonly identify: (request: FastifyRequest, reply: FastifyReply) => Promise<Caller | null>
  /** Something about users or tokens has changed in this process. */
  readonly forget: () => void
  /** Whoever asks over this connection has the rights of the server itself. */
  readonly trust: (socket: Socket) => void
  readonly isTrusted: (socket: Socket) => boolean
  /** Calls `end` once, at once or within a second of it on another replica, when the caller may not ask any more. @returns to be called when it is over before */
  readonly watch: (caller: Caller, end: () => void) => () => void
  close(): Promise<void>
}

const freshMs = 500
/** How long somebody is remembered whom the database cannot be asked for. */
const awayMs = 3_600_000
/** What is kept is small, and forgotten all at once when it is many. */
const maxKept = 10_000
/** To the minute, as `TokenRecord.lastUsedAt` says. */
const markEveryMs = 60_000
const prolongEveryMs = 86_400_000

interface Known {
  readonly at: number
  readonly user: User
  readonly token: TokenRecord | null
  readonly caller: Caller
}

export function createAuthenticator(parts: {
  db: Db
  transact: Transact
  clock: Clock
  /** Whoever reaches this server may do everything: there is no login. */
  isOpen: boolean
  /** Told of each secret that was wrong. */
  onWrong?: (request: FastifyRequest) => void
}): Authenticator {
  const { db, transact, clock, isOpen, onWrong } = parts
  const kept = new Map<string, Known>()
  const trusted = new WeakSet<Socket>()
  const writing = new Set<Promise<void>>()
  const credentials = watchCredentials({ db, clock })
  const asking = new Map<string, Promise<Known | undefined>>()
  /** Counts what was forgotten: what was looked up before is not kept after it. */
  let changes = 0

  /** @param hash of a token; empty for the first user, as which everybody asks where there is no login */
  function lookUp(hash: string): Promise<Known | undefined> {
    // Of a hundred requests that come at once with one token, one looks.
    const begun = asking.get(hash)
    if (begun) return begun
    const asked = look(hash).finally(() => {
      if (asking.get(hash) === asked) asking.delete(hash)
    })
    asking.set(hash, asked)
    return asked
  }

  async function look(hash: string): Promise<Known | undefined> {
    const [at, before] = [clock.now(), changes]
    const token = hash === '' ? null : await findToken(db, hash)
    if (token === undefined || token?.kind === 'invitation') return undefined
    const user = await findUser(db, token?.userId ?? builtInUserId)
    if (!user || user.removedAt !== null) return undefined
    const known = { at, user, token, caller: toCaller(user, token) }
    if (kept.size >= maxKept) kept.clear()
    if (before === changes) kept.set(hash, known)
    // Of one that is good for nothing any more it is not noted: a session that is over would be prolonged by being refused.
    if (token && !rejectionReason(known)) mark(token, at)
    return known
  }

  /** While the database is away: as it was when it was last there. */
  async function lookUpOrRecall(hash: string): Promise<Known | undefined> {
    try {
      return await lookUp(hash)
    } catch (error) {
      const before = kept.get(hash)
      if (before && clock.now() - before.at < awayMs) return before
      throw error
    }
  }

  /** The figures are told while the database is away, to those who were let in a while ago: they say that it is. */
  async function lookUpFor({ routeOptions: { schema } }: FastifyRequest, hash: string): Promise<Known | undefined> {
    return schema?.needs === 'read' && schema.adminOnly ? lookUpOrRecall(hash) : lookUp(hash)
  }

  /** A write beside the request, for none that waits for it, and lost without harm. */
  function mark({ id, kind, lastUsedAt, expiresAt }: TokenRecord, now: number) {
    if (lastUsedAt !== null && now - lastUsedAt < markEveryMs) return
    const until = isToProlong({ kind, expiresAt }, now)
    const write = transact(async (tx) => {
      await markTokenUsed(tx, id, now)
      if (until) await extendSession(tx, id, now + sessionMs)
    }).then(
      () => {},
      () => {},
    )
    writing.add(write)
    write.then(() => writing.delete(write))
  }

  const isFresh = ({ at }: Known) => {
    const age = clock.now() - at
    return age >= 0 && age < freshMs
  }

  /** @throws Problem `unauthorized`, `forbidden` */
  function admit(request: FastifyRequest, reply: FastifyReply, known: Known | undefined, secret?: string): void {
    const { needs, adminOnly, sessionOnly } = request.routeOptions.schema ?? {}
    const problem = rejectionReason(known)
    if (problem && secret !== undefined) onWrong?.(request)
    if (problem) throw problem
    const { caller, token } = known as Known
    request.caller = caller
    prolongCookie(request, reply, token, secret)
    requireScope(caller, needs === 'read' || needs === 'write' ? needs : 'admin')
    if (adminOnly && caller.role !== 'admin')
      throw new Problem('forbidden', 'This is for administrators of the server.')
    if (sessionOnly && token?.kind === 'token')
      throw new Problem('forbidden', 'A token cannot do this: sign in, and do it with that session.')
  }

  function rejectionReason(known: Known | undefined): Problem | undefined {
    if (!known) return new Problem('unauthorized', 'The token is not valid, or no longer.')
    const { token, user } = known
    if (token?.expiresAt != null && token.expiresAt <= clock.now())
      return new Problem(
        'unauthorized',
        token.kind === 'session' ? 'The session is over: sign in again.' : 'The token has expired.',
      )
    if (user.disabledAt !== null && token) return new Problem('unauthorized', 'This account is disabled.')
    return undefined
  }

  /** As long as the session that it names: a browser would forget it a month after the sign-in otherwise, however it was used. */
  function prolongCookie(
    { headers }: FastifyRequest,
    reply: FastifyReply,
    token: TokenRecord | null,
    secret: string | undefined,
  ): void {
    if (secret === undefined || headers.authorization !== undefined || !token || !isToProlong(token, clock.now()))
      return
    reply.header('set-cookie', sessionCookie(secret))
  }

  function enter(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
    let waiting: Promise<void> | undefined
    try {
      waiting = admitNow(request, reply)
    } catch (error) {
      done(error as Error)
      return
    }
    if (waiting) waiting.then(() => done(), done)
    else done()
  }

  /** By callback where nothing has to be looked up: a microtask less in each request. */
  function admitNow(request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined {
    if (isPublic(request)) return undefined
    if (trusted.has(request.raw.socket)) return admitTrusted(request)
    const secret = secretOf(request, isOpen)
    const hash = secret === undefined ? (isOpen ? '' : undefined) : hashSecret(secret)
    if (hash === undefined) {
      if (secret === undefined) throw nobody()
      onWrong?.(request)
      throw new Problem('unauthorized', 'The token is not one of this server, or not whole.')
    }
    const known = kept.get(hash)
    if (!known || !isFresh(known)) return lookUpFor(request, hash).then((found) => admit(request, reply, found, secret))
    admit(request, reply, known, secret)
    return undefined
  }

  /** The rights of the server itself, as whichever user is named. */
  async function admitTrusted(request: FastifyRequest): Promise<void> {
    const id = Number(request.headers['duebell-user'] ?? builtInUserId)
    const user = await findUser(db, id)
    if (!user) throw new Problem('not-found', `There is no user ${id}.`)
    const by = { kind: 'socket', id: null, name: 'on the server itself' } as const
    request.caller = { ...toCaller(user, null), role: 'admin', by }
  }

  async function identify(request: FastifyRequest, reply: FastifyReply): Promise<Caller | null> {
    if (trusted.has(request.raw.socket)) await admitTrusted(request)
    const secret = secretOf(request, isOpen)
    const hash = secret === undefined ? (isOpen ? '' : undefined) : hashSecret(secret)
    // What health tells of a database that is away is asked for while it is.
    const known = hash === undefined ? undefined : await lookUpOrRecall(hash)
    if (!known || rejectionReason(known)) return request.caller
    request.caller = known.caller
    prolongCookie(request, reply, known.token, secret)
    return request.caller
  }

  return {
    enter,
    identify,
    forget() {
      changes++
      kept.clear()
      asking.clear()
      credentials.recheck()
    },
    trust: (socket) => trusted.add(socket),
    isTrusted: (socket) => trusted.has(socket),
    watch(caller, end) {
      const id = caller.by?.id
      return id == null ? () => {} : credentials.watch(id, end)
    },
    async close() {
      credentials.stop()
      await Promise.all(writing)
    },
  }
}

/** A session lasts as long as it is used: that is written down once a day. */
function isToProlong({ kind, expiresAt }: Pick<TokenRecord, 'kind' | 'expiresAt'>, now: number): boolean {
  return kind === 'session' && expiresAt !== null && expiresAt - now < sessionMs - prolongEveryMs
}

export function toCaller(user: User, token: TokenRecord | null): Caller {
  const { id: userId, name, role, defaults } = user
  if (!token) return { userId, name, role, defaults, scope: 'admin', by: null }
  const kind = token.kind === 'session' ? 'session' : 'token'
  return { userId, name, role, defaults, scope: token.scope, by: { kind, id: token.id, name: token.name } }
}
