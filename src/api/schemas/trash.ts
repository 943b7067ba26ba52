import Type, { type Static } from '#json-schema.ts'
import { maxIds, nullable, time } from './common.ts'
import { TaskShape } from './task.ts'

const untilWhen = time('The time until which it can be restored')

export const Batch = Type.String({ description: 'The same for all tasks that one request deleted', maxLength: 36 })

export const Ids = Type.Array(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }), {
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
    deleted: Type.Integer({ description: 'Number of deleted tasks; with `dry_run`, the number that would be deleted' }),
    batch: nullable(
      Type.String({ description: 'Restores all of them with POST /v1/trash/restore; null if nothing was deleted' }),
    ),
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
    restored: Type.Array(Type.Integer(), { description: 'Ids of the restored tasks, at most the first 1,000' }),
    missing: Type.Array(Type.Integer(), { description: 'Ids that are not in the trash' }),
  },
  { $id: 'Restored' },
)

export type RestoredWire = Static<typeof RestoredShape>

export const PurgedShape = Type.Object(
  { purged: Type.Integer({ description: 'Number of purged tasks; with `dry_run`, the number that would be purged' }) },
  { $id: 'Purged' },
)

export type PurgedWire = Static<typeof PurgedShape>
