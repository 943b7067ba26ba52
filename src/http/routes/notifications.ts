import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import type { Notice } from '#core/notice.ts'
import { Problem } from '#core/problem.ts'
import { channelKinds } from '#store/channels.ts'
import { deliveriesOf } from '#store/deliveries.ts'
import { findNotice, listNotices } from '#store/notices.ts'
import type { Db } from '#store/schema.ts'
import { getTask } from '#store/tasks.ts'
import { NotificationShape, toNotificationWire } from '../shapes.ts'
import { NotificationPageShape } from '../shapes-answers.ts'
import { actor, IdParams, parseCursor, toCursor } from './tasks.ts'

const PageQuery = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
    cursor: Type.Optional(Type.String({ maxLength: 50 })),
  },
  { additionalProperties: false },
)

/** What rang, and how each channel took it. The newest first. */
export function notificationRoutes(plain: FastifyInstance, { db }: { db: Db }): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  async function withDeliveries(notices: readonly Notice[]) {
    const ids = notices.map(({ id }) => id)
    const [deliveries, kinds] = [await deliveriesOf(db, ids), await channelKinds(db, actor.ownerId)]
    return notices.map((notice) => toNotificationWire(notice, deliveries.get(notice.id) ?? [], kinds))
  }

  async function page({ limit, cursor }: { limit: number; cursor?: string }, taskId?: number) {
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : parseCursor(cursor)
    const ofTask = taskId === undefined ? {} : { taskId }
    const found = await listNotices(db, actor.ownerId, { before, limit: limit + 1, ...ofTask })
    const notices = found.slice(0, limit)
    const last = notices.at(-1)
    return {
      notifications: await withDeliveries(notices),
      next_cursor: found.length > limit && last ? toCursor(last.id) : null,
    }
  }

  const listSchema = {
    operationId: 'listNotifications',
    summary: 'What rang, the newest first, and how each channel took it',
    tags: ['notifications'],
    querystring: PageQuery,
    response: { 200: NotificationPageShape },
  } as const
  server.get('/v1/notifications', { schema: listSchema }, async ({ query }) => page(query))

  server.get(
    '/v1/notifications/:id',
    {
      schema: {
        operationId: 'getNotification',
        summary: 'A notification with its deliveries',
        tags: ['notifications'],
        params: IdParams,
        querystring: Type.Object({}, { additionalProperties: false }),
        response: { 200: NotificationShape },
      },
    },
    async ({ params }) => {
      const notice = await findNotice(db, actor.ownerId, params.id)
      if (!notice) throw new Problem('not-found', `There is no notification ${params.id}.`)
      return (await withDeliveries([notice]))[0]
    },
  )

  server.get(
    '/v1/tasks/:id/notifications',
    {
      schema: {
        operationId: 'listTaskNotifications',
        summary: 'What rang for one task, the newest first',
        tags: ['notifications'],
        params: IdParams,
        querystring: PageQuery,
        response: { 200: NotificationPageShape },
      },
    },
    async ({ params, query }) => {
      await getTask(db, actor.ownerId, params.id)
      return page(query, params.id)
    },
  )
}
