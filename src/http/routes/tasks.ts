import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { Actor, Context } from '#actions/context.ts'
import {
  completeTask,
  createTask,
  deleteTask,
  reopenTask,
  snoozeTask,
  updateTask,
  updateTasks,
} from '#actions/tasks.ts'
import { invalidMember, Problem } from '#core/problem.ts'
import type { Task } from '#core/task.ts'
import { builtInOwnerId } from '#store/owners.ts'
import type { Db } from '#store/schema.ts'
import { getTask, listTasks } from '#store/tasks.ts'
import {
  parseIfMatch,
  SnoozeShape,
  TaskDraftShape,
  TaskPatchesShape,
  TaskPatchShape,
  toDraft,
  toEtag,
  toPatch,
  toSnooze,
  toTaskWire,
} from '../shapes.ts'
import { DeletedTaskShape, toDeletedTaskWire } from '../shapes-trash.ts'

/** There are no accounts yet: whoever is let in is the built-in owner. */
export const actor: Actor = { ownerId: builtInOwnerId }

const largestId = Number.MAX_SAFE_INTEGER
export const IdParams = Type.Object({ id: Type.Integer({ minimum: 1, maximum: largestId }) })
/** A query that takes nothing: a mistyped parameter must not be taken for none. */
export const NoQuery = Type.Object({}, { additionalProperties: false })

/** The most tasks in one answer. With more, the answer says where it goes on. */
const mostTasks = 10_000
const ListQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 0, maximum: mostTasks })),
    offset: Type.Optional(Type.Integer({ minimum: 0, maximum: largestId })),
    cursor: Type.Optional(Type.String({ maxLength: 50 })),
  },
  { additionalProperties: false },
)

interface TaskParts {
  readonly db: Db
  readonly ctx: Context
  readonly trashDays: number
}

export function taskRoutes(plain: FastifyInstance, { db, ctx, trashDays }: TaskParts): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  const sendTask = (reply: FastifyReply, task: Task) => reply.header('etag', toEtag(task)).send(toTaskWire(task))

  server.get('/v1/tasks', { schema: { querystring: ListQuery } }, async ({ query }, reply) => {
    const { limit = mostTasks, offset = 0, cursor } = query
    if (cursor !== undefined && offset > 0) throw new Problem('malformed', 'A cursor and an offset exclude each other.')
    const after = cursor === undefined ? 0 : parseCursor(cursor)
    // One more than asked for tells whether there is more.
    const found = await listTasks(db, actor.ownerId, { after, limit: limit + 1, offset })
    const page = found.slice(0, limit)
    const last = page.at(-1)
    const nextCursor = found.length > limit && last ? toCursor(last.id) : null
    if (nextCursor) reply.header('link', `</v1/tasks?limit=${limit}&cursor=${nextCursor}>; rel="next"`)
    return reply.send({ tasks: page.map(toTaskWire), next_cursor: nextCursor })
  })

  server.post('/v1/tasks', { schema: { querystring: NoQuery, body: TaskDraftShape } }, async ({ body }, reply) => {
    const task = await createTask(ctx, actor, toDraft(body))
    return sendTask(reply.header('location', `/v1/tasks/${task.id}`), task)
  })

  server.put('/v1/tasks', { schema: { querystring: NoQuery, body: TaskPatchesShape } }, async ({ body }, reply) => {
    const seen = new Set<number>()
    const patches = body.tasks.map(({ id, ...rest }, i) => {
      if (seen.has(id)) throw invalidMember(`/tasks/${i}/id`, `is there twice: ${id}`)
      seen.add(id)
      return { id, patch: toPatch(rest, `/tasks/${i}`) }
    })
    const { tasks, missing } = await updateTasks(ctx, actor, patches)
    return reply.send({ tasks: tasks.map(toTaskWire), missing })
  })

  server.get('/v1/tasks/:id', { schema: { params: IdParams, querystring: NoQuery } }, async ({ params }, reply) =>
    sendTask(reply, await getTask(db, actor.ownerId, params.id)),
  )

  // PUT merges as PATCH does (RFC 7396): a full replacement would wipe members that an older client does not know.
  server.route({
    method: ['PUT', 'PATCH'],
    url: '/v1/tasks/:id',
    schema: { params: IdParams, querystring: NoQuery, body: TaskPatchShape },
    handler: async ({ params, body, headers }, reply) => {
      const target = { id: params.id, version: parseIfMatch(headers['if-match']) }
      return sendTask(reply, await updateTask(ctx, actor, target, toPatch(body)))
    },
  })

  server.delete(
    '/v1/tasks/:id',
    {
      schema: {
        operationId: 'delete',
        summary: 'Move a task to the trash, from where it can be restored for some days',
        tags: ['tasks'],
        params: IdParams,
        querystring: NoQuery,
        response: { 200: DeletedTaskShape },
      },
      preHandler: refuseBody,
    },
    async (request, reply) => {
      const target = { id: request.params.id, version: parseIfMatch(request.headers['if-match']) }
      const { deletedAt } = await deleteTask(ctx, actor, target)
      return reply.send(toDeletedTaskWire(target.id, deletedAt, trashDays))
    },
  )

  for (const [verb, act] of [
    ['complete', completeTask],
    ['reopen', reopenTask],
  ] as const) {
    server.post(
      `/v1/tasks/:id/${verb}`,
      { schema: { params: IdParams, querystring: NoQuery }, preHandler: refuseBody },
      async ({ params, headers }, reply) => {
        const target = { id: params.id, version: parseIfMatch(headers['if-match']) }
        return sendTask(reply, await act(ctx, actor, target))
      },
    )
  }

  server.post(
    '/v1/tasks/:id/snooze',
    { schema: { params: IdParams, querystring: NoQuery, body: SnoozeShape } },
    async ({ params, body, headers }, reply) => {
      const target = { id: params.id, version: parseIfMatch(headers['if-match']) }
      return sendTask(reply, await snoozeTask(ctx, actor, target, toSnooze(body)))
    },
  )
}

/** What a request without a body brings along must not be taken for nothing: a DELETE with a list of ids is not one of all. */
export async function refuseBody({ body }: FastifyRequest): Promise<void> {
  const isNothing = body === undefined || body === null || (typeof body === 'object' && Object.keys(body).length === 0)
  if (!isNothing) throw invalidMember('', 'is not read here')
}

/** Opaque to callers: an id, in a form that does not invite arithmetic. */
export function toCursor(id: number): string {
  return Buffer.from(`id:${id}`).toString('base64url')
}

/** @throws Problem `malformed` */
export function parseCursor(cursor: string): number {
  const [, id] = /^id:(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (id === undefined)
    throw new Problem('malformed', 'The cursor is not one that this server gave.', {
      faults: [{ at: { parameter: 'cursor' }, detail: 'is not one that this server gave' }],
    })
  return Number(id)
}
