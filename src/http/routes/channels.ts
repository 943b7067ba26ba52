import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import * as actions from '#actions/channels.ts'
import type { ChannelRecord } from '#core/channel.ts'
import { isNotModified, parseConditions } from '#http/protocol/conditional-requests.ts'
import { answerIdempotently, answerIdempotentlyInChunks } from '#http/protocol/idempotency.ts'
import type { Answer } from '#http/protocol/task-response.ts'
import { getChannel, presentChannels } from '#store/channels.ts'
import {
  ChannelDraftShape,
  ChannelKindsShape,
  ChannelPatchShape,
  ChannelShape,
  ChannelsShape,
  ChannelTestShape,
  ChannelTrialShape,
  DeletedChannelShape,
  SavedChannelTrialShape,
  toChannelWire,
  toKindsWire,
  toTestWire,
} from '#wire/channels.ts'
import { toEtag } from '#wire/task.ts'
import { NotModified } from '#wire/task-answers.ts'
import { IdParams, NoQuery, refuseBody } from './tasks.ts'

const tags = ['channels']

/** Where notifications go. Secrets go in and do not come out, but for one that the server itself has made, once. */
export function channelRoutes(plain: FastifyInstance, { ctx }: { ctx: actions.ChannelContext }): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()
  const kindOf = (name: string) => ctx.kinds.find(({ kind }) => kind === name)
  const wire = (channel: ChannelRecord, shown?: string) => toChannelWire(channel, kindOf(channel.kind), shown)
  const answer = (channel: ChannelRecord, shown?: string): Answer => {
    return { headers: { etag: toEtag(channel) }, body: wire(channel, shown) }
  }

  server.get(
    '/v1/channel-kinds',
    {
      schema: {
        operationId: 'listChannelKinds',
        needs: 'read',
        summary: 'What kinds of channels there are, and what each needs to be told',
        tags,
        querystring: NoQuery,
        response: { 200: ChannelKindsShape },
      },
    },
    async () => toKindsWire(ctx.kinds),
  )

  server.get(
    '/v1/channels',
    {
      schema: {
        operationId: 'listChannels',
        needs: 'admin',
        summary: 'All channels, and how they are',
        tags,
        querystring: NoQuery,
        response: { 200: ChannelsShape },
      },
    },
    async ({ actor }) => ({
      channels: (await presentChannels(ctx.db, actor.userId)).map((channel) => wire(channel)),
    }),
  )

  server.post(
    '/v1/channels',
    {
      schema: {
        operationId: 'createChannel',
        needs: 'admin',
        summary: 'Make a channel',
        description: "A webhook's secret is made by the server where none is given, and shown in this answer alone.",
        tags,
        querystring: NoQuery,
        body: ChannelDraftShape,
        response: { 200: ChannelShape },
        reads: ['idempotency-key'],
        gives: ['etag', 'location', 'idempotency-replayed'],
        problems: ['conflict'],
      },
    },
    async (request, reply) =>
      answerIdempotently(ctx, request, reply, async (once) => {
        const channel = await actions.createChannel({ ...ctx, ...once }, request.actor, request.body)
        const made = kindOf(channel.kind)?.ownSecret?.member
        const isMade = made !== undefined && request.body.options?.[made] === undefined
        const { headers, body } = answer(channel, isMade ? made : undefined)
        return { headers: { ...headers, location: `/v1/channels/${channel.id}` }, body }
      }),
  )

  const ofOne = { tags, params: IdParams, querystring: NoQuery }

  server.get(
    '/v1/channels/:id',
    {
      schema: {
        operationId: 'getChannel',
        needs: 'admin',
        summary: 'A channel, and how it is',
        ...ofOne,
        response: { 200: ChannelShape, 304: NotModified },
        reads: ['if-none-match'],
        gives: ['etag'],
      },
    },
    async (request, reply) => {
      const channel = await getChannel(ctx.db, request.actor.userId, request.params.id)
      reply.header('etag', toEtag(channel))
      return isNotModified(request.headers, toEtag(channel)) ? reply.code(304).send(undefined as never) : wire(channel)
    },
  )

  server.patch(
    '/v1/channels/:id',
    {
      schema: {
        operationId: 'updateChannel',
        needs: 'admin',
        summary: 'Change a channel: the members given (RFC 7396)',
        description:
          'One that the configuration file declares, and the console, can be switched off and on, and no more.',
        ...ofOne,
        body: ChannelPatchShape,
        response: { 200: ChannelShape },
        reads: ['if-match', 'if-none-match'],
        gives: ['etag'],
        problems: ['conflict'],
      },
    },
    async (request, reply) => {
      const { name, options, enabled, tags, notifications, group_wait, repeat, ignore_quiet_hours } = request.body
      const patch = { name, options, enabled, tags, notifications, group_wait, repeat, ignore_quiet_hours }
      const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
      const target = { id: request.params.id, ...parseConditions(request.headers) }
      const { headers, body } = answer(await actions.updateChannel(ctx, request.actor, target, given))
      return reply.headers(headers).send(body as never)
    },
  )

  server.delete(
    '/v1/channels/:id',
    {
      schema: {
        operationId: 'deleteChannel',
        needs: 'admin',
        summary: 'Delete a channel; what was told over it stays in the history',
        ...ofOne,
        response: { 200: DeletedChannelShape },
        reads: ['if-match', 'if-none-match'],
        problems: ['conflict'],
      },
      preHandler: refuseBody,
    },
    async ({ params, headers, actor }) => {
      const target = { id: params.id, ...parseConditions(headers) }
      const { cancelled } = await actions.deleteChannel(ctx, actor, target)
      return { id: target.id, dropped: cancelled }
    },
  )

  server.post(
    '/v1/channels/:id/rotate-secret',
    {
      schema: {
        operationId: 'rotateChannelSecret',
        needs: 'admin',
        summary: 'Give a webhook another secret, which is shown once; for a day the old one signs as well',
        ...ofOne,
        response: { 200: ChannelShape },
        reads: ['if-match', 'if-none-match', 'idempotency-key'],
        gives: ['etag', 'idempotency-replayed'],
        problems: ['conflict'],
      },
      preHandler: refuseBody,
    },
    async (request, reply) =>
      answerIdempotently(ctx, request, reply, async (once) => {
        const target = { id: request.params.id, ...parseConditions(request.headers) }
        const channel = await actions.rotateSecret({ ...ctx, ...once }, request.actor, target)
        return answer(channel, kindOf(channel.kind)?.ownSecret?.member)
      }),
  )

  const trial = {
    tags,
    querystring: NoQuery,
    response: { 200: ChannelTestShape },
    reads: ['idempotency-key'],
    gives: ['idempotency-replayed'],
  } as const

  server.post(
    '/v1/channels/test',
    {
      config: { isLong: true },
      schema: {
        operationId: 'testChannelDraft',
        needs: 'admin',
        summary: 'Send a test over a channel that is not made yet, and tell what came of it',
        ...trial,
        body: ChannelTrialShape,
      },
    },
    async (request, reply) =>
      answerIdempotentlyInChunks(ctx, request, reply, async () => {
        const { kind, options = {} } = request.body
        return { headers: {}, body: toTestWire(await actions.testChannel(ctx, request.actor, kind, options)) }
      }),
  )

  server.post(
    '/v1/channels/:id/test',
    {
      config: { isLong: true },
      schema: {
        operationId: 'testChannel',
        needs: 'admin',
        summary: 'Send a test over a channel, with its options or those that are about to be saved',
        ...trial,
        params: IdParams,
        body: SavedChannelTrialShape,
        problems: ['conflict'],
      },
      // Fastify checks a body that is not there against its shape all the same.
      preValidation: async (request) => {
        request.body ??= {}
      },
    },
    async (request, reply) =>
      answerIdempotentlyInChunks(ctx, request, reply, async () => {
        const { kind, options } = await actions.savedOptions(
          ctx,
          request.actor,
          request.params.id,
          request.body.options,
        )
        return { headers: {}, body: toTestWire(await actions.testChannel(ctx, request.actor, kind, options)) }
      }),
  )
}
