import type { LongContext } from '#actions/context.ts'
import { countDeletable, countTrashed, deleteTasks, purgeTrash, restoreTasks } from '#actions/trash.ts'
import type { Query } from '#api/operation.ts'
import type { tasks } from '#api/operations.ts'
import { Problem } from '#core/problem.ts'
import type { Db } from '#store/schema.ts'
import { type DeletionFilter, listTrash } from '#store/trash.ts'
import { parseTrashCursor, toTrashCursor } from '#wire/cursor.ts'
import { parseCollectionIfMatch } from '#wire/etag.ts'
import { parseIds } from '#wire/id-list.ts'
import { parseInstant } from '#wire/time.ts'
import { toDeletedTasksWire, toRestoring, toTrashedTaskWire } from '#wire/trash.ts'
import { type Handlers, inChunks } from './call.ts'
import { toPage } from './page.ts'

interface Deps {
  readonly db: Db
  readonly ctx: LongContext
  readonly now: () => number
  readonly trashDays: number
}

/** Deletes many tasks, and manages the trash. */
export function trashOperations({ db, ctx, now, trashDays }: Deps) {
  return {
    async deleteTasks({ query, caller, collectionMatch, requireScope }) {
      const filter = toFilter(query, caller.defaults.timeZone)
      const isDryRun = query.dry_run === 'true'
      // Deleting all tasks needs a wider scope than deleting some.
      if (Object.keys(filter).length === 0 && !isDryRun) requireScope('admin')
      const args = { filter, ifChange: parseCollectionIfMatch(caller.userId, collectionMatch), now: now() }
      const deleted = isDryRun
        ? { count: await countDeletable(ctx, caller, args), batch: null, deletedAt: null }
        : await deleteTasks(ctx, caller, args)
      return { body: toDeletedTasksWire(deleted, trashDays) }
    },

    async listTrash({ query: { limit, cursor }, caller }) {
      const before = cursor === undefined ? undefined : parseTrashCursor(cursor)
      const found = await listTrash(db, caller.userId, { before, limit: limit + 1 })
      const { page, last } = toPage(found, limit)
      return {
        body: {
          tasks: page.map((trashed) => toTrashedTaskWire(trashed, trashDays)),
          next_cursor: last ? toTrashCursor(last.deletedAt, last.task.id) : null,
        },
      }
    },

    // A batch may be a million tasks, and many transactions.
    restoreTasks: inChunks(
      async (call) => ({ body: await restoreTasks({ ...ctx, ...call.ctx }, call.caller, toRestoring(call.body)) }),
      ({ batch }) => batch !== undefined,
    ),

    async purgeTrash({ query: { ids, batch, dry_run }, caller }) {
      if (ids !== undefined && batch !== undefined) throw new Problem('malformed', 'ids and batch exclude each other.')
      const which = ids !== undefined ? { ids: parseIds(ids) } : batch !== undefined ? { batch } : 'all'
      const purge = dry_run === 'true' ? countTrashed : purgeTrash
      return { body: { purged: await purge(ctx, caller, which) } }
    },
  } satisfies Handlers<'deleteTasks' | 'listTrash' | 'restoreTasks' | 'purgeTrash'>
}

function toFilter(
  { ids, status, tag, expires_before }: Query<typeof tasks.deleteTasks>,
  timeZone: string,
): DeletionFilter {
  return {
    ...(ids !== undefined && { ids: parseIds(ids) }),
    ...(status !== undefined && { status }),
    ...(tag !== undefined && { tags: [tag].flat() }),
    ...(expires_before !== undefined && { expiresBefore: parseInstant('expires_before', expires_before, timeZone) }),
  }
}
