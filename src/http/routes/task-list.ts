import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { Task } from '#core/task.ts'
import { positionOf } from '#core/task-query.ts'
import { isNotModified } from '#http/protocol/conditional-requests.ts'
import Type from '#json-schema.ts'
import { lastChange } from '#store/changes.ts'
import type { Db } from '#store/schema.ts'
import { countTags } from '#store/tags.ts'
import { countTasks, listPage } from '#store/task-list.ts'
import { listTasks } from '#store/tasks.ts'
import { toCollectionEtag, toTaskWire } from '#wire/task.ts'
import { NotModified } from '#wire/task-answers.ts'
import {
  badParameter,
  maxTasks,
  parseListCursor,
  TagListShape,
  TaskPageShape,
  TaskQueryShape,
  type TaskQueryWire,
  toFilter,
  toListCursor,
  toSort,
} from '#wire/task-list.ts'
import { parseCursor, toCursor } from './tasks.ts'

/** Many tasks at once, and what there is to tell them apart by. */
export function taskListRoutes(plain: FastifyInstance, { db, now }: { db: Db; now: () => number }): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  server.get(
    '/v1/tasks',
    {
      config: { isLarge: ({ limit = maxTasks }) => Number(limit) > 1_000 },
      schema: {
        operationId: 'listTasks',
        needs: 'read',
        summary: 'Tasks, all or some, in an order',
        tags: ['tasks'],
        querystring: TaskQueryShape,
        response: { 200: TaskPageShape, 304: NotModified },
        reads: ['if-none-match'],
        gives: ['etag', 'link'],
      },
    },
    async ({ query, headers, actor }, reply) => {
      const filter = toFilter(query, actor.defaults.timeZone)
      const sort = toSort(query.sort)
      const { limit = maxTasks, offset = 0, cursor } = query
      if (cursor !== undefined && offset > 0) throw badParameter('cursor', 'and offset exclude each other')
      // In the order of ids and without a filter: the list of those who read everything, by a statement that is compiled already.
      const isPlain = sort.length === 1 && sort[0]?.by === 'id' && !sort[0].isDescending && isEmpty(filter)
      const after =
        cursor === undefined ? undefined : isPlain ? [parseCursor(cursor)] : parseListCursor(cursor, filter, sort)

      // What has expired changes without a change.
      if (filter.status !== 'expired') {
        const etag = toCollectionEtag(actor.userId, await lastChange(db, actor.userId))
        reply.header('etag', etag)
        if (isNotModified(headers, etag)) return reply.code(304).send(null)
      }
      const at = now()
      // One more than asked for tells whether there is more.
      const page = { limit: limit + 1, offset }
      const found = isPlain
        ? await listTasks(db, actor.userId, { ...page, after: Number(after?.[0] ?? 0) })
        : await listPage(db, actor.userId, { ...page, filter, sort, after, now: at })
      const tasks = found.slice(0, limit)
      const last = tasks.at(-1)
      const cursorOf = (task: Task) =>
        isPlain ? toCursor(task.id) : toListCursor(positionOf(task, sort), filter, sort)
      const nextCursor = found.length > limit && last ? cursorOf(last) : null
      if (nextCursor) reply.header('link', `<${nextPage(query, limit, nextCursor)}>; rel="next"`)
      return reply.send({
        tasks: tasks.map(toTaskWire),
        next_cursor: nextCursor,
        ...(query.count === 'true' && { total: await countTasks(db, actor.userId, filter, at) }),
      })
    },
  )

  server.get(
    '/v1/tags',
    {
      schema: {
        operationId: 'listTags',
        needs: 'read',
        summary: 'The tags of all tasks, with how many are open and have expired',
        tags: ['tags'],
        querystring: Type.Object({}, { additionalProperties: false }),
        response: { 200: TagListShape },
      },
    },
    async ({ actor }, reply) => reply.send({ tags: await countTags(db, actor.userId, now()) }),
  )
}

const isEmpty = (object: object) => Object.keys(object).length === 0

/** The same list from there on. */
function nextPage({ limit: _, offset: __, cursor: ___, ...others }: TaskQueryWire, limit: number, cursor: string) {
  const query = new URLSearchParams({ limit: String(limit) })
  for (const [name, values] of Object.entries(others)) for (const value of [values].flat()) query.append(name, value)
  query.append('cursor', cursor)
  return `/v1/tasks?${query}`
}
