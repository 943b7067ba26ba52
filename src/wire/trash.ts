import type { DeleteResult } from '#actions/trash.ts'
import { Problem } from '#core/problem.ts'
import Type, { type Static } from '#json-schema.ts'
import type { Trashed, TrashedTask } from '#store/trash.ts'
import { maxIds } from './id-list.ts'
import { isoText, nullable, TaskShape, time, toTaskWire } from './task.ts'

const dayMs = 86_400_000
const untilWhen = time('Until when it can be restored')
const Batch = Type.String({ description: 'The same for all that one request deleted', maxLength: 36 })

const Ids = Type.Array(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }), {
  minItems: 1,
  maxItems: maxIds,
})

export const DeletedTaskShape = Type.Object(
  { id: Type.Integer(), deleted_dt: time('When it was deleted'), restore_until_dt: untilWhen },
  { $id: 'DeletedTask' },
)
export type DeletedTaskWire = Static<typeof DeletedTaskShape>

export const DeletedTasksShape = Type.Object(
  {
    deleted: Type.Integer({ description: 'How many; with dry_run how many it would be' }),
    batch: nullable(Type.String({ description: 'Restores them all; null when nothing was deleted' })),
    restore_until_dt: nullable(untilWhen),
  },
  { $id: 'DeletedTasks' },
)
export type DeletedTasksWire = Static<typeof DeletedTasksShape>

export const TrashedTaskShape = Type.Object(
  {
    ...TaskShape.properties,
    deleted_dt: time('When it was deleted'),
    restore_until_dt: untilWhen,
    batch: Batch,
  },
  { $id: 'TrashedTask' },
)
export type TrashedTaskWire = Static<typeof TrashedTaskShape>

export const TrashShape = Type.Object(
  { tasks: Type.Array(TrashedTaskShape), next_cursor: nullable(Type.String()) },
  { $id: 'Trash' },
)
export type TrashWire = Static<typeof TrashShape>

export const RestoreShape = Type.Object(
  { ids: Type.Optional(Ids), batch: Type.Optional(Batch) },
  { $id: 'Restore', additionalProperties: false },
)
export type RestoreWire = Static<typeof RestoreShape>

export const RestoredShape = Type.Object(
  {
    count: Type.Integer(),
    restored: Type.Array(Type.Integer(), { description: 'The ids, of many the first thousand' }),
    missing: Type.Array(Type.Integer(), { description: 'Ids that are not in the trash' }),
  },
  { $id: 'Restored' },
)
export type RestoredWire = Static<typeof RestoredShape>

export const PurgedShape = Type.Object({ purged: Type.Integer() }, { $id: 'Purged' })
export type PurgedWire = Static<typeof PurgedShape>

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
export function toRestoring({ ids, batch }: RestoreWire): Exclude<Trashed, 'all'> {
  if (ids !== undefined && batch === undefined) return { ids: [...new Set(ids)] }
  if (batch !== undefined && ids === undefined) return { batch }
  throw new Problem('invalid', 'Either "ids" or "batch" must be given.', {
    faults: [{ at: { pointer: '' }, detail: 'must have either "ids" or "batch"' }],
  })
}
