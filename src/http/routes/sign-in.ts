import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '#actions/context.ts'
import * as actions from '#actions/sign-in.ts'
import { revokeToken, signOutEverywhere } from '#actions/tokens.ts'
import type { Body } from '#api/operation.ts'
import { sessions } from '#api/operations.ts'
import type { SessionWire } from '#api/schemas/account.ts'
import type { Caller } from '#core/caller.ts'
import { Problem, type ProblemKind } from '#core/problem.ts'
import { scopesWithin } from '#core/scope.ts'
import type { Authenticator } from '#http/auth/authenticate.ts'
import { sessionCookie } from '#http/auth/session-cookie.ts'
import { toCaller } from '#http/auth/token-cache.ts'
import { refuseBody, toRouteOptions } from '#http/bind.ts'
import type { RateLimiter } from '#http/limits/rate-limit.ts'
import { isLoopbackAddress } from '#http/protocol/host-check.ts'
import { getUser } from '#store/users.ts'
import { toEndedAccessWire, toUserWire } from '#wire/accounts.ts'

interface Parts {
  readonly ctx: Context
  readonly authenticator: Pick<Authenticator, 'invalidate' | 'identify'>
  readonly rates: Pick<RateLimiter, 'beginAttempt'>
  readonly isOpen: boolean
  /** The name of the OpenID Connect provider, if there is one. */
  readonly provider: string | null
}

/** Sessions of people. Programs send tokens instead. */
export function signInRoutes(server: FastifyInstance, { ctx, authenticator, rates, isOpen, provider }: Parts): void {
  async function session(caller: Caller | null): Promise<SessionWire> {
    const user = caller && toUserWire(await getUser(ctx.db, caller.userId))
    return {
      user,
      scopes: caller ? scopesWithin(caller.scope) : [],
      by: caller?.by?.kind ?? null,
      sign_in: { required: !isOpen, password: true, provider },
    }
  }

  /** Counts only problems of the kind `failure` as a failed attempt: an error of a busy server is no guess. */
  async function attempt<T>(
    address: string,
    account: string,
    failure: ProblemKind,
    work: () => Promise<T>,
  ): Promise<T> {
    const { succeeded } = rates.beginAttempt(address, account)
    try {
      const done = await work()
      succeeded()
      return done
    } catch (error) {
      if (!(error instanceof Problem && error.kind === failure)) succeeded()
      throw error
    }
  }

  server.get('/v1/session', toRouteOptions(sessions.getSession), async (request, reply) => {
    reply.header('cache-control', 'no-store')
    return session(await authenticator.identify(request, reply))
  })

  server.post<{ Body: Body<typeof sessions.signIn> }>(
    '/v1/session',
    toRouteOptions(sessions.signIn),
    async (request, reply) => {
      requireSecure(request)
      const { login, password } = request.body
      const credentials = { login, password, device: deviceOf(request) }
      const made = await attempt(request.ip, login.toLowerCase(), 'unauthorized', () =>
        actions.signIn(ctx, credentials),
      )
      startSession(request, reply, made)
      return session(request.caller)
    },
  )

  server.delete(
    '/v1/session',
    { ...toRouteOptions(sessions.signOut), preHandler: refuseBody },
    async ({ actor }, reply) => {
      const { by } = actor
      const isSession = by?.kind === 'session' && by.id !== null
      if (isSession) await revokeToken(ctx, actor, by.id)
      authenticator.invalidate()
      reply.header('set-cookie', sessionCookie(''))
      return { signed_out: isSession }
    },
  )

  server.post(
    '/v1/session/sign-out-everywhere',
    { ...toRouteOptions(sessions.signOutEverywhere), preHandler: refuseBody },
    async ({ actor }, reply) => {
      const ended = await signOutEverywhere(ctx, actor.userId)
      authenticator.invalidate()
      reply.header('set-cookie', sessionCookie(''))
      return toEndedAccessWire(ended)
    },
  )

  server.put<{ Body: Body<typeof sessions.changePassword> }>(
    '/v1/session/password',
    toRouteOptions(sessions.changePassword),
    async ({ body: { current = '', password, revoke_tokens: revokeTokens = false }, actor, ip }) => {
      const change = { current, password, revokeTokens }
      const work = () => actions.changePassword(ctx, actor, change)
      const ended = await attempt(ip, `user ${actor.userId}`, 'forbidden', work)
      authenticator.invalidate()
      return { changed: true, ...toEndedAccessWire(ended) }
    },
  )

  server.post<{ Body: Body<typeof sessions.acceptInvitation> }>(
    '/v1/invitations/accept',
    toRouteOptions(sessions.acceptInvitation),
    async (request, reply) => {
      const { code, name = null, password } = request.body
      const acceptance = { invitation: code, name, password, device: deviceOf(request) }
      const accept = () => actions.acceptInvitation(ctx, acceptance)
      const { session: made, token } = await attempt(request.ip, 'an invitation', 'unauthorized', accept)
      authenticator.invalidate()
      startSession(request, reply, made)
      return { user: toUserWire(made.user), token: token?.secret ?? null }
    },
  )
}

/** Starts a session: sets its cookie, and makes its user the caller of this request, for the audit log. */
export function startSession(request: FastifyRequest, reply: FastifyReply, made: actions.Session): void {
  reply.header('cache-control', 'no-store')
  if (isSecure(request)) reply.header('set-cookie', sessionCookie(made.secret))
  request.caller = toCaller(made.user, made.record)
}

/** Whether a browser stores a `Secure` cookie. */
function isSecure({ protocol, hostname }: FastifyRequest): boolean {
  return protocol === 'https' || isLoopbackAddress(hostname.replace(/^\[|\]$/g, ''))
}

/** @throws Problem `forbidden` before a password that was sent unencrypted is checked */
function requireSecure(request: FastifyRequest): void {
  if (!isSecure(request))
    throw new Problem(
      'forbidden',
      'Sign in over https: otherwise anyone on the network could read the password, and no browser would keep the session. Give the server a certificate (--tls-cert), or put it behind a proxy that has one. Programs use tokens.',
    )
}

export function deviceOf({ headers }: FastifyRequest): string {
  return (headers['user-agent'] ?? '').replaceAll(/[^ -~]/g, '').slice(0, 100)
}
