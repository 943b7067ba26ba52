import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import Type from 'typebox'
import type { Actor, Context } from '#actions/context.ts'
import {
  completeTask,
  createTask,
  deleteTask,
  reopenTask,
  requireCondition,
  snoozeTask,
  updateTask,
  updateTasks,
} from '#actions/tasks.ts'
import { invalidMember, Problem } from '#core/problem.ts'
import type { Task } from '#core/task.ts'
import { builtInOwnerId } from '#store/owners.ts'
import type { Db } from '#store/schema.ts'
import { getTask } from '#store/tasks.ts'
import { prefersMinimal, send, taskAnswer, toTaskMark } from '../answer.ts'
import { isNotModified, parseConditions, parseIfMatch } from '../conditions.ts'
import { answerOnce } from '../idempotency.ts'
import { parsePrefer } from '../prefer.ts'
import {
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

interface TaskParts {
  readonly db: Db
  readonly ctx: Context
  readonly trashDays: number
}

/** One task, and writes of many; how they are listed is in task-list.ts, how they are deleted in trash.ts. */
export function taskRoutes(plain: FastifyInstance, { db, ctx, trashDays }: TaskParts): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  server.post('/v1/tasks', { schema: { querystring: NoQuery, body: TaskDraftShape } }, async (request, reply) => {
    const draft = toDraft(request.body)
    return answerOnce(ctx, actor, request, reply, async (ctx) => {
      const task = await createTask(ctx, actor, draft)
      return taskAnswer(request, task, { location: placeOf(task) })
    })
  })

  server.put('/v1/tasks', { schema: { querystring: NoQuery, body: TaskPatchesShape } }, async (request, reply) => {
    const seen = new Set<number>()
    const patches = request.body.tasks.map(({ id, version, ...rest }, i) => {
      if (seen.has(id)) throw invalidMember(`/tasks/${i}/id`, `is there twice: ${id}`)
      seen.add(id)
      return { id, version, patch: toPatch(rest, `/tasks/${i}`) }
    })
    const isStrict = parsePrefer(request.headers.prefer).get('handling') === 'strict'
    const isMinimal = prefersMinimal(request)
    const { tasks, missing } = await updateTasks(ctx, actor, patches, { isStrict })
    const applied = [isStrict && 'handling=strict', isMinimal && 'return=minimal'].filter(Boolean)
    if (applied.length > 0) reply.header('preference-applied', applied.join(', '))
    return reply.send({ tasks: isMinimal ? tasks.map(toTaskMark) : tasks.map(toTaskWire), missing })
  })

  server.get(
    '/v1/tasks/:id',
    { schema: { params: IdParams, querystring: NoQuery }, onRequest: tellPatchTypes },
    async (request, reply) => sendTask(request, reply, await getTask(db, actor.ownerId, request.params.id)),
  )

  // PUT merges as PATCH does (RFC 7396): a full replacement would wipe members that an older client does not know.
  server.route({
    method: ['PUT', 'PATCH'],
    url: '/v1/tasks/:id',
    schema: { params: IdParams, querystring: NoQuery, body: TaskPatchShape },
    onRequest: tellPatchTypes,
    handler: async (request, reply) => {
      const target = { id: request.params.id, ...parseConditions(request.headers) }
      return send(reply, taskAnswer(request, await updateTask(ctx, actor, target, toPatch(request.body))))
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
      onRequest: tellPatchTypes,
      preHandler: refuseBody,
    },
    async ({ params, headers }, reply) => {
      const target = { id: params.id, ...parseConditions(headers) }
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
      async (request, reply) => {
        const target = { id: request.params.id, ...parseConditions(request.headers) }
        return answerOnce(ctx, actor, request, reply, async (ctx) => taskAnswer(request, await act(ctx, actor, target)))
      },
    )
  }

  server.post(
    '/v1/tasks/:id/snooze',
    { schema: { params: IdParams, querystring: NoQuery, body: SnoozeShape } },
    async (request, reply) => {
      const target = { id: request.params.id, ...parseConditions(request.headers) }
      const until = toSnooze(request.body)
      return answerOnce(ctx, actor, request, reply, async (ctx) =>
        taskAnswer(request, await snoozeTask(ctx, actor, target, until)),
      )
    },
  )
}

/** Where a task is found. */
export const placeOf = ({ id }: Task) => `/v1/tasks/${id}`

/**
 * A task that is read: 304 to who has it already.
 * @throws Problem `stale` where an If-Match means another version
 */
export function sendTask({ headers }: FastifyRequest, reply: FastifyReply, task: Task): FastifyReply {
  requireCondition({ version: parseIfMatch(headers['if-match']) }, task)
  const etag = toEtag(task)
  reply.header('etag', etag)
  return isNotModified(headers, etag) ? reply.code(304).send() : reply.send(toTaskWire(task))
}

/** On whatever is answered where there is a PATCH, as RFC 5789 section 3.1 has it; a 415 needs it most. */
export const tellPatchTypes: onRequestHookHandler = (_, reply, done) => {
  reply.header('accept-patch', 'application/merge-patch+json')
  done()
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
