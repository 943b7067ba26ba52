import Type from '#json-schema.ts'
import { operation } from './operation.ts'
import { IdList } from './schemas/common.ts'
import { DryRun, IdParams, NoQuery } from './schemas/request.ts'
import {
  CreatedTasksShape,
  SnoozeShape,
  TaskDraftShape,
  TaskDraftsShape,
  TaskPatchesShape,
  TaskPatchShape,
  TaskShape,
  TaskUpsertShape,
  UpdatedTasksShape,
  WrittenTaskShape,
} from './schemas/task.ts'
import { maxTasks, TagListShape, TaskPageShape, TaskQueryShape } from './schemas/task-list.ts'
import { DeletedTaskShape, DeletedTasksShape } from './schemas/trash.ts'

const tag = 'tasks' as const
const KeyParams = Type.Object({
  key: Type.String({ description: "The caller's own name for the task", examples: ['cert/www.example.org'] }),
})
/** Common to all operations on one task. */
const ofOne = { tag, params: IdParams, query: NoQuery } as const
/** Common to all writes of one task: conditional requests, and a short response. */
const write = {
  ...ofOne,
  scope: 'write',
  response: WrittenTaskShape,
  requestHeaders: ['if-match', 'if-none-match', 'prefer'],
  responseHeaders: ['etag', 'preference-applied'],
} as const
const verb = {
  ...write,
  method: 'POST',
  requestHeaders: ['if-match', 'if-none-match', 'idempotency-key', 'prefer'],
  responseHeaders: ['etag', 'preference-applied', 'idempotency-replayed'],
} as const

export const createTask = operation({
  id: 'createTask',
  method: 'POST',
  path: '/v1/tasks',
  scope: 'write',
  summary: 'Create a task',
  description: 'Returns 200, not 201. A reminder that is already due fires at once.',
  tag,
  query: NoQuery,
  body: TaskDraftShape,
  response: WrittenTaskShape,
  requestHeaders: ['idempotency-key', 'prefer', 'accept-language'],
  responseHeaders: ['location', 'etag', 'idempotency-replayed', 'preference-applied'],
  problems: ['conflict'],
})

/** A longer list takes more than 3 ms of the 4 that requests have in a turn of the event loop. A text takes as long as 30 other drafts. */
const largeBulk = 100
const draftsPerText = 30

export const createTasks = operation({
  id: 'createTasks',
  method: 'POST',
  path: '/v1/tasks',
  variantOf: 'createTask',
  scope: 'write',
  summary: 'Create many tasks, all or nothing',
  description:
    'With `{"tasks": […]}` it creates 1 to 1,000 tasks in one transaction, and returns `{"tasks": […]}` in the same order, without Location and ETag. If one task is refused, none is created, and the problem names its position in the list. A `text` may stand in place of the title, in up to 100 of them.',
  tag,
  query: NoQuery,
  body: TaskDraftsShape,
  response: CreatedTasksShape,
  requestHeaders: ['idempotency-key', 'prefer', 'accept-language'],
  responseHeaders: ['idempotency-replayed', 'preference-applied'],
  problems: ['conflict'],
  isLarge: (_, body) => {
    const { tasks } = (body ?? {}) as { tasks?: unknown }
    if (!Array.isArray(tasks)) return false
    if (tasks.length > largeBulk) return true
    const texts = tasks.filter((draft) => typeof draft === 'object' && draft !== null && 'text' in draft).length
    return tasks.length + draftsPerText * texts > largeBulk
  },
})

export const updateTasks = operation({
  id: 'updateTasks',
  method: 'PUT',
  path: '/v1/tasks',
  scope: 'write',
  summary: 'Change many tasks, all or nothing',
  description:
    'Unknown ids are skipped and listed in `missing`; with `Prefer: handling=strict` the request is refused with 404. If an item has a `version` and the task has another version, nothing is changed and the response is 409.',
  tag,
  query: NoQuery,
  body: TaskPatchesShape,
  response: UpdatedTasksShape,
  requestHeaders: ['prefer'],
  responseHeaders: ['preference-applied'],
  problems: ['conflict', 'not-found'],
})

export const getTask = operation({
  id: 'getTask',
  method: 'GET',
  path: '/v1/tasks/{id}',
  scope: 'read',
  summary: 'Get a task',
  ...ofOne,
  response: TaskShape,
  requestHeaders: ['if-match', 'if-none-match'],
  responseHeaders: ['etag', 'accept-patch'],
})

const change = {
  ...write,
  path: '/v1/tasks/{id}',
  body: TaskPatchShape,
  responseHeaders: ['etag', 'preference-applied', 'accept-patch'],
  problems: ['conflict'],
} as const

/** PUT merges as PATCH does (RFC 7396): a full replacement would wipe members that an older client does not know. */
export const putTask = operation({
  id: 'putTask',
  method: 'PUT',
  summary: 'Change a task, as PATCH does',
  description: 'Absent members keep their values.',
  ...change,
})

export const updateTask = operation({
  id: 'updateTask',
  method: 'PATCH',
  summary: 'Change the given members of a task',
  description: 'A merge patch (RFC 7396): null clears a member, an array replaces one.',
  ...change,
})

export const deleteTask = operation({
  id: 'deleteTask',
  method: 'DELETE',
  path: '/v1/tasks/{id}',
  scope: 'write',
  summary: 'Move a task to the trash',
  description: 'It can be restored for some days.',
  ...ofOne,
  response: DeletedTaskShape,
  requestHeaders: ['if-match', 'if-none-match'],
  responseHeaders: ['accept-patch'],
})

export const completeTask = operation({
  id: 'completeTask',
  path: '/v1/tasks/{id}/complete',
  summary: 'Complete a task',
  description: 'Its reminders no longer fire.',
  ...verb,
})

export const reopenTask = operation({
  id: 'reopenTask',
  path: '/v1/tasks/{id}/reopen',
  summary: 'Reopen a completed task',
  ...verb,
})

export const snoozeTask = operation({
  id: 'snoozeTask',
  path: '/v1/tasks/{id}/snooze',
  summary: 'Snooze a task',
  description:
    'The task fires once more, later. Give either `for`, a duration from now, or `until`, a time. Both may be in words: `2h`, `tomorrow 9am`, `tonight`. Completing the task or changing its expiry ends the snooze.',
  ...verb,
  requestHeaders: [...verb.requestHeaders, 'accept-language'],
  body: SnoozeShape,
  problems: ['conflict'],
})

export const getTaskByKey = operation({
  id: 'getTaskByKey',
  method: 'GET',
  path: '/v1/tasks/by-key/{key}',
  scope: 'read',
  summary: "Get a task by the caller's own key",
  tag,
  params: KeyParams,
  query: NoQuery,
  response: TaskShape,
  requestHeaders: ['if-match', 'if-none-match'],
  responseHeaders: ['etag'],
  problems: ['invalid'],
})

/** A script that registers certificates or contracts puts them again and again, and need not know which it has made before. */
export const putTaskByKey = operation({
  id: 'putTaskByKey',
  method: 'PUT',
  path: '/v1/tasks/by-key/{key}',
  scope: 'write',
  summary: "Create or change a task by the caller's own key",
  tag,
  params: KeyParams,
  query: NoQuery,
  body: TaskUpsertShape,
  response: WrittenTaskShape,
  requestHeaders: ['if-match', 'if-none-match', 'prefer'],
  responseHeaders: ['etag', 'location', 'preference-applied'],
  problems: ['conflict'],
})

export const listTasks = operation({
  id: 'listTasks',
  method: 'GET',
  path: '/v1/tasks',
  scope: 'read',
  summary: 'List tasks',
  description: 'Returns all tasks, or those that match every filter.',
  tag,
  query: TaskQueryShape,
  response: TaskPageShape,
  requestHeaders: ['if-none-match'],
  responseHeaders: ['etag', 'link'],
  isLarge: ({ limit = maxTasks }) => Number(limit) > 1_000,
})

export const deleteTasks = operation({
  id: 'deleteTasks',
  method: 'DELETE',
  path: '/v1/tasks',
  scope: 'write',
  summary: 'Move many tasks to the trash',
  description: 'Deletes all tasks, which needs the scope `admin`, or those that match every filter.',
  tag,
  query: Type.Object(
    {
      ids: Type.Optional(IdList),
      status: TaskQueryShape.properties.status,
      tag: TaskQueryShape.properties.tag,
      expires_before: TaskQueryShape.properties.expires_before,
      dry_run: DryRun,
    },
    { additionalProperties: false },
  ),
  response: DeletedTasksShape,
  longTimeout: true,
  requestHeaders: ['if-match'],
})

export const listTags = operation({
  id: 'listTags',
  method: 'GET',
  path: '/v1/tags',
  scope: 'read',
  summary: 'List tags with their counts',
  tag: 'tags',
  query: NoQuery,
  response: TagListShape,
})
