import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { exportUser as operation } from '#api/users.ts'
import { toRouteOptions } from '#http/bind.ts'
import { exportUser } from '#operations/user-export.ts'
import { presentUser } from '#operations/users.ts'
import type { Db } from '#store/schema.ts'

/** The export is not bound like other operations, because its response is a stream. */
export function userExportRoute(server: FastifyInstance, { db }: { db: Db }): void {
  server.get<{ Params: { id: number } }>('/v1/users/:id/export', toRouteOptions(operation), async (request, reply) => {
    const user = await presentUser({ db }, request.params.id)
    reply
      .type('application/jsonl')
      .header('cache-control', 'no-store')
      .header('content-disposition', `attachment; filename="duebell-user-${user.id}.jsonl"`)
    const lines = request.method === 'HEAD' ? [] : exportUser(db, user)
    return reply.send(Readable.from(lines, { objectMode: false }))
  })
}
