import { Readable } from 'node:stream'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { LongContext } from '#actions/context.ts'
import { signOutEverywhere } from '#actions/tokens.ts'
import * as actions from '#actions/users.ts'
import type { User } from '#core/account.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Authenticator } from '#http/auth/authenticate.ts'
import { parseConditions } from '#http/protocol/conditional-requests.ts'
import { exportUser } from '#http/user-export.ts'
import Type from '#json-schema.ts'
import { getUser, listUsers } from '#store/users.ts'
import {
  DeletedUserShape,
  InvitationShape,
  NewUserShape,
  SignedOutEverywhereShape,
  toEndedAccessWire,
  toInvitationWire,
  toUserWire,
  UserDraftShape,
  UserPatchShape,
  UserShape,
  UsersShape,
} from '#wire/accounts.ts'
import { toEtag } from '#wire/task.ts'
import { IdParams, NoQuery, parseCursor, refuseBody, toCursor } from './tasks.ts'

interface Parts {
  readonly ctx: LongContext
  readonly authenticator: Pick<Authenticator, 'invalidate'>
  readonly publicUrl: string
  /** What holds for users who have not chosen. */
  readonly defaults: Defaults
}

const tags = ['accounts']
const PageQuery = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
    cursor: Type.Optional(Type.String({ maxLength: 100 })),
  },
  { additionalProperties: false },
)

/** Who is on this server, for those who administer it. */
export function userRoutes(plain: FastifyInstance, { ctx, authenticator, publicUrl, defaults }: Parts): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()
  /** What all of them have in common. */
  const ofServer = { tags, needs: 'admin', adminOnly: true } as const
  const ofOne = { ...ofServer, params: IdParams, querystring: NoQuery } as const

  async function find(id: number): Promise<User> {
    const user = await getUser(ctx.db, id)
    if (user.removedAt !== null) throw new Problem('not-found', `There is no user ${id}.`)
    return user
  }

  server.get(
    '/v1/users',
    {
      schema: {
        operationId: 'listUsers',
        summary: 'All users of this server',
        ...ofServer,
        querystring: PageQuery,
        response: { 200: UsersShape },
      },
    },
    async ({ query: { limit, cursor } }) => {
      const found = await listUsers(ctx.db, cursor === undefined ? 0 : parseCursor(cursor), limit + 1)
      const page = found.slice(0, limit)
      const last = page.at(-1)
      return {
        users: page.filter(({ removedAt }) => removedAt === null).map(toUserWire),
        next_cursor: found.length > limit && last ? toCursor(last.id) : null,
      }
    },
  )

  server.post(
    '/v1/users',
    {
      schema: {
        operationId: 'createUser',
        summary: 'Make a user: one more person, with tasks, channels and settings of his own',
        description:
          'Without a password he is invited: the answer has a code, shown this once, with which he sets his own. An Idempotency-Key is passed over here, as the name is one. A bearer token makes members; to make an administrator takes a session.',
        ...ofServer,
        querystring: NoQuery,
        body: UserDraftShape,
        response: { 200: NewUserShape },
        gives: ['location', 'etag'],
        problems: ['conflict'],
      },
    },
    async ({ body, actor: { by } }, reply) => {
      const { user, invitation } = await actions.createUser(ctx, body, { server: defaults, by })
      reply.header('location', `/v1/users/${user.id}`).header('etag', toEtag(user)).header('cache-control', 'no-store')
      return { ...toUserWire(user), invitation: invitation && toInvitationWire(invitation, user, publicUrl) }
    },
  )

  server.get(
    '/v1/users/:id',
    {
      schema: {
        operationId: 'getUser',
        summary: 'A user',
        ...ofOne,
        response: { 200: UserShape },
        gives: ['etag'],
      },
    },
    async ({ params }, reply) => {
      const user = await find(params.id)
      reply.header('etag', toEtag(user))
      return toUserWire(user)
    },
  )

  server.patch(
    '/v1/users/:id',
    {
      schema: {
        operationId: 'updateUser',
        summary: 'Change a user: name, address, role, and whether he can come in (RFC 7396)',
        description:
          'To disable a user ends all sessions, tokens and invitations of the account, for good. A bearer token cannot make or enable an administrator, nor change an e-mail address: that takes a session.',
        ...ofOne,
        body: UserPatchShape,
        response: { 200: UserShape },
        reads: ['if-match', 'if-none-match'],
        gives: ['etag'],
        problems: ['conflict'],
      },
    },
    async ({ params, body: { name, email, role, disabled }, headers, actor: { by } }, reply) => {
      const patch = {
        ...(name !== undefined && { name }),
        ...(email !== undefined && { email }),
        ...(role !== undefined && { role }),
        ...(disabled !== undefined && { disabled }),
      }
      const user = await actions.updateUser(ctx, { id: params.id, ...parseConditions(headers) }, patch, by)
      authenticator.invalidate()
      reply.header('etag', toEtag(user))
      return toUserWire(user)
    },
  )

  server.delete(
    '/v1/users/:id',
    {
      schema: {
        operationId: 'deleteUser',
        summary: 'Delete a user who is disabled, with all that is his, for good',
        ...ofOne,
        response: { 200: DeletedUserShape },
        reads: ['if-match', 'if-none-match'],
        problems: ['conflict'],
      },
      preHandler: refuseBody,
    },
    async ({ params, headers }) => {
      await actions.deleteUser(ctx, { id: params.id, ...parseConditions(headers) })
      authenticator.invalidate()
      return { id: params.id }
    },
  )

  server.post(
    '/v1/users/:id/invitation',
    {
      schema: {
        operationId: 'inviteUser',
        summary: 'Let a user set a password, once: a new one, or in place of one that is lost',
        description:
          'Resets the account at once: its password, all its sessions and tokens, and earlier invitations are good for nothing any more. Takes a session: a bearer token is refused.',
        ...ofOne,
        sessionOnly: true,
        response: { 200: InvitationShape },
        problems: ['conflict'],
      },
      preHandler: refuseBody,
    },
    async ({ params }, reply) => {
      reply.header('cache-control', 'no-store')
      const { user, invitation } = await actions.inviteUser(ctx, params.id)
      authenticator.invalidate()
      return toInvitationWire(invitation, user, publicUrl)
    },
  )

  server.post(
    '/v1/users/:id/sign-out-everywhere',
    {
      schema: {
        operationId: 'signOutUser',
        summary: 'End all sessions and tokens of a user',
        description:
          'Open invitations end as well; the password stays as it is, and the user can sign in again. For your own account, that includes what this request was sent with.',
        ...ofOne,
        response: { 200: SignedOutEverywhereShape },
      },
      preHandler: refuseBody,
    },
    async ({ params }) => {
      const ended = await signOutEverywhere(ctx, params.id)
      authenticator.invalidate()
      return toEndedAccessWire(ended)
    },
  )

  server.get(
    '/v1/users/:id/export',
    {
      schema: {
        operationId: 'exportUser',
        summary: 'All that is a user’s, a JSON object a line',
        description: 'Tasks, what is in the trash, notifications, channels without their secrets, settings.',
        ...ofOne,
        response: {
          200: {
            description: 'Each line has a `type`, and the thing under its name',
            content: { 'application/jsonl': { schema: Type.Unsafe<Readable>(Type.String()) } },
          },
        },
      },
    },
    async ({ params, method }, reply) => {
      const user = await find(params.id)
      reply
        .type('application/jsonl')
        .header('cache-control', 'no-store')
        .header('content-disposition', `attachment; filename="duebell-user-${user.id}.jsonl"`)
      return reply.send(
        method === 'HEAD' ? Readable.from([]) : Readable.from(exportUser(ctx.db, user), { objectMode: false }),
      )
    },
  )
}
