import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import Type from '#json-schema.ts'
import { listAudit } from '#store/audit.ts'
import type { Db } from '#store/schema.ts'
import { AuditShape, toAuditWire } from '#wire/accounts.ts'
import { parseCursor, toCursor } from './tasks.ts'

const AuditQuery = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
    cursor: Type.Optional(Type.String({ maxLength: 100 })),
    user_id: Type.Optional(Type.Integer({ minimum: 1, description: 'What this user did' })),
    operation: Type.Optional(Type.String({ maxLength: 50, description: 'An operationId', examples: ['signIn'] })),
  },
  { additionalProperties: false },
)

/** Who did what, for those who administer the server. */
export function auditRoutes(plain: FastifyInstance, { db }: { db: Db }): void {
  plain.withTypeProvider<TypeBoxTypeProvider>().get(
    '/v1/audit',
    {
      schema: {
        operationId: 'listAudit',
        needs: 'admin',
        adminOnly: true,
        summary: 'Who did what to which object, from where, the newest first',
        description:
          'Sign-ins, and whatever needs the scope admin, done or refused; on a server with login also each change of a task. Kept for 400 days.',
        tags: ['accounts'],
        querystring: AuditQuery,
        response: { 200: AuditShape },
      },
    },
    async ({ query: { limit, cursor, user_id: userId, operation } }) => {
      const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : parseCursor(cursor)
      const found = await listAudit(db, { userId, operation }, { before, limit: limit + 1 })
      const page = found.slice(0, limit)
      const last = page.at(-1)
      return {
        entries: page.map(toAuditWire),
        next_cursor: found.length > limit && last ? toCursor(last.id) : null,
      }
    },
  )
}
