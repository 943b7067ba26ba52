import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { hashSecret } from '#actions/tokens.ts'
import type { Clock } from '#clock.ts'
import type { TokenRecord } from '#core/account.ts'
import type { Caller } from '#core/caller.ts'
import { Problem } from '#core/problem.ts'
import { covers, type Scope } from '#core/scope.ts'
import type { Transact } from '#store/engine/transact.ts'
import type { Db } from '#store/schema.ts'
import { builtInUserId, findUser } from '#store/users.ts'
import { watchCredentials } from './credential-watch.ts'
import { secretOf, sessionCookie } from './session-cookie.ts'
import { type Credential, createTokenCache, firstUserHash, type TokenCache, toCaller } from './token-cache.ts'
import { createTokenUse, isProlongationDue } from './token-use.ts'

/**
 * Authenticates the caller of a request and authorizes it, before its body is read. Every route declares what it needs (operation.ts).
 *
 *   Authorization ─▶ token ─┐
 *   Cookie ───────▶ session ├─▶ read, or cached for half a second (token-cache.ts) ─▶ caller ─▶ scope and role enough? ─▶ route
 *   neither, and no login ──┘                                                        └─ 401        └─ 403
 */
declare module 'fastify' {
  interface FastifyRequest {
    /** Null where a route needs no caller and the request has no credential. */
    caller: Caller | null
    /** The same where a route needs a caller: authentication guarantees it. */
    readonly actor: Caller
    /** The scope that this request needs, where that is more than its route declares. */
    needed: Scope | null
  }
}

/** @throws Problem `unauthorized` */
export function actorOf(request: FastifyRequest): Caller {
  if (!request.caller) throw noCredential()
  return request.caller
}

/** Unknown paths, and routes without authentication: health, pages, sign-in. */
const isPublic = ({ routeOptions }: FastifyRequest) => (routeOptions.schema?.scope ?? 'none') === 'none'

const noCredential = () => new Problem('unauthorized', 'Sign in, or send a token: Authorization: Bearer <token>.')

/** For a request that needs more than its route declares. @throws Problem `forbidden` */
export function requireMore(request: FastifyRequest, needed: Scope): void {
  request.needed = needed
  requireScope(request.actor, needed)
}

function requireScope({ scope }: Caller, needed: Scope): void {
  if (!covers(scope, needed))
    throw new Problem('forbidden', `This needs the scope «${needed}», and the token has «${scope}».`, { scope: needed })
}

export interface Authenticator {
  /** The onRequest hook. Only it reads the database, so it must be the last that may reject. */
  readonly authenticate: (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void
  /** Returns the caller of a route that needs none, or null. */
  readonly identify: (request: FastifyRequest, reply: FastifyReply) => Promise<Caller | null>
  /** Call it when users or tokens have changed in this process. */
  readonly invalidate: () => void
  /** Gives all requests on this connection the rights of the server itself. */
  readonly trust: (socket: Socket) => void
  readonly isTrusted: (socket: Socket) => boolean
  /**
   * Calls `end` once when the caller loses access: at once, or within a second where another replica ended it.
   * @returns stops watching
   */
  readonly watch: (caller: Caller, end: () => void) => () => void
  close(): Promise<void>
}

export interface AuthenticatorOptions {
  readonly db: Db
  readonly transact: Transact
  readonly clock: Clock
  /** There is no login: every request may do everything. */
  readonly isOpen: boolean
  /** Called for each wrong secret. */
  readonly onWrong?: (request: FastifyRequest) => void
}

/** The state of an authenticator. */
interface State extends Pick<AuthenticatorOptions, 'db' | 'clock' | 'isOpen' | 'onWrong'> {
  readonly trusted: WeakSet<Socket>
  readonly cache: TokenCache
}

export function createAuthenticator({ transact, ...options }: AuthenticatorOptions): Authenticator {
  const { clock } = options
  const credentials = watchCredentials(options)
  const use = createTokenUse({ transact })
  const cache = createTokenCache({
    ...options,
    onRead(credential) {
      const { token, at } = credential
      // The use of an invalid one is not recorded: that would prolong an expired session.
      if (token && !rejectionReason(credential, clock.now())) use.record(token, at)
    },
  })
  const trusted = new WeakSet<Socket>()
  const state: State = { ...options, trusted, cache }
  return {
    authenticate(request, reply, done) {
      let checking: Promise<void> | undefined
      try {
        checking = check(state, request, reply)
      } catch (error) {
        done(error as Error)
        return
      }
      if (checking) checking.then(() => done(), done)
      else done()
    },
    identify: (request, reply) => identify(state, request, reply),
    invalidate() {
      cache.invalidate()
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
      await use.close()
    },
  }
}

/**
 * Returns a promise only where the database is read: otherwise each request saves a microtask.
 * @throws Problem `unauthorized`, `forbidden`
 */
function check(state: State, request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined {
  if (isPublic(request)) return undefined
  if (state.trusted.has(request.raw.socket)) return authenticateTrusted(state, request)
  const secret = secretOf(request, state.isOpen)
  const hash = hashOf(secret, state.isOpen)
  if (hash === undefined) {
    if (secret === undefined) throw noCredential()
    state.onWrong?.(request)
    throw new Problem('unauthorized', 'The token is malformed, or not from this server.')
  }
  const fresh = state.cache.getFresh(hash)
  if (!fresh) return read(state, request, hash).then((found) => accept(state, request, reply, found, secret))
  accept(state, request, reply, fresh, secret)
  return undefined
}

/** Returns undefined without a credential, and for a malformed secret. */
function hashOf(secret: string | undefined, isOpen: boolean): string | undefined {
  if (secret === undefined) return isOpen ? firstUserHash : undefined
  return hashSecret(secret)
}

/** Administrators read the metrics while the database is unavailable, to see that it is. */
function read({ cache }: State, { routeOptions: { schema } }: FastifyRequest, hash: string) {
  return schema?.scope === 'read' && schema.adminOnly ? cache.readOrStale(hash) : cache.read(hash)
}

/** @throws Problem `unauthorized`, `forbidden` */
function accept(
  { clock, onWrong }: State,
  request: FastifyRequest,
  reply: FastifyReply,
  found: Credential | undefined,
  secret: string | undefined,
): void {
  const problem = rejectionReason(found, clock.now())
  if (problem && secret !== undefined) onWrong?.(request)
  if (problem) throw problem
  const credential = found as Credential
  request.caller = credential.caller
  prolongCookie(request, reply, credential.token, secret, clock.now())
  authorize(request, credential)
}

/** Gives the rights of the server itself, as the user that the request names. */
async function authenticateTrusted({ db }: State, request: FastifyRequest): Promise<void> {
  const id = Number(request.headers['duebell-user'] ?? builtInUserId)
  const user = await findUser(db, id)
  if (!user) throw new Problem('not-found', `There is no user ${id}.`)
  const by = { kind: 'socket', id: null, name: 'on the server itself' } as const
  request.caller = { ...toCaller(user, null), role: 'admin', by }
}

async function identify(state: State, request: FastifyRequest, reply: FastifyReply): Promise<Caller | null> {
  const { cache, clock } = state
  if (state.trusted.has(request.raw.socket)) await authenticateTrusted(state, request)
  const secret = secretOf(request, state.isOpen)
  const hash = hashOf(secret, state.isOpen)
  // /v1/health shows its details while the database is unavailable, too.
  const found = hash === undefined ? undefined : await cache.readOrStale(hash)
  if (!found || rejectionReason(found, clock.now())) return request.caller
  request.caller = found.caller
  prolongCookie(request, reply, found.token, secret, clock.now())
  return request.caller
}

/** Returns why a credential is not valid, if it is not. */
function rejectionReason(credential: Credential | undefined, now: number): Problem | undefined {
  if (!credential) return new Problem('unauthorized', 'The token is not valid.')
  const { token, user } = credential
  if (token?.expiresAt != null && token.expiresAt <= now)
    return new Problem(
      'unauthorized',
      token.kind === 'session' ? 'The session has expired. Sign in again.' : 'The token has expired.',
    )
  if (user.disabledAt !== null && token) return new Problem('unauthorized', 'This account is disabled.')
  return undefined
}

/** @throws Problem `forbidden` */
function authorize({ routeOptions }: FastifyRequest, { caller, token }: Credential): void {
  const { scope = 'admin', adminOnly, sessionOnly } = routeOptions.schema ?? {}
  requireScope(caller, scope === 'none' ? 'admin' : scope)
  if (adminOnly && caller.role !== 'admin')
    throw new Problem('forbidden', 'Only administrators of the server may do this.')
  if (sessionOnly && token?.kind === 'token')
    throw new Problem('forbidden', 'A token cannot do this. Sign in, and use that session.')
}

/** Prolongs the cookie with its session: otherwise a browser deletes it a month after the sign-in, however often it was used. */
function prolongCookie(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  token: TokenRecord | null,
  secret: string | undefined,
  now: number,
): void {
  if (secret === undefined || headers.authorization !== undefined || !token || !isProlongationDue(token, now)) return
  reply.header('set-cookie', sessionCookie(secret))
}
