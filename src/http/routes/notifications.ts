import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { LongContext } from '#actions/context.ts'
import { acknowledgeNotification, acknowledgeUpTo, retryChannel, retryNotification } from '#actions/notifications.ts'
import type { Actor } from '#core/caller.ts'
import { deliveryStates } from '#core/delivery.ts'
import { Problem } from '#core/problem.ts'
import { answerIdempotently, answerIdempotentlyInChunks } from '#http/protocol/idempotency.ts'
import Type, { type Static } from '#json-schema.ts'
import { channelKinds } from '#store/channels.ts'
import { deliveriesOf } from '#store/deliveries.ts'
import { listNotifications, type NotificationFilter } from '#store/notification-list.ts'
import { getNotification, type NotificationRecord } from '#store/notifications.ts'
import type { Db } from '#store/schema.ts'
import { getTask } from '#store/tasks.ts'
import {
  AcknowledgedShape,
  AcknowledgeUpToShape,
  NotificationsShape,
  RetriedShape,
  RetryChannelShape,
  RetryShape,
  toSince,
} from '#wire/notification-requests.ts'
import { NotificationShape, type NotificationWire, toNotificationWire } from '#wire/task.ts'
import { IdParams, NoQuery, refuseBody } from './tasks.ts'

const largestId = Number.MAX_SAFE_INTEGER
const Flag = Type.Enum(['true', 'false'])
const PageQuery = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
    cursor: Type.Optional(Type.String({ maxLength: 200 })),
    status: Type.Optional(Type.Enum(deliveryStates, { description: 'With a delivery in this state' })),
    channel_id: Type.Optional(Type.Integer({ minimum: 1, maximum: largestId })),
    acknowledged: Type.Optional(Flag),
    problems: Type.Optional(
      Type.Enum(['true'], { description: 'With a delivery that was given up, or that waits after it failed' }),
    ),
  },
  { additionalProperties: false },
)

const tags = ['notifications']

/** What rang, and how each channel took it. The newest first. */
export function notificationRoutes(plain: FastifyInstance, { db, ctx }: { db: Db; ctx: LongContext }): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  async function withDeliveries(
    { userId }: Actor,
    notifications: readonly NotificationRecord[],
    from = db,
  ): Promise<NotificationWire[]> {
    const ids = notifications.map(({ id }) => id)
    const [deliveries, kinds] = [await deliveriesOf(from, ids), await channelKinds(from, userId)]
    return notifications.map((notification) =>
      toNotificationWire(notification, deliveries.get(notification.id) ?? [], kinds),
    )
  }

  async function one(actor: Actor, id: number, from = db): Promise<NotificationWire> {
    return (await withDeliveries(actor, [await getNotification(from, actor.userId, id)], from))[0] as NotificationWire
  }

  async function page(actor: Actor, { limit, cursor, ...query }: Static<typeof PageQuery>, taskId?: number) {
    // A cursor is bound to its filter: to go on with another would skip and repeat at random.
    const filter = toFilter(query, taskId)
    const name = JSON.stringify(filter)
    const before = cursor === undefined ? largestId : parseCursor(cursor, name)
    const found = await listNotifications(db, actor.userId, filter, { before, limit: limit + 1 })
    const notifications = found.slice(0, limit)
    const last = notifications.at(-1)
    return {
      notifications: await withDeliveries(actor, notifications),
      next_cursor: found.length > limit && last ? toCursor(last.id, name) : null,
    }
  }

  server.get(
    '/v1/notifications',
    {
      schema: {
        operationId: 'listNotifications',
        needs: 'read',
        summary: 'What rang, the newest first, and how each channel took it',
        tags,
        querystring: PageQuery,
        response: { 200: NotificationsShape },
      },
    },
    async ({ query, actor }) => page(actor, query),
  )

  server.get(
    '/v1/notifications/:id',
    {
      schema: {
        operationId: 'getNotification',
        needs: 'read',
        summary: 'A notification with its deliveries',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: { 200: NotificationShape },
      },
    },
    async ({ params, actor }) => one(actor, params.id),
  )

  server.get(
    '/v1/tasks/:id/notifications',
    {
      schema: {
        operationId: 'listTaskNotifications',
        needs: 'read',
        summary: 'What rang for one task, the newest first',
        tags,
        params: IdParams,
        querystring: PageQuery,
        response: { 200: NotificationsShape },
      },
    },
    async ({ params, query, actor }) => {
      await getTask(db, actor.userId, params.id)
      return page(actor, query, params.id)
    },
  )

  server.post(
    '/v1/notifications/:id/acknowledge',
    {
      schema: {
        operationId: 'acknowledgeNotification',
        needs: 'write',
        summary: 'Say that a notification has been seen',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: { 200: NotificationShape },
        reads: ['idempotency-key'],
        gives: ['idempotency-replayed'],
      },
      preHandler: refuseBody,
    },
    async (request, reply) => {
      const { actor, params } = request
      return answerIdempotently(ctx, request, reply, async (ctx) => {
        await acknowledgeNotification(ctx, actor, params.id)
        return { headers: {}, body: await one(actor, params.id, ctx.db) }
      })
    },
  )

  server.post(
    '/v1/notifications/acknowledge',
    {
      schema: {
        operationId: 'acknowledgeNotifications',
        needs: 'write',
        summary: 'Say that all notifications up to one have been seen',
        tags,
        querystring: NoQuery,
        body: AcknowledgeUpToShape,
        response: { 200: AcknowledgedShape },
        reads: ['idempotency-key'],
        gives: ['idempotency-replayed'],
      },
    },
    async (request, reply) =>
      answerIdempotentlyInChunks(ctx, request, reply, async () => ({
        headers: {},
        body: { acknowledged: await acknowledgeUpTo(ctx, request.actor, request.body.up_to) },
      })),
  )

  server.post(
    '/v1/notifications/retry',
    {
      schema: {
        operationId: 'retryNotifications',
        needs: 'write',
        summary: 'Retry everything that one channel has given up',
        description:
          'For a channel that works again. Each delivery is attempted at once, and is given up a day later at the earliest. A delivery is dropped as usual when its task was completed, moved or deleted.',
        tags,
        querystring: NoQuery,
        body: RetryChannelShape,
        response: { 200: RetriedShape },
        reads: ['idempotency-key'],
        gives: ['idempotency-replayed'],
        problems: ['conflict'],
      },
    },
    async (request, reply) => {
      const { actor, body } = request
      const sinceAt = toSince(body, actor.defaults.timeZone)
      return answerIdempotentlyInChunks(ctx, request, reply, async () => ({
        headers: {},
        body: { retried: await retryChannel(ctx, actor, { channelId: body.channel_id, sinceAt }) },
      }))
    },
  )

  server.post(
    '/v1/notifications/:id/retry',
    {
      schema: {
        operationId: 'retryNotification',
        needs: 'write',
        summary: 'Try again at once what was given up: every failed delivery, or one',
        tags,
        params: IdParams,
        querystring: NoQuery,
        body: RetryShape,
        response: { 200: NotificationShape },
        reads: ['idempotency-key'],
        gives: ['idempotency-replayed'],
        problems: ['conflict'],
      },
      // Fastify checks a body that is not there against its shape all the same.
      preValidation: async (request) => {
        request.body ??= {}
      },
    },
    async (request, reply) => {
      const { actor, params } = request
      const deliveryId = request.body.delivery_id
      return answerIdempotently(ctx, request, reply, async (ctx) => {
        await retryNotification(ctx, actor, { id: params.id, deliveryId })
        return { headers: {}, body: await one(actor, params.id, ctx.db) }
      })
    },
  )
}

function toFilter(
  { status, channel_id, acknowledged, problems }: Omit<Static<typeof PageQuery>, 'limit' | 'cursor'>,
  taskId: number | undefined,
): NotificationFilter {
  return {
    ...(taskId !== undefined && { taskId }),
    ...(status !== undefined && { status }),
    ...(channel_id !== undefined && { channelId: channel_id }),
    ...(acknowledged !== undefined && { acknowledged: acknowledged === 'true' }),
    ...(problems !== undefined && { hasProblem: true }),
  }
}

const toCursor = (id: number, filter: string) => Buffer.from(`${id} ${filter}`).toString('base64url')

/** @throws Problem `malformed` */
function parseCursor(cursor: string, filter: string): number {
  const [, id, ofFilter] = /^(\d{1,15}) (\{.*\})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (id !== undefined && ofFilter === filter) return Number(id)
  const detail = id === undefined ? 'is not one that this list gave' : 'was given for another filter'
  throw new Problem('malformed', `The cursor ${detail}.`, { faults: [{ at: { parameter: 'cursor' }, detail }] })
}
