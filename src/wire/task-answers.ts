import Type from '#json-schema.ts'
import { TaskMarkShape, TaskShape } from './task.ts'

/** Shapes of answers that are more than one thing. Described, and compared with the answers by tests; not checked at run time. */

/** With `Prefer: return=minimal` the second. */
export const WrittenTaskShape = Type.Union([TaskShape, TaskMarkShape])

export const UpdatedTasksShape = Type.Object(
  {
    tasks: Type.Union([Type.Array(TaskShape), Type.Array(TaskMarkShape)], {
      description: 'With `Prefer: return=minimal` only id and version of each',
    }),
    missing: Type.Array(Type.Integer(), { description: 'Ids that name no task; they were skipped' }),
  },
  { $id: 'UpdatedTasks' },
)

export const NotModified = Type.Null({ description: 'The caller has it already' })
