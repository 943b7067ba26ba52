import type { Operation } from '#api/operation.ts'
import type { TaskMarkWire, TaskWire } from '#api/schemas/task.ts'
import type { Task } from '#core/task.ts'
import { toEtag } from '#wire/etag.ts'
import { toTaskWire } from '#wire/task.ts'
import type { Call, Result } from './call.ts'

/** Path of a task. */
export const pathOf = ({ id }: Task) => `/v1/tasks/${id}`

export const toTaskMark = ({ id, version }: Task): TaskMarkWire => ({ id, version })

/**
 * A task after a write. With `Prefer: return=minimal` it has only its id and version, which the next write needs. A 204 was rejected: the id of
 * a new task would be in Location only, a write of many tasks could not list the missing ids, and clients would need a second way to read
 * a success.
 */
export function taskResult<O extends Operation>(
  { prefers }: Pick<Call<O>, 'prefers'>,
  task: Task,
  more: Partial<Result<never>> = {},
): Result<TaskWire | TaskMarkWire> {
  const etag = toEtag(task)
  return prefers('return=minimal')
    ? { ...more, etag, body: toTaskMark(task), applied: 'return=minimal' }
    : { ...more, etag, body: toTaskWire(task) }
}
