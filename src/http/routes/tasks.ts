import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { Actor, Context } from '#actions/context.ts'
import {
  completeTask,
  createTask,
  deleteAllTasks,
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
import { getTask } from '#store/tasks.ts'
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

/** There are no accounts yet: whoever is let in is the built-in owner. */
export const actor: Actor = { ownerId: builtInOwnerId }

const largestId = Number.MAX_SAFE_INTEGER
export const IdParams = Type.Object({ id: Type.Integer({ minimum: 1, maximum: largestId }) })
/** A query that takes nothing: a mistyped parameter must not be taken for none. */
const NoQuery = Type.Object({}, { additionalProperties: false })

/** One task, and writes of many; how they are listed is in task-list.ts. */
export function taskRoutes(plain: FastifyInstance, { db, ctx }: { db: Db; ctx: Context }): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  const sendTask = (reply: FastifyReply, task: Task) => reply.header('etag', toEtag(task)).send(toTaskWire(task))

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

  server.delete('/v1/tasks', { schema: { querystring: NoQuery }, preHandler: refuseBody }, async (_, reply) =>
    reply.send({ deleted: await deleteAllTasks(ctx, actor) }),
  )

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
    { schema: { params: IdParams, querystring: NoQuery }, preHandler: refuseBody },
    async (request, reply) => {
      const target = { id: request.params.id, version: parseIfMatch(request.headers['if-match']) }
      const { deletedAt } = await deleteTask(ctx, actor, target)
      return reply.send({ id: target.id, deleted_dt: new Date(deletedAt).toISOString() })
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
async function refuseBody({ body }: FastifyRequest): Promise<void> {
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
