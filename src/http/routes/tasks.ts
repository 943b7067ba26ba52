import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { requirePrecondition } from '#actions/conditions.ts'
import type { Context } from '#actions/context.ts'
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
import { isNotModified, parseConditions, parseIfMatch } from '#http/protocol/conditional-requests.ts'
import { answerIdempotently } from '#http/protocol/idempotency.ts'
import { parsePrefer } from '#http/protocol/prefer.ts'
import { prefersMinimal, send, taskAnswer, toTaskMark } from '#http/protocol/task-response.ts'
import Type from '#json-schema.ts'
import type { Db } from '#store/schema.ts'
import { getTask } from '#store/tasks.ts'
import {
  SnoozeShape,
  TaskDraftShape,
  TaskPatchesShape,
  TaskPatchShape,
  TaskShape,
  toDraft,
  toEtag,
  toPatch,
  toSnooze,
  toTaskWire,
} from '#wire/task.ts'
import { NotModified, UpdatedTasksShape, WrittenTaskShape } from '#wire/task-answers.ts'
import { DeletedTaskShape, toDeletedTaskWire } from '#wire/trash.ts'

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

  const createSchema = {
    operationId: 'createTask',
    needs: 'write',
    summary: 'Create a task',
    description: 'Answers 200, not 201. What is due already rings at once.',
    tags: ['tasks'],
    querystring: NoQuery,
    body: TaskDraftShape,
    response: { 200: WrittenTaskShape },
    reads: ['idempotency-key', 'prefer'],
    gives: ['location', 'etag', 'idempotency-replayed', 'preference-applied'],
    problems: ['conflict'],
  } as const
  server.post('/v1/tasks', { schema: createSchema }, async (request, reply) => {
    const draft = toDraft(request.body)
    return answerIdempotently(ctx, request, reply, async (ctx) => {
      const task = await createTask(ctx, request.actor, draft)
      return taskAnswer(request, task, { location: placeOf(task) })
    })
  })

  const updateManySchema = {
    operationId: 'updateTasks',
    needs: 'write',
    summary: 'Change many tasks, all or nothing',
    description:
      'Ids that name no task are skipped, and listed as missing; with `Prefer: handling=strict` they are refused by 404. An item with a `version` is changed only if the task has that one still: else nothing is, and the answer is 409.',
    tags: ['tasks'],
    querystring: NoQuery,
    body: TaskPatchesShape,
    response: { 200: UpdatedTasksShape },
    reads: ['prefer'],
    gives: ['preference-applied'],
    problems: ['conflict', 'not-found'],
  } as const
  server.put('/v1/tasks', { schema: updateManySchema }, async (request, reply) => {
    const seen = new Set<number>()
    const patches = request.body.tasks.map(({ id, version, ...rest }, i) => {
      if (seen.has(id)) throw invalidMember(`/tasks/${i}/id`, `is there twice: ${id}`)
      seen.add(id)
      return { id, version, patch: toPatch(rest, `/tasks/${i}`) }
    })
    const isStrict = parsePrefer(request.headers.prefer).get('handling') === 'strict'
    const isMinimal = prefersMinimal(request)
    const { tasks, missing } = await updateTasks(ctx, request.actor, patches, { isStrict })
    const applied = [isStrict && 'handling=strict', isMinimal && 'return=minimal'].filter(Boolean)
    if (applied.length > 0) reply.header('preference-applied', applied.join(', '))
    return reply.send({ tasks: isMinimal ? tasks.map(toTaskMark) : tasks.map(toTaskWire), missing })
  })

  /** What all requests to one task have in common. */
  const ofOne = { tags: ['tasks'], params: IdParams, querystring: NoQuery } as const
  const written = {
    ...ofOne,
    response: { 200: WrittenTaskShape },
    gives: ['etag', 'preference-applied'],
  } as const

  const getSchema = {
    operationId: 'getTask',
    needs: 'read',
    summary: 'A task',
    ...ofOne,
    response: { 200: TaskShape, 304: NotModified },
    reads: ['if-match', 'if-none-match'],
    gives: ['etag', 'accept-patch'],
  } as const
  server.get('/v1/tasks/:id', { schema: getSchema, onRequest: advertisePatchTypes }, async (request, reply) =>
    sendTask(request, reply, await getTask(db, request.actor.userId, request.params.id)),
  )

  // PUT merges as PATCH does (RFC 7396): a full replacement would wipe members that an older client does not know.
  for (const [method, operationId, summary] of [
    ['PUT', 'putTask', 'Change a task, as PATCH does: members that are absent stay as they are'],
    ['PATCH', 'updateTask', 'Change a task: the members given (RFC 7396)'],
  ] as const)
    server.route({
      method,
      url: '/v1/tasks/:id',
      schema: {
        operationId,
        needs: 'write',
        summary,
        ...written,
        body: TaskPatchShape,
        reads: ['if-match', 'if-none-match', 'prefer'],
        gives: [...written.gives, 'accept-patch'],
        problems: ['conflict'],
      },
      onRequest: advertisePatchTypes,
      handler: async (request, reply) => {
        const target = { id: request.params.id, ...parseConditions(request.headers) }
        return send(reply, taskAnswer(request, await updateTask(ctx, request.actor, target, toPatch(request.body))))
      },
    })

  const deleteSchema = {
    operationId: 'deleteTask',
    needs: 'write',
    summary: 'Move a task to the trash, from where it can be restored for some days',
    ...ofOne,
    response: { 200: DeletedTaskShape },
    reads: ['if-match', 'if-none-match'],
    gives: ['accept-patch'],
  } as const
  server.delete(
    '/v1/tasks/:id',
    { schema: deleteSchema, onRequest: advertisePatchTypes, preHandler: refuseBody },
    async ({ params, headers, actor }, reply) => {
      const target = { id: params.id, ...parseConditions(headers) }
      const { deletedAt } = await deleteTask(ctx, actor, target)
      return reply.send(toDeletedTaskWire(target.id, deletedAt, trashDays))
    },
  )

  /** What the verbs have in common. */
  const verbs = {
    ...written,
    reads: ['if-match', 'if-none-match', 'idempotency-key', 'prefer'],
    gives: [...written.gives, 'idempotency-replayed'],
  } as const
  for (const [verb, act, summary] of [
    ['complete', completeTask, 'Complete a task; it no longer rings'],
    ['reopen', reopenTask, 'Reopen a task that was completed'],
  ] as const) {
    server.post(
      `/v1/tasks/:id/${verb}`,
      { schema: { operationId: `${verb}Task`, needs: 'write', summary, ...verbs }, preHandler: refuseBody },
      async (request, reply) => {
        const target = { id: request.params.id, ...parseConditions(request.headers) }
        return answerIdempotently(ctx, request, reply, async (ctx) =>
          taskAnswer(request, await act(ctx, request.actor, target)),
        )
      },
    )
  }

  const snoozeSchema = {
    operationId: 'snoozeTask',
    needs: 'write',
    summary: 'Ring once more, later',
    description:
      'Takes either "for", a span from now, or "until", a time. Completing the task or moving its expiry ends it.',
    ...verbs,
    body: SnoozeShape,
    problems: ['conflict'],
  } as const
  server.post('/v1/tasks/:id/snooze', { schema: snoozeSchema }, async (request, reply) => {
    const target = { id: request.params.id, ...parseConditions(request.headers) }
    const until = toSnooze(request.body)
    return answerIdempotently(ctx, request, reply, async (ctx) =>
      taskAnswer(request, await snoozeTask(ctx, request.actor, target, until)),
    )
  })
}

/** Where a task is found. */
export const placeOf = ({ id }: Task) => `/v1/tasks/${id}`

/**
 * A task that is read: 304 to who has it already.
 * @throws Problem `stale` where an If-Match means another version
 */
export function sendTask({ headers }: FastifyRequest, reply: FastifyReply, task: Task): FastifyReply {
  requirePrecondition({ version: parseIfMatch(headers['if-match']) }, task)
  const etag = toEtag(task)
  reply.header('etag', etag)
  return isNotModified(headers, etag) ? reply.code(304).send() : reply.send(toTaskWire(task))
}

/** On whatever is answered where there is a PATCH, as RFC 5789 section 3.1 has it; a 415 needs it most. */
export const advertisePatchTypes: onRequestHookHandler = (_, reply, done) => {
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
