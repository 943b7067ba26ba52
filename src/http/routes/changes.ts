import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Problem } from '#core/problem.ts'
import Type from '#json-schema.ts'
import { changeCounter, lastChange, taskChangesSince } from '#store/changes.ts'
import type { Db } from '#store/schema.ts'
import { listTasks, tasksByIds } from '#store/tasks.ts'
import { ChangesShape, type ChangesWire } from '#wire/events.ts'
import { toTaskWire } from '#wire/task.ts'

/** How far a reader has come: the number of the last change it has seen. */
export interface Place {
  readonly number: number
  /** While it still reads the whole state: the id of the last task it was given. */
  readonly taskId?: number
}

const ChangesQuery = Type.Object(
  {
    since: Type.Optional(
      Type.String({
        maxLength: 100,
        description: 'The cursor of the last answer; without it, everything from the start',
      }),
    ),
    limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 1_000 }),
  },
  { additionalProperties: false },
)

/**
 * Delta sync. A reader begins with the whole state, in pages, and goes on with what has changed:
 *
 *   first ──▶ number = last change ──▶ tasks by id, page by page ──▶ changes above that number ──▶ …
 *
 * It is told states, not deeds, and may be told one that is newer than its cursor: what it is never told is one that is older. For
 * that each step reads in one order, in which what comes later in the list can only be seen early:
 *
 *   - The number is read before the first page. What changes while the pages are read has a higher one, and is told again.
 *   - Changes are read before their tasks: a task is then as that change left it, or newer, and that has a higher number.
 *   - The last number is read before the changes. Up to it, all were visible by then: so a page that is not full has come at
 *     least that far, whatever of the bell's lines it has passed over.
 *   - What is forgotten is read after the changes: what was taken away under our eyes is known to be.
 *
 * Each statement sees all that was committed before it began, on every database; they need no transaction around them.
 */
export function changeRoutes(plain: FastifyInstance, { db }: { db: Db }): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()
  async function everything(userId: number, { number, taskId: after = 0 }: Place, limit: number): Promise<ChangesWire> {
    const found = await listTasks(db, userId, { after, limit: limit + 1, offset: 0 })
    const { last, forgotten } = await changeCounter(db, userId)
    refuse(number, last, forgotten)
    const page = found.slice(0, limit)
    const isDone = found.length <= limit
    return {
      tasks: page.map(toTaskWire),
      deleted: [],
      cursor: toPlaceCursor(userId, isDone ? { number } : { number, taskId: page.at(-1)?.id ?? after }),
      more: !isDone || last > number,
    }
  }

  async function changed(userId: number, { number }: Place, limit: number): Promise<ChangesWire> {
    const { last } = await changeCounter(db, userId)
    const changes = await taskChangesSince(db, userId, number, limit)
    const { forgotten } = await changeCounter(db, userId)
    refuse(number, last, forgotten)
    const ids = new Set<number>()
    for (const { taskId } of changes) {
      // Of many at once: which they were is not in the list.
      if (taskId === null) throw startAgain()
      ids.add(taskId)
    }
    const tasks = await tasksByIds(db, [...ids])
    const more = changes.length === limit
    const seen = changes.at(-1)?.number ?? number
    return {
      tasks: [...ids].flatMap((id) => tasks.get(id) ?? []).map(toTaskWire), // in the order in which they changed first
      deleted: [...ids].filter((id) => !tasks.has(id)),
      cursor: toPlaceCursor(userId, { number: more ? seen : Math.max(seen, last) }),
      more,
    }
  }

  server.get(
    '/v1/changes',
    {
      schema: {
        operationId: 'listChanges',
        needs: 'read',
        summary: 'What has changed since a cursor: tasks as they are now, and ids of those that are gone',
        tags: ['events'],
        querystring: ChangesQuery,
        response: { 200: ChangesShape },
        problems: ['gone'],
      },
    },
    async ({ query: { since, limit }, actor: { userId } }) => {
      if (since === undefined) return everything(userId, { number: await lastChange(db, userId), taskId: 0 }, limit)
      const place = parsePlaceCursor(userId, since, 'since')
      return place.taskId === undefined ? changed(userId, place, limit) : everything(userId, place, limit)
    },
  )
}

/** @throws Problem `gone` for a place of which something is forgotten, `malformed` for one that nobody can have come to */
function refuse(number: number, last: number, forgotten: number): void {
  if (number < forgotten) throw startAgain()
  if (number > last) throw invalidCursor('since')
}

function startAgain(): Problem {
  return new Problem(
    'gone',
    'What has changed since then is not kept one by one any more: start again without «since».',
  )
}

/** A cursor or position that nobody can have been given. */
export function invalidCursor(parameter: string): Problem {
  const detail = 'is not one that this server gave'
  return new Problem('malformed', `The cursor ${detail}.`, { faults: [{ at: { parameter }, detail }] })
}

/** Opaque to callers, and bound to its user. */
export function toPlaceCursor(userId: number, { number, taskId }: Place): string {
  const text = taskId === undefined ? `changes:${userId}:${number}` : `tasks:${userId}:${number}:${taskId}`
  return Buffer.from(text).toString('base64url')
}

/** @param parameter where it stood @throws Problem `malformed` */
export function parsePlaceCursor(userId: number, cursor: string, parameter: string): Place {
  const text = Buffer.from(cursor, 'base64url').toString()
  const [, kind, user, number, taskId] = /^(changes|tasks):(\d+):(\d{1,15})(?::(\d{1,15}))?$/.exec(text) ?? []
  if (Number(user) !== userId || (kind === 'tasks') !== (taskId !== undefined)) throw invalidCursor(parameter)
  return taskId === undefined ? { number: Number(number) } : { number: Number(number), taskId: Number(taskId) }
}
