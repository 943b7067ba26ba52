import type { DeleteResult } from '#actions/trash.ts'
import type { DeletedTasksWire, DeletedTaskWire, RestoreWire, TrashedTaskWire } from '#api/schemas/trash.ts'
import { Problem } from '#core/problem.ts'
import type { TrashedTask, TrashSelection } from '#store/trash.ts'
import { toTaskWire } from './task.ts'
import { isoText } from './time.ts'

const dayMs = 86_400_000
// ── out ──

const restoreUntil = (deletedAt: number, trashDays: number) => isoText(deletedAt + trashDays * dayMs)

export function toDeletedTaskWire(id: number, deletedAt: number, trashDays: number): DeletedTaskWire {
  return { id, deleted_dt: isoText(deletedAt), restore_until_dt: restoreUntil(deletedAt, trashDays) }
}

export function toDeletedTasksWire({ count, batch, deletedAt }: DeleteResult, trashDays: number): DeletedTasksWire {
  return {
    deleted: count,
    batch,
    restore_until_dt: deletedAt === null ? null : restoreUntil(deletedAt, trashDays),
  }
}

export function toTrashedTaskWire({ task, deletedAt, batch }: TrashedTask, trashDays: number): TrashedTaskWire {
  return {
    ...toTaskWire(task),
    deleted_dt: isoText(deletedAt),
    restore_until_dt: restoreUntil(deletedAt, trashDays),
    batch,
  }
}

// ── in ──

/** @throws Problem `invalid` unless exactly one of `ids` and `batch` is there */
export function toRestoring({ ids, batch }: RestoreWire): Exclude<TrashSelection, 'all'> {
  if (ids !== undefined && batch === undefined) return { ids: [...new Set(ids)] }
  if (batch !== undefined && ids === undefined) return { batch }
  throw new Problem('invalid', 'Either "ids" or "batch" must be given.', {
    faults: [{ at: { pointer: '' }, detail: 'must have either "ids" or "batch"' }],
  })
}
