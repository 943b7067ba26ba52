import type { LongContext } from '#actions/context.ts'
import { signOutEverywhere } from '#actions/tokens.ts'
import * as actions from '#actions/users.ts'
import type { User } from '#core/account.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import { listAudit } from '#store/audit.ts'
import { getUser, listUsers } from '#store/users.ts'
import { toAuditWire, toEndedAccessWire, toInvitationWire, toUserWire } from '#wire/accounts.ts'
import { parseCursor, toCursor } from '#wire/cursor.ts'
import { toEtag } from '#wire/etag.ts'
import type { Handlers } from './call.ts'
import { toPage } from './page.ts'

interface Deps {
  readonly ctx: LongContext
  /** Called after a change of users or tokens, which authentication caches. */
  readonly onUserChanged: () => void
  readonly publicUrl: string
  /** The defaults of the server. */
  readonly defaults: Defaults
}

/** @throws Problem `not-found`, also for a user who is being deleted */
export async function presentUser({ db }: Pick<LongContext, 'db'>, id: number): Promise<User> {
  const user = await getUser(db, id)
  if (user.removedAt !== null) throw new Problem('not-found', `There is no user ${id}.`)
  return user
}

/** The users of the server, for administrators. */
export function userOperations({ ctx, onUserChanged, publicUrl, defaults }: Deps) {
  const result = (user: User) => ({ etag: toEtag(user), body: toUserWire(user) })

  return {
    async listUsers({ query: { limit, cursor } }) {
      const found = await listUsers(ctx.db, cursor === undefined ? 0 : parseCursor(cursor), limit + 1)
      const { page, last } = toPage(found, limit)
      return {
        body: {
          users: page.filter(({ removedAt }) => removedAt === null).map(toUserWire),
          next_cursor: last ? toCursor(last.id) : null,
        },
      }
    },

    async createUser({ body, caller: { by } }) {
      const { user, invitation } = await actions.createUser(ctx, body, { server: defaults, by })
      return {
        location: `/v1/users/${user.id}`,
        etag: toEtag(user),
        isSecret: true,
        body: { ...toUserWire(user), invitation: invitation && toInvitationWire(invitation, user, publicUrl) },
      }
    },

    getUser: async ({ params }) => result(await presentUser(ctx, params.id)),

    async updateUser({ params, body: { name, email, role, disabled }, condition, caller: { by } }) {
      const patch = {
        ...(name !== undefined && { name }),
        ...(email !== undefined && { email }),
        ...(role !== undefined && { role }),
        ...(disabled !== undefined && { disabled }),
      }
      const user = await actions.updateUser(ctx, { id: params.id, ...condition }, patch, by)
      onUserChanged()
      return result(user)
    },

    async deleteUser({ params: { id }, condition }) {
      await actions.deleteUser(ctx, { id, ...condition })
      onUserChanged()
      return { body: { id } }
    },

    async inviteUser({ params }) {
      const { user, invitation } = await actions.inviteUser(ctx, params.id)
      onUserChanged()
      return { isSecret: true, body: toInvitationWire(invitation, user, publicUrl) }
    },

    async signOutUser({ params }) {
      const ended = await signOutEverywhere(ctx, params.id)
      onUserChanged()
      return { body: toEndedAccessWire(ended) }
    },

    async listAudit({ query: { limit, cursor, user_id: userId, operation } }) {
      const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : parseCursor(cursor)
      const found = await listAudit(ctx.db, { userId, operation }, { before, limit: limit + 1 })
      const { page, last } = toPage(found, limit)
      return {
        body: {
          entries: page.map(toAuditWire),
          next_cursor: last ? toCursor(last.id) : null,
        },
      }
    },
  } satisfies Handlers<
    'listUsers' | 'createUser' | 'getUser' | 'updateUser' | 'deleteUser' | 'inviteUser' | 'signOutUser' | 'listAudit'
  >
}
