import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { LongContext } from '#actions/context.ts'
import { countDeletable, deleteTasks, purgeTrash, restoreTasks } from '#actions/trash.ts'
import { instantOf } from '#core/date-time.ts'
import { Problem } from '#core/problem.ts'
import { limits } from '#core/task.ts'
import { requireMore } from '#http/auth/authenticate.ts'
import { answerIdempotently, answerIdempotentlyInChunks } from '#http/protocol/idempotency.ts'
import Type, { type Static } from '#json-schema.ts'
import type { Db } from '#store/schema.ts'
import { type DeletionFilter, listTrash } from '#store/trash.ts'
import { IdList, parseIds } from '#wire/id-list.ts'
import { parseCollectionIfMatch, parseTime } from '#wire/task.ts'
import {
  DeletedTasksShape,
  PurgedShape,
  RestoredShape,
  RestoreShape,
  TrashShape,
  toDeletedTasksWire,
  toRestoring,
  toTrashedTaskWire,
} from '#wire/trash.ts'
import { NoQuery, refuseBody } from './tasks.ts'

const Tag = Type.String({ minLength: 1, maxLength: limits.tagCharacters })
const DeleteQuery = Type.Object(
  {
    ids: Type.Optional(IdList),
    status: Type.Optional(Type.Enum(['all', 'open', 'expired', 'completed'])),
    tag: Type.Optional(Type.Union([Tag, Type.Array(Tag, { maxItems: limits.tags })])),
    expires_before: Type.Optional(Type.String({ maxLength: 100 })),
    dry_run: Type.Optional(Type.Enum(['true', 'false'], { description: 'Only count' })),
  },
  { additionalProperties: false },
)
const TrashQuery = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
    cursor: Type.Optional(Type.String({ maxLength: 100 })),
  },
  { additionalProperties: false },
)
const PurgeQuery = Type.Object(
  { ids: Type.Optional(IdList), batch: Type.Optional(Type.String({ minLength: 1, maxLength: 36 })) },
  { additionalProperties: false },
)

/** What goes away, and comes back. */
export function trashRoutes(
  plain: FastifyInstance,
  { db, ctx, now, trashDays }: { db: Db; ctx: LongContext; now: () => number; trashDays: number },
): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  server.delete(
    '/v1/tasks',
    {
      schema: {
        operationId: 'deleteTasks',
        needs: 'write',
        summary: 'Move tasks to the trash: all, or those that every filter given takes',
        tags: ['tasks'],
        querystring: DeleteQuery,
        response: { 200: DeletedTasksShape },
        reads: ['if-match'],
      },
      preHandler: refuseBody,
    },
    async (request, reply) => {
      const { query, headers, actor } = request
      const filter = toFilter(query, actor.defaults.timeZone)
      // All of them at once is another matter than some.
      if (Object.keys(filter).length === 0 && query.dry_run !== 'true') requireMore(request, 'admin')
      const wish = {
        filter,
        ifChange: parseCollectionIfMatch(actor.userId, headers['if-match']),
        now: now(),
      }
      const deleted =
        query.dry_run === 'true'
          ? { count: await countDeletable(ctx, actor, wish), batch: null, deletedAt: null }
          : await deleteTasks(ctx, actor, wish)
      return reply.send(toDeletedTasksWire(deleted, trashDays))
    },
  )

  server.get(
    '/v1/trash',
    {
      schema: {
        operationId: 'listTrash',
        needs: 'read',
        summary: 'The deleted tasks that can be restored, the newest deletion first',
        tags: ['trash'],
        querystring: TrashQuery,
        response: { 200: TrashShape },
      },
    },
    async ({ query: { limit, cursor }, actor }, reply) => {
      const before = cursor === undefined ? undefined : parseCursor(cursor)
      // One more than asked for tells whether there is more.
      const found = await listTrash(db, actor.userId, { before, limit: limit + 1 })
      const page = found.slice(0, limit)
      const last = page.at(-1)
      return reply.send({
        tasks: page.map((trashed) => toTrashedTaskWire(trashed, trashDays)),
        next_cursor: found.length > limit && last ? toCursor(last.deletedAt, last.task.id) : null,
      })
    },
  )

  server.post(
    '/v1/trash/restore',
    {
      schema: {
        operationId: 'restoreTasks',
        needs: 'write',
        summary: 'Put deleted tasks back, under the same ids and with their history',
        tags: ['trash'],
        querystring: NoQuery,
        body: RestoreShape,
        response: { 200: RestoredShape },
        reads: ['idempotency-key'],
        gives: ['idempotency-replayed'],
        problems: ['conflict'],
      },
    },
    async (request, reply) => {
      const which = toRestoring(request.body)
      // A batch may be a million tasks, and many transactions.
      if ('batch' in which)
        return answerIdempotentlyInChunks(ctx, request, reply, async () => ({
          headers: {},
          body: await restoreTasks(ctx, request.actor, which),
        }))
      return answerIdempotently(ctx, request, reply, async (inner) => ({
        headers: {},
        body: await restoreTasks({ ...ctx, ...inner }, request.actor, which),
      }))
    },
  )

  server.delete(
    '/v1/trash',
    {
      schema: {
        operationId: 'purgeTrash',
        needs: 'admin',
        summary: 'Delete for good what is in the trash: all of it, some ids, or one batch',
        tags: ['trash'],
        querystring: PurgeQuery,
        response: { 200: PurgedShape },
      },
      preHandler: refuseBody,
    },
    async ({ query: { ids, batch }, actor }, reply) => {
      if (ids !== undefined && batch !== undefined) throw new Problem('malformed', 'ids and batch exclude each other.')
      const which = ids !== undefined ? { ids: parseIds(ids) } : batch !== undefined ? { batch } : 'all'
      return reply.send({ purged: await purgeTrash(ctx, actor, which) })
    },
  )
}

function toFilter({ ids, status, tag, expires_before }: Static<typeof DeleteQuery>, timeZone: string): DeletionFilter {
  return {
    ...(ids !== undefined && { ids: parseIds(ids) }),
    ...(status !== undefined && { status }),
    ...(tag !== undefined && { tags: [tag].flat() }),
    ...(expires_before !== undefined && { expiresBefore: parseInstant('expires_before', expires_before, timeZone) }),
  }
}

/** A time of a query, in ms since 1970; without an offset one of the server's zone. @throws Problem `malformed` */
export function parseInstant(parameter: string, text: string, timeZone: string): number {
  const moment = parseTime(text)
  if (moment) return instantOf(moment, timeZone)
  const detail = 'must be a time like 2026-12-01T10:00:00Z, 2026-12-01T10:00 or 2026-12-01'
  throw new Problem('malformed', `${parameter} ${detail}`, { faults: [{ at: { parameter }, detail }] })
}

const toCursor = (deletedAt: number, id: number) => Buffer.from(`trash:${deletedAt}:${id}`).toString('base64url')

/** @throws Problem `malformed` */
function parseCursor(cursor: string): { deletedAt: number; id: number } {
  const [, deletedAt, id] = /^trash:(\d{1,15}):(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (deletedAt !== undefined && id !== undefined) return { deletedAt: Number(deletedAt), id: Number(id) }
  const detail = 'is not one that this list gave'
  throw new Problem('malformed', `The cursor ${detail}.`, { faults: [{ at: { parameter: 'cursor' }, detail }] })
}
