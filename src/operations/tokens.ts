import type { Context } from '#actions/context.ts'
import { createToken, revokeToken, type TokenRequest } from '#actions/tokens.ts'
import type { TokenDraftWire } from '#api/schemas/account.ts'
import { instantOf } from '#core/date-time.ts'
import { invalidMember } from '#core/problem.ts'
import { type Scope, widest } from '#core/scope.ts'
import { listTokens } from '#store/tokens.ts'
import { toTokenWire } from '#wire/accounts.ts'
import { parseTime } from '#wire/time.ts'
import type { Handlers } from './call.ts'

interface Deps {
  readonly ctx: Context
  readonly onUserChanged: () => void
  readonly now: () => number
}

/** The tokens of a user, and the user's sessions. */
export function tokenOperations({ ctx, onUserChanged, now }: Deps) {
  return {
    listTokens: async ({ caller }) => ({
      body: {
        tokens: (await listTokens(ctx.db, caller.userId, now())).map((token) => toTokenWire(token, caller)),
      },
    }),

    async createToken({ body, caller }) {
      const { record, secret } = await createToken(ctx, caller, toRequest(body, caller.defaults.timeZone))
      return {
        location: `/v1/tokens/${record.id}`,
        isSecret: true,
        body: { ...toTokenWire(record, caller), token: secret },
      }
    },

    async revokeToken({ params: { id }, query, caller }) {
      const isDryRun = query.dry_run === 'true'
      const revoked = await revokeToken(ctx, caller, id, { isDryRun })
      if (!isDryRun) onUserChanged()
      return { body: { id, revoked } }
    },
  } satisfies Handlers<'listTokens' | 'createToken' | 'revokeToken'>
}

/** @throws Problem `invalid` */
function toRequest({ name, scopes, expires_dt }: TokenDraftWire, timeZone: string): TokenRequest {
  if (!name.isWellFormed() || name.includes('\0'))
    throw invalidMember('/name', 'must be well-formed Unicode, without NUL')
  const scope = widest(scopes) as Scope
  if (expires_dt === undefined) return { name, scope }
  if (expires_dt === null) return { name, scope, expiresAt: null }
  const expires = parseTime(expires_dt)
  if (!expires) throw invalidMember('/expires_dt', 'must be a time like 2026-12-01T10:00:00Z or 2026-12-01')
  return { name, scope, expiresAt: instantOf(expires, timeZone) }
}
