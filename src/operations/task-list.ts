import { maxTasks, type TaskQueryWire } from '#api/schemas/task-list.ts'
import type { Task } from '#core/task.ts'
import { positionOf } from '#core/task-query.ts'
import { lastChange } from '#store/changes.ts'
import type { Db } from '#store/schema.ts'
import { countTags } from '#store/tags.ts'
import { countTasks, listPage } from '#store/task-list.ts'
import { listTasks } from '#store/tasks.ts'
import { parseCursor, toCursor } from '#wire/cursor.ts'
import { toCollectionEtag } from '#wire/etag.ts'
import { toTaskWire } from '#wire/task.ts'
import { badParameter, parseListCursor, toFilter, toListCursor, toSort } from '#wire/task-list.ts'
import { type Handlers, notModified } from './call.ts'
import { toPage } from './page.ts'

/** Lists of tasks, and of their tags. */
export function taskListOperations({ db, now }: { db: Db; now: () => number }) {
  return {
    async listTasks({ query, caller, has }) {
      const filter = toFilter(query, caller.defaults.timeZone)
      const sort = toSort(query.sort)
      const { limit = maxTasks, offset = 0, cursor } = query
      if (cursor !== undefined && offset > 0) throw badParameter('cursor', 'and offset exclude each other')
      // The list without a filter, in the order of ids, has a prepared statement of its own.
      const isPlain = sort.length === 1 && sort[0]?.by === 'id' && !sort[0].isDescending && isEmpty(filter)
      const after =
        cursor === undefined ? undefined : isPlain ? [parseCursor(cursor)] : parseListCursor(cursor, filter, sort)

      // The list of expired tasks changes as time passes, so it has no ETag.
      const etag =
        filter.status === 'expired' ? undefined : toCollectionEtag(caller.userId, await lastChange(db, caller.userId))
      if (etag !== undefined && has(etag)) return notModified(etag)
      const at = now()
      const window = { limit: limit + 1, offset }
      const found = isPlain
        ? await listTasks(db, caller.userId, { ...window, after: Number(after?.[0] ?? 0) })
        : await listPage(db, caller.userId, { ...window, filter, sort, after, now: at })
      const { page: tasks, last } = toPage(found, limit)
      const cursorOf = (task: Task) =>
        isPlain ? toCursor(task.id) : toListCursor(positionOf(task, sort), filter, sort)
      const nextCursor = last ? cursorOf(last) : null
      return {
        ...(etag !== undefined && { etag }),
        ...(nextCursor !== null && { link: `<${nextPage(query, limit, nextCursor)}>; rel="next"` }),
        body: {
          tasks: tasks.map(toTaskWire),
          next_cursor: nextCursor,
          ...(query.count === 'true' && { total: await countTasks(db, caller.userId, filter, at) }),
        },
      }
    },

    listTags: async ({ caller }) => ({ body: { tags: await countTags(db, caller.userId, now()) } }),
  } satisfies Handlers<'listTasks' | 'listTags'>
}

const isEmpty = (object: object) => Object.keys(object).length === 0

/** The path of the next page. */
function nextPage({ limit: _, offset: __, cursor: ___, ...others }: TaskQueryWire, limit: number, cursor: string) {
  const query = new URLSearchParams({ limit: String(limit) })
  for (const [name, values] of Object.entries(others)) for (const value of [values].flat()) query.append(name, value)
  query.append('cursor', cursor)
  return `/v1/tasks?${query}`
}
