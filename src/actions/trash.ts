import { randomUUIDv7 } from 'node:crypto'
import { restoreTask } from '#core/alarm.ts'
import type { Actor } from '#core/caller.ts'
import type { ChangeKind } from '#core/change.ts'
import { Problem } from '#core/problem.ts'
import { lastChange, lockLastChange, recordChange } from '#store/changes.ts'
import { reviveCancelled } from '#store/deliveries.ts'
import type { Db } from '#store/schema.ts'
import * as trash from '#store/trash.ts'
import { defaultsInTransaction } from '#store/users.ts'
import { type LongContext, refuseIfStopping, yieldToOthers } from './context.ts'
import { perform } from './perform.ts'

/**
 * Deletes, restores and purges many tasks. Up to 1,000 are one transaction. More take a transaction for each chunk, so that reminders and
 * other requests run in between. An interrupted call has done whole chunks; repeating it does the rest. See docs/decisions/0010.
 *
 *   ids ──▶ lists of 1,000 ──▶ one list ──────▶ all or nothing, one change for each task
 *                         └──▶ several lists ──▶ chunk · others · chunk · others · …   one change for each chunk
 */

/** Most ids of one transaction, of one request and of one response. Followers receive one change for larger deletes. */
const maxListSize = 1_000
/** Longest transaction, which delays reminders. A chunk of 1,000 takes 0.1 s, on a busy machine 0.4 s: the chunk size adapts. */
const maxChunkMs = 50
const minChunkSize = 50

export interface DeleteRequest {
  readonly filter: trash.DeletionFilter
  /** The last change of the collection that the caller requires. */
  readonly ifChange?: number | undefined
  /** The instant at which the filter decides what has expired, in ms since 1970. */
  readonly now: number
}

export interface DeleteResult {
  readonly count: number
  /** Null when there was nothing to delete. */
  readonly batch: string | null
  readonly deletedAt: number | null
}

/** Moves the tasks that match a filter to the trash, as one batch. @throws Problem `stale` */
export async function deleteTasks(
  ctx: LongContext,
  { userId }: Actor,
  { filter, ifChange, now: asOf }: DeleteRequest,
): Promise<DeleteResult> {
  const batch = randomUUIDv7()
  let deletedAt: number | null = null
  const deleteChunk = (ids: readonly number[], isMany: boolean) =>
    ctx.transact(async (tx, now) => {
      const locked = await trash.lockToDelete(tx, userId, ids, filter, asOf)
      await trash.moveToTrash(tx, locked, batch, deletedAt ?? now)
      // Checked last, under the lock that numbers changes: no other change can come between the check and ours.
      if (deletedAt === null && ifChange !== undefined) requireLastChange(await lockLastChange(tx, userId), ifChange)
      recordChanges(tx, userId, locked, isMany ? { kind: 'cleared', batch } : { kind: 'deleted' })
      return { count: locked.length, deletedAt: deletedAt ?? now }
    })
  const count = await inChunks(
    ctx,
    (done) => `${done} tasks are in the trash by now, as batch ${batch}. Repeat the request to delete the others.`,
    trash.idsToDelete(ctx.db, userId, filter, asOf, maxListSize),
    async (ids, isMany) => {
      const chunk = await deleteChunk(ids, isMany)
      deletedAt = chunk.deletedAt
      return chunk.count
    },
  )
  if (deletedAt === null) await deleteChunk([], false) // checks the precondition
  return count === 0 ? { count, batch: null, deletedAt: null } : { count, batch, deletedAt }
}

/** Counts the tasks that `deleteTasks` would delete. @throws Problem `stale` */
export async function countDeletable(
  { db }: Pick<LongContext, 'db'>,
  { userId }: Actor,
  { filter, ifChange, now }: DeleteRequest,
): Promise<number> {
  if (ifChange !== undefined) requireLastChange(await lastChange(db, userId), ifChange)
  let count = 0
  for await (const ids of trash.idsToDelete(db, userId, filter, now, maxListSize)) count += ids.length
  return count
}

function requireLastChange(last: number, expected: number) {
  if (last !== expected)
    throw new Problem(
      'stale',
      `The tasks are at change ${last}, not ${expected}: another request changed them meanwhile.`,
    )
}

/** The deleted tasks to restore: some ids, or all of one batch. */
export type RestoreSelection = Exclude<trash.TrashSelection, 'all'>

/**
 * Restores tasks with their ids and history. Up to 1,000 are restored together or not at all; a larger batch in chunks.
 * @returns how many, the ids of the first thousand, and the requested ids that are not in the trash
 * @throws Problem `conflict` naming a uid or key that another task has taken
 */
export async function restoreTasks(
  ctx: LongContext,
  { userId }: Actor,
  which: RestoreSelection,
): Promise<{ count: number; restored: number[]; missing: number[] }> {
  const restored: number[] = []
  const count = await inChunks(
    ctx,
    (done) => `${done} tasks of the batch were restored before. Repeat the request to restore the others.`,
    trash.idsInTrash(ctx.db, userId, which, maxListSize),
    async (ids, isMany) => {
      const done = await perform(ctx, async (tx, now, wakeAt) => {
        const trashed = await trash.lockTrashed(tx, userId, ids)
        const defaults = await defaultsInTransaction(tx, userId)
        const tasks = trashed.map(({ task }) => restoreTask(task, defaults, now))
        await trash.takeFromTrash(tx, tasks)
        // Deliveries that were cancelled because of the deletion are pending again.
        const open = tasks.filter(({ expiryAt, completedAt }) => expiryAt !== null && completedAt === null)
        if ((await reviveCancelled(tx, open, now)) > 0) wakeAt(now)
        for (const { notifyAt } of tasks) wakeAt(notifyAt)
        const back = tasks.map(({ id }) => id)
        recordChanges(
          tx,
          userId,
          back,
          isMany && 'batch' in which ? { kind: 'restored', ...which } : { kind: 'restored' },
        )
        return back
      })
      restored.push(...done.slice(0, maxListSize - restored.length))
      return done.length
    },
  )
  const back = new Set(restored)
  return { count, restored, missing: 'ids' in which ? which.ids.filter((id) => !back.has(id)) : [] }
}

/** Deletes tasks in the trash permanently. @returns how many */
export async function purgeTrash(ctx: LongContext, { userId }: Actor, which: trash.TrashSelection): Promise<number> {
  return inChunks(
    ctx,
    (done) => `${done} tasks are gone from the trash by now. Repeat the request to purge the others.`,
    trash.idsInTrash(ctx.db, userId, which, maxListSize),
    (ids) => ctx.transact((tx) => trash.purgeTrashed(tx, userId, ids)),
  )
}

/** Counts the tasks that `purgeTrash` would delete. */
export async function countTrashed(
  { db }: Pick<LongContext, 'db'>,
  { userId }: Actor,
  which: trash.TrashSelection,
): Promise<number> {
  let count = 0
  for await (const ids of trash.idsInTrash(db, userId, which, maxListSize)) count += ids.length
  return count
}

/** Performs one list in one call, and several lists in chunks of at most `maxChunkMs`. @returns how many in all */
async function inChunks(
  { signal }: LongContext,
  soFar: (count: number) => string,
  lists: AsyncIterator<readonly number[]>,
  perform: (ids: readonly number[], isMany: boolean) => Promise<number>,
): Promise<number> {
  let count = 0
  let size = maxListSize
  try {
    let list = await lists.next()
    let following = await lists.next()
    const isMany = !following.done
    while (!list.done) {
      for (let i = 0; i < list.value.length; ) {
        refuseIfStopping(signal)
        const ids = list.value.slice(i, i + size)
        const startedAt = performance.now()
        count += await perform(ids, isMany)
        i += ids.length
        if (!isMany) continue
        const fits = (size * maxChunkMs) / (performance.now() - startedAt)
        size = Math.round(Math.min(maxListSize, 2 * size, Math.max(minChunkSize, size / 2, fits)))
        await yieldToOthers()
      }
      list = following
      following = await lists.next()
    }
  } catch (error) {
    if (count === 0 || !(error instanceof Problem)) throw error
    throw new Problem(error.kind, `${error.message} ${soFar(count)}`, { ...error.extras, cause: error })
  }
  return count
}

/** Records one change for each task, or one for all of them: then followers read the list of tasks anew. */
function recordChanges(
  tx: Db,
  userId: number,
  ids: readonly number[],
  { kind, batch }: { kind: ChangeKind; batch?: string },
): void {
  if (batch === undefined) for (const taskId of ids) recordChange(tx, { userId, taskId, kind })
  else if (ids.length > 0) recordChange(tx, { userId, taskId: null, kind, batch, count: ids.length })
}
