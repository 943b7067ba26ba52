import { randomUUIDv7 } from 'node:crypto'
import { Problem } from '#core/problem.ts'
import { restoreTask } from '#core/task.ts'
import { type ChangeKind, lastChange, lockLastChange, recordChange } from '#store/changes.ts'
import { reviveDropped } from '#store/deliveries.ts'
import type { Db } from '#store/schema.ts'
import * as trash from '#store/trash.ts'
import { type Actor, type LongContext, refuseIfStopping } from './context.ts'
import { perform } from './tasks.ts'

/**
 * Deleting, restoring and purging many. Up to a chunk it is one transaction. More is a transaction a chunk, one after the other, so
 * that the bell and every other request come in between; what ends in the middle has done whole chunks, and asking again does the rest.
 * See docs/decisions/0010.
 */

/** What a bell may be late by: with a million tasks 0.3 to 0.5 s on a machine busy with much else, the same on a server. */
const chunkSize = 2_000
/** Of more than this many, nobody wants to follow each: see `Change`. */
const mostChanges = 1_000
/** As many ids an answer names; no more can be asked for by their ids. */
const mostTold = 1_000

/** What the collection's last change must still be, where the caller cares; `now` for what has expired. */
export interface Deleting {
  readonly filter: trash.TaskFilter
  readonly ifChange?: number | undefined
  /** ms since 1970. */
  readonly now: number
}

export interface Deleted {
  readonly count: number
  /** Null when there was nothing to delete. */
  readonly batch: string | null
  readonly deletedAt: number | null
}

/** Moves to the trash, as one batch, what a filter takes of the tasks there are now. @throws Problem `stale` */
export async function deleteTasks(
  ctx: LongContext,
  { ownerId }: Actor,
  { filter, ifChange, now: asOf }: Deleting,
): Promise<Deleted> {
  const batch = randomUUIDv7()
  let deletedAt: number | null = null
  const deleteChunk = (ids: readonly number[], isMany: boolean) =>
    ctx.transact(async (tx, now) => {
      const locked = await trash.lockToDelete(tx, ownerId, ids, filter, asOf)
      await trash.moveToTrash(tx, locked, batch, deletedAt ?? now)
      // Last, and under the lock that numbers changes: nobody can have changed anything between the two.
      if (deletedAt === null && ifChange !== undefined) expectLast(await lockLastChange(tx, ownerId), ifChange)
      record(tx, ownerId, locked, isMany ? { kind: 'cleared', batch } : { kind: 'deleted' })
      return { count: locked.length, deletedAt: deletedAt ?? now }
    })
  const count = await inChunks(
    ctx,
    (done) => `${done} tasks are in the trash by now, as batch ${batch}. Ask again, and the others follow.`,
    trash.idsToDelete(ctx.db, ownerId, filter, asOf, chunkSize),
    async (ids, isMany) => {
      const chunk = await deleteChunk(ids, isMany)
      deletedAt = chunk.deletedAt
      return chunk.count
    },
  )
  if (deletedAt === null) await deleteChunk([], false) // for the condition
  return count === 0 ? { count, batch: null, deletedAt: null } : { count, batch, deletedAt }
}

/** How many that would be. @throws Problem `stale` */
export async function countDeletable(
  { db }: Pick<LongContext, 'db'>,
  { ownerId }: Actor,
  { filter, ifChange, now }: Deleting,
): Promise<number> {
  if (ifChange !== undefined) expectLast(await lastChange(db, ownerId), ifChange)
  let count = 0
  for await (const ids of trash.idsToDelete(db, ownerId, filter, now, chunkSize)) count += ids.length
  return count
}

function expectLast(last: number, expected: number) {
  if (last !== expected)
    throw new Problem('stale', `The tasks are at change ${last}, not ${expected}: something was changed meanwhile.`)
}

/** Of the trash: some tasks, or all of one batch. */
export type Restoring = Exclude<trash.Trashed, 'all'>

/**
 * The same tasks come back, under their ids and with their history. Few all or none; a large batch by chunks.
 * @returns how many, the ids of the first thousand, and which of those asked for are not in the trash
 * @throws Problem `conflict` naming a uid or key that another task has by now
 */
export async function restoreTasks(
  ctx: LongContext,
  { ownerId }: Actor,
  which: Restoring,
): Promise<{ count: number; restored: number[]; missing: number[] }> {
  const restored: number[] = []
  const count = await inChunks(
    ctx,
    (done) => `${done} tasks of the batch were restored before. Ask again, and the others follow.`,
    trash.idsInTrash(ctx.db, ownerId, which, chunkSize),
    async (ids, isMany) => {
      const done = await perform(ctx, async (tx, now, wakeAt) => {
        const trashed = await trash.lockTrashed(tx, ownerId, ids)
        const tasks = trashed.map(({ task }) => restoreTask(task, ctx.defaults, now))
        await trash.takeFromTrash(tx, tasks)
        // What was dropped underway, since its task was deleted, is true again.
        const open = tasks.filter(({ expiryAt, completedAt }) => expiryAt !== null && completedAt === null)
        if ((await reviveDropped(tx, open, now)) > 0) wakeAt(now)
        for (const { notifyAt } of tasks) wakeAt(notifyAt)
        const back = tasks.map(({ id }) => id)
        record(tx, ownerId, back, isMany && 'batch' in which ? { kind: 'restored', ...which } : { kind: 'restored' })
        return back
      })
      restored.push(...done.slice(0, mostTold - restored.length))
      return done.length
    },
  )
  const back = new Set(restored)
  return { count, restored, missing: 'ids' in which ? which.ids.filter((id) => !back.has(id)) : [] }
}

/** For good. @returns how many */
export async function purgeTrash(ctx: LongContext, { ownerId }: Actor, which: trash.Trashed): Promise<number> {
  return inChunks(
    ctx,
    (done) => `${done} tasks are gone from the trash by now. Ask again, and the others follow.`,
    trash.idsInTrash(ctx.db, ownerId, which, chunkSize),
    (ids) => ctx.transact((tx) => trash.purgeTrashed(tx, ownerId, ids)),
  )
}

/** One chunk after the other. @returns how many in all */
async function inChunks(
  { signal }: LongContext,
  soFar: (count: number) => string,
  chunks: AsyncIterable<readonly number[]>,
  act: (ids: readonly number[], isMany: boolean) => Promise<number>,
): Promise<number> {
  let count = 0
  let isMany: boolean | undefined
  try {
    for await (const ids of chunks) {
      isMany ??= ids.length > mostChanges
      refuseIfStopping(signal)
      count += await act(ids, isMany)
    }
  } catch (error) {
    if (count === 0 || !(error instanceof Problem)) throw error
    throw new Problem(error.kind, `${error.message} ${soFar(count)}`, { ...error.extras, cause: error })
  }
  return count
}

/** A change a task, or one for all of them: whoever follows from before begins again. */
function record(
  tx: Db,
  ownerId: number,
  ids: readonly number[],
  { kind, batch }: { kind: ChangeKind; batch?: string },
): void {
  if (batch === undefined) for (const taskId of ids) recordChange(tx, { ownerId, taskId, kind })
  else if (ids.length > 0) recordChange(tx, { ownerId, taskId: null, kind, batch, count: ids.length })
}
