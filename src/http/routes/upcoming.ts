import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import Type from '#json-schema.ts'
import { channelsOfUser } from '#store/channels.ts'
import type { Db } from '#store/schema.ts'
import { selectUpcoming } from '#store/upcoming.ts'
import { toUpcomingWire, UpcomingShape } from '#wire/upcoming.ts'
import { parseInstant } from './trash.ts'

const aheadMs = 24 * 3_600_000
const UpcomingQuery = Type.Object(
  {
    until: Type.Optional(Type.String({ maxLength: 100, description: 'A time; in 24 hours when absent' })),
    limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
  },
  { additionalProperties: false },
)

export function upcomingRoutes(plain: FastifyInstance, parts: { db: Db; now: () => number }): void {
  const { db } = parts
  plain.withTypeProvider<TypeBoxTypeProvider>().get(
    '/v1/upcoming',
    {
      schema: {
        operationId: 'listUpcoming',
        needs: 'read',
        summary: 'What will ring until a time, the next first, and on which channels',
        tags: ['notifications'],
        querystring: UpcomingQuery,
        response: { 200: UpcomingShape },
      },
    },
    async ({ query, actor }) => {
      const now = parts.now()
      const until =
        query.until === undefined ? now + aheadMs : parseInstant('until', query.until, actor.defaults.timeZone)
      const page = { defaults: actor.defaults, now, until, limit: query.limit }
      const found = await selectUpcoming(db, actor.userId, page)
      return toUpcomingWire(found, until, await channelsOfUser(db, actor.userId))
    },
  )
}
