import { randomUUIDv7 } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { restoreTask } from '#core/alarm.ts'
import type { Actor } from '#core/caller.ts'
import type { ChangeKind } from '#core/change.ts'
import { Problem } from '#core/problem.ts'
import { lastChange, lockLastChange, recordChange } from '#store/changes.ts'
import { reviveCancelled } from '#store/deliveries.ts'
import type { Db } from '#store/schema.ts'
import * as trash from '#store/trash.ts'
import { defaultsInTransaction } from '#store/users.ts'
import { type LongContext, refuseIfStopping } from './context.ts'
import { perform } from './tasks.ts'

/**
 * Deleting, restoring and purging many. A few are one transaction. More are a transaction a chunk, so that the bell and every other
 * request come in between; what ends in the middle has done whole chunks, and asking again does the rest. See docs/decisions/0010.
 *
 *   ids ──▶ lists of 1,000 ──▶ one ──────────▶ all or nothing, a change each
 *                         └──▶ several ──▶ chunk · others · chunk · others · …   a change a chunk
 */

/** As many are one transaction; as many ids can be asked for, and are answered; of more, nobody wants to follow each change. */
const few = 1_000
/** What a bell may be late by. A chunk of a thousand takes 0.1 s, on a machine busy with much else 0.4: chunks are cut to fit. */
const chunkMs = 50
const smallestChunk = 50

/** What the collection's last change must still be, where the caller cares; `now` for what has expired. */
export interface Deleting {
  readonly filter: trash.DeletionFilter
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
  { userId }: Actor,
  { filter, ifChange, now: asOf }: Deleting,
): Promise<Deleted> {
  const batch = randomUUIDv7()
  let deletedAt: number | null = null
  const deleteChunk = (ids: readonly number[], isMany: boolean) =>
    ctx.transact(async (tx, now) => {
      const locked = await trash.lockToDelete(tx, userId, ids, filter, asOf)
      await trash.moveToTrash(tx, locked, batch, deletedAt ?? now)
      // Last, and under the lock that numbers changes: nobody can have changed anything between the two.
      if (deletedAt === null && ifChange !== undefined) expectLast(await lockLastChange(tx, userId), ifChange)
      record(tx, userId, locked, isMany ? { kind: 'cleared', batch } : { kind: 'deleted' })
      return { count: locked.length, deletedAt: deletedAt ?? now }
    })
  const count = await inChunks(
    ctx,
    (done) => `${done} tasks are in the trash by now, as batch ${batch}. Ask again, and the others follow.`,
    trash.idsToDelete(ctx.db, userId, filter, asOf, few),
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
  { userId }: Actor,
  { filter, ifChange, now }: Deleting,
): Promise<number> {
  if (ifChange !== undefined) expectLast(await lastChange(db, userId), ifChange)
  let count = 0
  for await (const ids of trash.idsToDelete(db, userId, filter, now, few)) count += ids.length
  return count
}

function expectLast(last: number, expected: number) {
  if (last !== expected)
    throw new Problem('stale', `The tasks are at change ${last}, not ${expected}: something was changed meanwhile.`)
}

/** Of the trash: some tasks, or all of one batch. */
export type Restoring = Exclude<trash.TrashSelection, 'all'>

/**
 * The same tasks come back, under their ids and with their history. Few all or none; a large batch by chunks.
 * @returns how many, the ids of the first thousand, and which of those asked for are not in the trash
 * @throws Problem `conflict` naming a uid or key that another task has by now
 */
export async function restoreTasks(
  ctx: LongContext,
  { userId }: Actor,
  which: Restoring,
): Promise<{ count: number; restored: number[]; missing: number[] }> {
  const restored: number[] = []
  const count = await inChunks(
    ctx,
    (done) => `${done} tasks of the batch were restored before. Ask again, and the others follow.`,
    trash.idsInTrash(ctx.db, userId, which, few),
    async (ids, isMany) => {
      const done = await perform(ctx, async (tx, now, wakeAt) => {
        const trashed = await trash.lockTrashed(tx, userId, ids)
        const defaults = await defaultsInTransaction(tx, userId)
        const tasks = trashed.map(({ task }) => restoreTask(task, defaults, now))
        await trash.takeFromTrash(tx, tasks)
        // What was dropped underway, since its task was deleted, is true again.
        const open = tasks.filter(({ expiryAt, completedAt }) => expiryAt !== null && completedAt === null)
        if ((await reviveCancelled(tx, open, now)) > 0) wakeAt(now)
        for (const { notifyAt } of tasks) wakeAt(notifyAt)
        const back = tasks.map(({ id }) => id)
        record(tx, userId, back, isMany && 'batch' in which ? { kind: 'restored', ...which } : { kind: 'restored' })
        return back
      })
      restored.push(...done.slice(0, few - restored.length))
      return done.length
    },
  )
  const back = new Set(restored)
  return { count, restored, missing: 'ids' in which ? which.ids.filter((id) => !back.has(id)) : [] }
}

/** For good. @returns how many */
export async function purgeTrash(ctx: LongContext, { userId }: Actor, which: trash.TrashSelection): Promise<number> {
  return inChunks(
    ctx,
    (done) => `${done} tasks are gone from the trash by now. Ask again, and the others follow.`,
    trash.idsInTrash(ctx.db, userId, which, few),
    (ids) => ctx.transact((tx) => trash.purgeTrashed(tx, userId, ids)),
  )
}

/** One list is one act; several are cut into chunks that take as long as they may. @returns how many in all */
async function inChunks(
  { signal }: LongContext,
  soFar: (count: number) => string,
  lists: AsyncIterator<readonly number[]>,
  act: (ids: readonly number[], isMany: boolean) => Promise<number>,
): Promise<number> {
  let count = 0
  let size = few
  try {
    let list = await lists.next()
    let following = await lists.next()
    const isMany = !following.done
    while (!list.done) {
      for (let i = 0; i < list.value.length; ) {
        refuseIfStopping(signal)
        const ids = list.value.slice(i, i + size)
        const startedAt = performance.now()
        count += await act(ids, isMany)
        i += ids.length
        if (!isMany) continue
        const fits = (size * chunkMs) / (performance.now() - startedAt)
        size = Math.round(Math.min(few, 2 * size, Math.max(smallestChunk, size / 2, fits)))
        // Two turns of the event loop: what waited for this chunk writes in a transaction of its own, and not in that of the next.
        await turn()
        await turn()
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

/** A change a task, or one for all of them: whoever follows from before begins again. */
function record(
  tx: Db,
  userId: number,
  ids: readonly number[],
  { kind, batch }: { kind: ChangeKind; batch?: string },
): void {
  if (batch === undefined) for (const taskId of ids) recordChange(tx, { userId, taskId, kind })
  else if (ids.length > 0) recordChange(tx, { userId, taskId: null, kind, batch, count: ids.length })
}
