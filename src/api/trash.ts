import Type from '#json-schema.ts'
import { operation } from './operation.ts'
import { IdList } from './schemas/common.ts'
import { Cursor, DryRun, Limit, NoQuery } from './schemas/request.ts'
import { PurgedShape, RestoredShape, RestoreShape, TrashShape } from './schemas/trash.ts'

const tag = 'trash' as const

export const listTrash = operation({
  id: 'listTrash',
  method: 'GET',
  path: '/v1/trash',
  scope: 'read',
  summary: 'List deleted tasks',
  description: 'Returns tasks that can be restored, the newest deletion first.',
  tag,
  query: Type.Object(
    { limit: Limit, cursor: Cursor('dHJhc2g6MTc5NjExNzQwMDAwMDo0Mg') },
    { additionalProperties: false },
  ),
  response: TrashShape,
})

export const restoreTasks = operation({
  id: 'restoreTasks',
  method: 'POST',
  path: '/v1/trash/restore',
  scope: 'write',
  summary: 'Restore deleted tasks',
  description: 'They keep their ids and their history.',
  tag,
  query: NoQuery,
  body: RestoreShape,
  response: RestoredShape,
  longTimeout: true,
  requestHeaders: ['idempotency-key'],
  responseHeaders: ['idempotency-replayed'],
  problems: ['conflict'],
})

export const purgeTrash = operation({
  id: 'purgeTrash',
  method: 'DELETE',
  path: '/v1/trash',
  scope: 'admin',
  summary: 'Delete tasks in the trash for good',
  description: 'Deletes all of them, those with the given ids, or one batch.',
  tag,
  query: Type.Object(
    {
      ids: Type.Optional(IdList),
      batch: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 36,
          description: 'The `batch` that DELETE /v1/tasks returned',
          examples: ['019ab0c5-7a80-7c41-9d55-3a1f0f2c9b10'],
        }),
      ),
      dry_run: DryRun,
    },
    { additionalProperties: false },
  ),
  response: PurgedShape,
  longTimeout: true,
})
