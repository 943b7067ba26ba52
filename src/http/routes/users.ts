import { Readable } from 'node:stream'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { LongContext } from '#actions/context.ts'
import { signOutEverywhere } from '#actions/tokens.ts'
import * as actions from '#actions/users.ts'
import type { Owner } from '#core/account.ts'
import { Problem } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Door } from '#http/auth/authenticate.ts'
import { parseConditions } from '#http/protocol/conditional-requests.ts'
import { exportOwner } from '#http/user-export.ts'
import Type from '#json-schema.ts'
import { getOwner, listOwners } from '#store/users.ts'
import {
  DeletedOwnerShape,
  InvitationShape,
  NewOwnerShape,
  OwnerDraftShape,
  OwnerPatchShape,
  OwnerShape,
  OwnersShape,
  SignedOutEverywhereShape,
  toEndedAccessWire,
  toInvitationWire,
  toOwnerWire,
} from '#wire/accounts.ts'
import { toEtag } from '#wire/task.ts'
import { IdParams, NoQuery, parseCursor, refuseBody, toCursor } from './tasks.ts'

interface Parts {
  readonly ctx: LongContext
  readonly door: Pick<Door, 'forget'>
  readonly publicUrl: string
  /** What holds for owners who have not chosen. */
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
export function ownerRoutes(plain: FastifyInstance, { ctx, door, publicUrl, defaults }: Parts): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()
  /** What all of them have in common. */
  const ofServer = { tags, needs: 'admin', isOfServer: true } as const
  const ofOne = { ...ofServer, params: IdParams, querystring: NoQuery } as const

  async function find(id: number): Promise<Owner> {
    const owner = await getOwner(ctx.db, id)
    if (owner.removedAt !== null) throw new Problem('not-found', `There is no owner ${id}.`)
    return owner
  }

  server.get(
    '/v1/owners',
    {
      schema: {
        operationId: 'listOwners',
        summary: 'All owners of this server',
        ...ofServer,
        querystring: PageQuery,
        response: { 200: OwnersShape },
      },
    },
    async ({ query: { limit, cursor } }) => {
      const found = await listOwners(ctx.db, cursor === undefined ? 0 : parseCursor(cursor), limit + 1)
      const page = found.slice(0, limit)
      const last = page.at(-1)
      return {
        owners: page.filter(({ removedAt }) => removedAt === null).map(toOwnerWire),
        next_cursor: found.length > limit && last ? toCursor(last.id) : null,
      }
    },
  )

  server.post(
    '/v1/owners',
    {
      schema: {
        operationId: 'createOwner',
        summary: 'Make an owner: one more person, with tasks, channels and settings of his own',
        description:
          'Without a password he is invited: the answer has a code, shown this once, with which he sets his own. An Idempotency-Key is passed over here, as the name is one. A bearer token makes members; to make an administrator takes a session.',
        ...ofServer,
        querystring: NoQuery,
        body: OwnerDraftShape,
        response: { 200: NewOwnerShape },
        gives: ['location', 'etag'],
        problems: ['conflict'],
      },
    },
    async ({ body, actor: { by } }, reply) => {
      const { owner, invitation } = await actions.createOwner(ctx, body, { server: defaults, by })
      reply
        .header('location', `/v1/owners/${owner.id}`)
        .header('etag', toEtag(owner))
        .header('cache-control', 'no-store')
      return { ...toOwnerWire(owner), invitation: invitation && toInvitationWire(invitation, owner, publicUrl) }
    },
  )

  server.get(
    '/v1/owners/:id',
    {
      schema: {
        operationId: 'getOwner',
        summary: 'An owner',
        ...ofOne,
        response: { 200: OwnerShape },
        gives: ['etag'],
      },
    },
    async ({ params }, reply) => {
      const owner = await find(params.id)
      reply.header('etag', toEtag(owner))
      return toOwnerWire(owner)
    },
  )

  server.patch(
    '/v1/owners/:id',
    {
      schema: {
        operationId: 'updateOwner',
        summary: 'Change an owner: name, address, role, and whether he can come in (RFC 7396)',
        description:
          'To disable an owner ends all sessions, tokens and invitations of the account, for good. A bearer token cannot make or enable an administrator, nor change an e-mail address: that takes a session.',
        ...ofOne,
        body: OwnerPatchShape,
        response: { 200: OwnerShape },
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
      const owner = await actions.updateOwner(ctx, { id: params.id, ...parseConditions(headers) }, patch, by)
      door.forget()
      reply.header('etag', toEtag(owner))
      return toOwnerWire(owner)
    },
  )

  server.delete(
    '/v1/owners/:id',
    {
      schema: {
        operationId: 'deleteOwner',
        summary: 'Delete an owner who is disabled, with all that is his, for good',
        ...ofOne,
        response: { 200: DeletedOwnerShape },
        reads: ['if-match', 'if-none-match'],
        problems: ['conflict'],
      },
      preHandler: refuseBody,
    },
    async ({ params, headers }) => {
      await actions.deleteOwner(ctx, { id: params.id, ...parseConditions(headers) })
      door.forget()
      return { id: params.id }
    },
  )

  server.post(
    '/v1/owners/:id/invitation',
    {
      schema: {
        operationId: 'inviteOwner',
        summary: 'Let an owner set a password, once: a new one, or in place of one that is lost',
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
      const { owner, invitation } = await actions.inviteOwner(ctx, params.id)
      door.forget()
      return toInvitationWire(invitation, owner, publicUrl)
    },
  )

  server.post(
    '/v1/owners/:id/sign-out-everywhere',
    {
      schema: {
        operationId: 'signOutOwner',
        summary: 'End all sessions and tokens of an owner',
        description:
          'Open invitations end as well; the password stays as it is, and the owner can sign in again. For your own account, that includes what this request was sent with.',
        ...ofOne,
        response: { 200: SignedOutEverywhereShape },
      },
      preHandler: refuseBody,
    },
    async ({ params }) => {
      const ended = await signOutEverywhere(ctx, params.id)
      door.forget()
      return toEndedAccessWire(ended)
    },
  )

  server.get(
    '/v1/owners/:id/export',
    {
      schema: {
        operationId: 'exportOwner',
        summary: 'All that is an owner’s, a JSON object a line',
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
      const owner = await find(params.id)
      reply
        .type('application/jsonl')
        .header('cache-control', 'no-store')
        .header('content-disposition', `attachment; filename="duebell-owner-${owner.id}.jsonl"`)
      return reply.send(
        method === 'HEAD' ? Readable.from([]) : Readable.from(exportOwner(ctx.db, owner), { objectMode: false }),
      )
    },
  )
}
