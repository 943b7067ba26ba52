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
import { getTask, listTasks } from '#store/tasks.ts'
import {
  parseIfMatch,
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
} from '../shapes.ts'
import { DeletedTaskShape, DeletedTasksShape, TaskPageShape, UpdatedTasksShape } from '../shapes-answers.ts'

/** There are no accounts yet: whoever is let in is the built-in owner. */
export const actor: Actor = { ownerId: builtInOwnerId }

const largestId = Number.MAX_SAFE_INTEGER
export const IdParams = Type.Object({ id: Type.Integer({ minimum: 1, maximum: largestId }) })
/** A query that takes nothing: a mistyped parameter must not be taken for none. */
const NoQuery = Type.Object({}, { additionalProperties: false })

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

export function taskRoutes(plain: FastifyInstance, { db, ctx }: { db: Db; ctx: Context }): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  const sendTask = (reply: FastifyReply, task: Task) => reply.header('etag', toEtag(task)).send(toTaskWire(task))

  const listSchema = {
    operationId: 'listTasks',
    summary: 'Tasks in the order of their ids, all of them or page by page',
    tags: ['tasks'],
    querystring: ListQuery,
    response: { 200: TaskPageShape },
    gives: ['link'],
  } as const
  server.get('/v1/tasks', { schema: listSchema }, async ({ query }, reply) => {
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

  const createSchema = {
    operationId: 'createTask',
    summary: 'Create a task',
    description: 'Answers 200, not 201. What is due already rings at once.',
    tags: ['tasks'],
    querystring: NoQuery,
    body: TaskDraftShape,
    response: { 200: TaskShape },
    gives: ['location', 'etag'],
    problems: ['conflict'],
  } as const
  server.post('/v1/tasks', { schema: createSchema }, async ({ body }, reply) => {
    const task = await createTask(ctx, actor, toDraft(body))
    return sendTask(reply.header('location', `/v1/tasks/${task.id}`), task)
  })

  const updateManySchema = {
    operationId: 'updateTasks',
    summary: 'Change many tasks, all or nothing',
    description: 'Ids that name no task are skipped, and listed as missing.',
    tags: ['tasks'],
    querystring: NoQuery,
    body: TaskPatchesShape,
    response: { 200: UpdatedTasksShape },
    problems: ['conflict'],
  } as const
  server.put('/v1/tasks', { schema: updateManySchema }, async ({ body }, reply) => {
    const seen = new Set<number>()
    const patches = body.tasks.map(({ id, ...rest }, i) => {
      if (seen.has(id)) throw invalidMember(`/tasks/${i}/id`, `is there twice: ${id}`)
      seen.add(id)
      return { id, patch: toPatch(rest, `/tasks/${i}`) }
    })
    const { tasks, missing } = await updateTasks(ctx, actor, patches)
    return reply.send({ tasks: tasks.map(toTaskWire), missing })
  })

  const deleteAllSchema = {
    operationId: 'deleteTasks',
    summary: 'Delete all tasks',
    tags: ['tasks'],
    querystring: NoQuery,
    response: { 200: DeletedTasksShape },
  } as const
  server.delete('/v1/tasks', { schema: deleteAllSchema, preHandler: refuseBody }, async (_, reply) =>
    reply.send({ deleted: await deleteAllTasks(ctx, actor) }),
  )

  /** What all requests to one task have in common. */
  const ofOne = { tags: ['tasks'], params: IdParams, querystring: NoQuery } as const
  const oneTask = { ...ofOne, response: { 200: TaskShape }, gives: ['etag'] } as const

  const getSchema = { operationId: 'getTask', summary: 'A task', ...oneTask } as const
  server.get('/v1/tasks/:id', { schema: getSchema }, async ({ params }, reply) =>
    sendTask(reply, await getTask(db, actor.ownerId, params.id)),
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
        summary,
        ...oneTask,
        body: TaskPatchShape,
        reads: ['if-match'],
        problems: ['conflict'],
      },
      handler: async ({ params, body, headers }, reply) => {
        const target = { id: params.id, version: parseIfMatch(headers['if-match']) }
        return sendTask(reply, await updateTask(ctx, actor, target, toPatch(body)))
      },
    })

  const deleteSchema = {
    operationId: 'deleteTask',
    summary: 'Delete a task',
    ...ofOne,
    response: { 200: DeletedTaskShape },
    reads: ['if-match'],
  } as const
  server.delete('/v1/tasks/:id', { schema: deleteSchema, preHandler: refuseBody }, async (request, reply) => {
    const target = { id: request.params.id, version: parseIfMatch(request.headers['if-match']) }
    const { deletedAt } = await deleteTask(ctx, actor, target)
    return reply.send({ id: target.id, deleted_dt: new Date(deletedAt).toISOString() })
  })

  for (const [verb, act, summary] of [
    ['complete', completeTask, 'Complete a task; it no longer rings'],
    ['reopen', reopenTask, 'Reopen a task that was completed'],
  ] as const) {
    server.post(
      `/v1/tasks/:id/${verb}`,
      {
        schema: { operationId: `${verb}Task`, summary, ...oneTask, reads: ['if-match'] },
        preHandler: refuseBody,
      },
      async ({ params, headers }, reply) => {
        const target = { id: params.id, version: parseIfMatch(headers['if-match']) }
        return sendTask(reply, await act(ctx, actor, target))
      },
    )
  }

  const snoozeSchema = {
    operationId: 'snoozeTask',
    summary: 'Ring once more, later',
    description:
      'Takes either "for", a span from now, or "until", a time. Completing the task or moving its expiry ends it.',
    ...oneTask,
    body: SnoozeShape,
    reads: ['if-match'],
    problems: ['conflict'],
  } as const
  server.post('/v1/tasks/:id/snooze', { schema: snoozeSchema }, async ({ params, body, headers }, reply) => {
    const target = { id: params.id, version: parseIfMatch(headers['if-match']) }
    return sendTask(reply, await snoozeTask(ctx, actor, target, toSnooze(body)))
  })
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
