import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { Context } from '#actions/context.ts'
import { putTaskByKey } from '#actions/tasks.ts'
import { invalidMember } from '#core/problem.ts'
import { checkKey } from '#core/task-changes.ts'
import { parseConditions } from '#http/protocol/conditional-requests.ts'
import { send, taskAnswer } from '#http/protocol/task-response.ts'
import Type from '#json-schema.ts'
import type { Db } from '#store/schema.ts'
import { getTaskByKey } from '#store/tasks.ts'
import { TaskShape, TaskUpsertShape, toPatch } from '#wire/task.ts'
import { NotModified, WrittenTaskShape } from '#wire/task-answers.ts'
import { NoQuery, placeOf, sendTask } from './tasks.ts'

const KeyParams = Type.Object({ key: Type.String({ description: "The caller's own name for the task" }) })

/**
 * Tasks by the caller's own names for them: a script that registers certificates or contracts puts them, again and again, and
 * need not know which it has made before.
 */
export function byKeyRoutes(plain: FastifyInstance, { db, ctx }: { db: Db; ctx: Context }): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  server.get(
    '/v1/tasks/by-key/:key',
    {
      schema: {
        operationId: 'getTaskByKey',
        needs: 'read',
        summary: "A task by the caller's own name for it",
        tags: ['tasks'],
        params: KeyParams,
        querystring: NoQuery,
        response: { 200: TaskShape, 304: NotModified },
        reads: ['if-match', 'if-none-match'],
        gives: ['etag'],
        problems: ['invalid'],
      },
    },
    async (request, reply) => {
      checkKey(request.params.key)
      const task = await getTaskByKey(db, request.actor.userId, request.params.key)
      return sendTask(request, reply.header('content-location', placeOf(task)), task)
    },
  )

  server.put(
    '/v1/tasks/by-key/:key',
    {
      schema: {
        operationId: 'putTaskByKey',
        needs: 'write',
        summary: "Create the task with the caller's own name for it, or change the one that is there",
        tags: ['tasks'],
        params: KeyParams,
        querystring: NoQuery,
        body: TaskUpsertShape,
        response: { 200: WrittenTaskShape },
        reads: ['if-match', 'if-none-match', 'prefer'],
        gives: ['etag', 'location', 'preference-applied'],
        problems: ['conflict'],
      },
    },
    async (request, reply) => {
      const { key } = request.params
      const { uid, ...rest } = request.body
      if (rest.key !== undefined && rest.key !== key) throw invalidMember('/key', 'must be the key of the path')
      const draft = { ...toPatch(rest), ...(uid !== undefined && { uid }) }
      const task = await putTaskByKey(ctx, request.actor, key, parseConditions(request.headers), draft)
      return send(reply, taskAnswer(request, task, { location: placeOf(task) }))
    },
  )
}
