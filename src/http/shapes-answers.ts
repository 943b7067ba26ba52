import Type from 'typebox'
import { NotificationShape, nullable, TaskShape, time } from './shapes.ts'

/** Shapes of answers that are more than one thing. Described, and compared with the answers by tests; not checked at run time. */
const nextCursor = nullable(Type.String({ description: 'Where the next page begins; null on the last' }))

export const TaskPageShape = Type.Object({ tasks: Type.Array(TaskShape), next_cursor: nextCursor }, { $id: 'TaskPage' })

export const UpdatedTasksShape = Type.Object(
  {
    tasks: Type.Array(TaskShape),
    missing: Type.Array(Type.Integer(), { description: 'Ids that name no task; they were skipped' }),
  },
  { $id: 'UpdatedTasks' },
)

export const DeletedTaskShape = Type.Object(
  { id: Type.Integer(), deleted_dt: time('When it was deleted') },
  { $id: 'DeletedTask' },
)

export const DeletedTasksShape = Type.Object(
  { deleted: Type.Integer({ description: 'How many there were' }) },
  { $id: 'DeletedTasks' },
)

export const NotificationPageShape = Type.Object(
  { notifications: Type.Array(NotificationShape), next_cursor: nextCursor },
  { $id: 'NotificationPage' },
)
