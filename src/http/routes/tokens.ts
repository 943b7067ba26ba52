import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { Context } from '#actions/context.ts'
import { createToken, revokeToken, type TokenRequest } from '#actions/tokens.ts'
import { instantOf } from '#core/date-time.ts'
import { invalidMember } from '#core/problem.ts'
import { type Scope, widest } from '#core/scope.ts'
import type { Authenticator } from '#http/auth/authenticate.ts'
import { listTokens } from '#store/tokens.ts'
import { NewTokenShape, RevokedTokenShape, TokenDraftShape, TokensShape, toTokenWire } from '#wire/accounts.ts'
import { parseTime } from '#wire/task.ts'
import { IdParams, NoQuery, refuseBody } from './tasks.ts'

const tags = ['accounts']

/** What a user's programs ask with, and where he is signed in. */
export function tokenRoutes(
  plain: FastifyInstance,
  { ctx, authenticator, now }: { ctx: Context; authenticator: Pick<Authenticator, 'invalidate'>; now: () => number },
): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  server.get(
    '/v1/tokens',
    {
      schema: {
        operationId: 'listTokens',
        needs: 'admin',
        summary: 'Your tokens, and where you are signed in, the newest first',
        tags,
        querystring: NoQuery,
        response: { 200: TokensShape },
      },
    },
    async ({ actor }) => ({
      tokens: (await listTokens(ctx.db, actor.userId, now())).map((token) => toTokenWire(token, actor)),
    }),
  )

  server.post(
    '/v1/tokens',
    {
      schema: {
        operationId: 'createToken',
        needs: 'admin',
        summary: 'Make a token',
        description:
          'A token made with a token is its child: it has no wider scope, expires no later, and is revoked with it. One made by a session depends on nothing but your role. It is shown in this answer alone: only its hash is kept. So an Idempotency-Key is passed over here; who asks twice has two, and revokes one.',
        tags,
        querystring: NoQuery,
        body: TokenDraftShape,
        response: { 200: NewTokenShape },
        gives: ['location'],
      },
    },
    async ({ body, actor }, reply) => {
      const { record, secret } = await createToken(ctx, actor, toRequest(body, actor.defaults.timeZone))
      reply.header('location', `/v1/tokens/${record.id}`).header('cache-control', 'no-store')
      return { ...toTokenWire(record, actor), token: secret }
    },
  )

  server.delete(
    '/v1/tokens/:id',
    {
      schema: {
        operationId: 'revokeToken',
        needs: 'admin',
        summary: 'Revoke a token, or end a session',
        description:
          'It is good for nothing within a second, on every replica; streams that were begun with it end. All tokens that were made with it are revoked as well, and those made with these.',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: { 200: RevokedTokenShape },
      },
      preHandler: refuseBody,
    },
    async ({ params, actor }) => {
      const { id } = await revokeToken(ctx, actor, params.id)
      authenticator.invalidate()
      return { id }
    },
  )
}

/** @throws Problem `invalid` */
function toRequest(
  { name, scopes: wanted, expires_dt }: { name: string; scopes: Scope[]; expires_dt?: string | null },
  timeZone: string,
): TokenRequest {
  if (!name.isWellFormed() || name.includes('\0'))
    throw invalidMember('/name', 'must be well-formed Unicode, without NUL')
  const scope = widest(wanted) as Scope
  if (expires_dt === undefined) return { name, scope }
  if (expires_dt === null) return { name, scope, expiresAt: null }
  const expires = parseTime(expires_dt)
  if (!expires) throw invalidMember('/expires_dt', 'must be a time like 2026-12-01T10:00:00Z or 2026-12-01')
  return { name, scope, expiresAt: instantOf(expires, timeZone) }
}
