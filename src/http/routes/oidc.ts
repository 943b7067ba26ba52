import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Logger } from 'pino'
import type { Context } from '#actions/context.ts'
import { signInByIdentity } from '#actions/sign-in.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import { hostCookie } from '#http/auth/cookies.ts'
import { type Oidc, signInMs } from '#http/auth/oidc.ts'
import { sendPage } from '#http/pages/layout.ts'
import { escapeHtml } from '#http/pages/page.ts'
import { problemTypes } from '#http/protocol/problem.ts'
import { deviceOf, startSession } from './sign-in.ts'

interface Parts {
  readonly ctx: Context
  readonly oidc: Oidc
  /** Whether unknown identities get an account. */
  readonly newUsers: boolean
  /** The defaults of the server. */
  readonly defaults: Defaults
  readonly log: Logger
}

/**
 * Sign-in by a provider: `/auth/oidc` redirects the browser to the provider, which redirects it back to `/auth/oidc/callback`. People see
 * both, so an error is a page and no problem document.
 */
export function oidcRoutes(server: FastifyInstance, { ctx, oidc, newUsers, defaults, log }: Parts): void {
  const schema = { hide: true, scope: 'none' } as const

  server.get<{ Querystring: { return_to?: string } }>('/auth/oidc', { schema }, async ({ query, id }, reply) => {
    reply.header('cache-control', 'no-store')
    try {
      const { location, cookie } = await oidc.begin({ returnTo: query.return_to })
      return reply.header('set-cookie', begun.set(cookie, signInMs)).redirect(location)
    } catch (error) {
      return refusal(reply, error, id)
    }
  })

  server.get('/auth/oidc/callback', { schema: { ...schema, operationId: 'signIn' } }, async (request, reply) => {
    reply.header('cache-control', 'no-store').header('set-cookie', begun.set('', 0))
    const cookie = begun.read(request)
    try {
      const { identity, returnTo } = await oidc.finish({ cookie, url: request.url })
      const options = { device: deviceOf(request), newUsers, server: defaults }
      startSession(request, reply, await signInByIdentity(ctx, identity, options))
      return reply.redirect(returnTo)
    } catch (error) {
      return refusal(reply, error, request.id)
    }
  })

  function refusal(reply: FastifyReply, error: unknown, reqId: string): FastifyReply {
    if (!(error instanceof Problem)) throw error
    const { cause } = error.extras
    if (cause !== undefined) log.warn({ err: cause, reqId }, 'a sign-in by the provider failed')
    const body = `<h1>You are not signed in</h1>
<p>${escapeHtml(error.message)}</p>
<p class="or"><a class="button quiet" href="/sign-in">Back to sign-in</a></p>`
    return sendPage(
      reply.code(problemTypes[error.kind].status),
      { title: 'Not signed in', body },
      { 'cache-control': 'no-store' },
    )
  }
}

const begun = hostCookie('duebell-oidc')
