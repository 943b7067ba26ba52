import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '#actions/context.ts'
import * as actions from '#actions/sign-in.ts'
import { revokeToken, signOutEverywhere } from '#actions/tokens.ts'
import type { Caller } from '#core/caller.ts'
import { Problem, type ProblemKind } from '#core/problem.ts'
import { scopesWithin } from '#core/scope.ts'
import type { Authenticator } from '#http/auth/authenticate.ts'
import { sessionCookie } from '#http/auth/session-cookie.ts'
import { toCaller } from '#http/auth/token-cache.ts'
import type { RateLimiter } from '#http/limits/rate-limit.ts'
import { isLoopbackAddress } from '#http/protocol/host-check.ts'
import { getUser } from '#store/users.ts'
import {
  AcceptedInvitationShape,
  AcceptInvitationShape,
  PasswordChangedShape,
  PasswordChangeShape,
  SessionShape,
  type SessionWire,
  SignedOutEverywhereShape,
  SignedOutShape,
  SignInShape,
  toEndedAccessWire,
  toUserWire,
} from '#wire/accounts.ts'
import { NoQuery, refuseBody } from './tasks.ts'

interface Parts {
  readonly ctx: Context
  readonly authenticator: Pick<Authenticator, 'invalidate' | 'identify'>
  readonly rates: Pick<RateLimiter, 'beginAttempt'>
  readonly isOpen: boolean
  /** What the button to a provider of identities says, if there is one. */
  readonly provider: string | null
}

const tags = ['accounts']

/** How people come in and go out. Programs send tokens instead. */
export function signInRoutes(plain: FastifyInstance, { ctx, authenticator, rates, isOpen, provider }: Parts): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  async function session(caller: Caller | null): Promise<SessionWire> {
    const user = caller && toUserWire(await getUser(ctx.db, caller.userId))
    return {
      user,
      scopes: caller ? scopesWithin(caller.scope) : [],
      by: caller?.by?.kind ?? null,
      sign_in: { required: !isOpen, password: true, provider },
    }
  }

  /** Counts as a failure what is refused so, and nothing else: a server that is busy is nobody's guess. */
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

  server.get(
    '/v1/session',
    {
      schema: {
        operationId: 'getSession',
        needs: 'nothing',
        summary: 'Who is asking, and how one comes in',
        tags,
        querystring: NoQuery,
        response: { 200: SessionShape },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store')
      return session(await authenticator.identify(request, reply))
    },
  )

  server.post(
    '/v1/session',
    {
      schema: {
        operationId: 'signIn',
        needs: 'nothing',
        summary: 'Sign in with name and password, as a person in a browser',
        description:
          'Sets a cookie for a month, which only pages of this server can use. Over https, or on the machine itself: elsewhere a browser would not keep it.',
        tags,
        querystring: NoQuery,
        body: SignInShape,
        response: { 200: SessionShape },
        problems: ['unauthorized'],
      },
    },
    async (request, reply) => {
      requireSecure(request)
      const { login, password } = request.body
      const wish = { login, password, device: deviceOf(request) }
      const made = await attempt(request.ip, login.toLowerCase(), 'unauthorized', () => actions.signIn(ctx, wish))
      enter(request, reply, made)
      return session(request.caller)
    },
  )

  server.delete(
    '/v1/session',
    {
      schema: {
        operationId: 'signOut',
        needs: 'read',
        summary: 'Sign out: the session ends here and everywhere',
        tags,
        querystring: NoQuery,
        response: { 200: SignedOutShape },
      },
      preHandler: refuseBody,
    },
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
    {
      schema: {
        operationId: 'signOutEverywhere',
        needs: 'admin',
        summary: 'End all your sessions and tokens',
        description:
          'Every session, every token and every open invitation of yours ends, also the one that this request was sent with. Streams end at once. Sign in again to go on.',
        tags,
        querystring: NoQuery,
        response: { 200: SignedOutEverywhereShape },
      },
      preHandler: refuseBody,
    },
    async ({ actor }, reply) => {
      const ended = await signOutEverywhere(ctx, actor.userId)
      authenticator.invalidate()
      reply.header('set-cookie', sessionCookie(''))
      return toEndedAccessWire(ended)
    },
  )

  server.put(
    '/v1/session/password',
    {
      schema: {
        operationId: 'changePassword',
        needs: 'admin',
        sessionOnly: true,
        summary: 'Change your password; wherever else you are signed in, that ends',
        description:
          'All your other sessions end, and open invitations. Tokens stay valid, so that programs go on, unless `revoke_tokens` is true: set it when somebody else may have had your password. A bearer token cannot set or change a password, also where there is none yet.',
        tags,
        querystring: NoQuery,
        body: PasswordChangeShape,
        response: { 200: PasswordChangedShape },
      },
    },
    async ({ body: { current = '', password, revoke_tokens: revokeTokens = false }, actor, ip }) => {
      const change = { current, password, revokeTokens }
      const work = () => actions.changePassword(ctx, actor, change)
      const ended = await attempt(ip, `user ${actor.userId}`, 'forbidden', work)
      authenticator.invalidate()
      return { changed: true, ...toEndedAccessWire(ended) }
    },
  )

  server.post(
    '/v1/invitations/accept',
    {
      schema: {
        operationId: 'acceptInvitation',
        needs: 'nothing',
        summary: 'Set a password by an invitation, or set the server up by its first one',
        description:
          'The code of an invitation, or what stands behind the # of its link, is good for this once. All sessions and tokens of the account end, but at the first set-up of a server: there the first user chooses a name, and gets a token of all scopes, shown this once.',
        tags,
        querystring: NoQuery,
        body: AcceptInvitationShape,
        response: { 200: AcceptedInvitationShape },
        problems: ['unauthorized'],
      },
    },
    async (request, reply) => {
      const { code, name = null, password } = request.body
      const wish = { invitation: code, name, password, device: deviceOf(request) }
      const accept = () => actions.acceptInvitation(ctx, wish)
      const { session: made, token } = await attempt(request.ip, 'an invitation', 'unauthorized', accept)
      authenticator.invalidate()
      enter(request, reply, made)
      return { user: toUserWire(made.user), token: token?.secret ?? null }
    },
  )
}

/** From here on the browser, and this request in what is written down of it, is somebody. */
export function enter(request: FastifyRequest, reply: FastifyReply, made: actions.Session): void {
  reply.header('cache-control', 'no-store')
  if (isSecure(request)) reply.header('set-cookie', sessionCookie(made.secret))
  request.caller = toCaller(made.user, made.record)
}

/** Whether a browser keeps a cookie that is `Secure`. */
function isSecure({ protocol, hostname }: FastifyRequest): boolean {
  return protocol === 'https' || isLoopbackAddress(hostname.replace(/^\[|\]$/g, ''))
}

/** @throws Problem `forbidden`, before a password is looked at that was sent in the clear */
function requireSecure(request: FastifyRequest): void {
  if (!isSecure(request))
    throw new Problem(
      'forbidden',
      'People sign in over https: without it everybody on the way could read the password, and no browser would keep the session. Give the server a certificate (--tls-cert), or put it behind a proxy that has one. Programs use tokens.',
    )
}

export function deviceOf({ headers }: FastifyRequest): string {
  return (headers['user-agent'] ?? '').replaceAll(/[^ -~]/g, '').slice(0, 100)
}
