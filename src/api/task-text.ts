import { operation } from './operation.ts'
import { NoQuery } from './schemas/request.ts'
import { TaskTextShape } from './schemas/task.ts'
import { ParsedTaskShape, TaskTextQueryShape } from './schemas/task-text.ts'
import { createTask as createFromMembers } from './tasks.ts'

/** Tasks in words (docs/quick-add.md). */

export const createTaskFromText = operation({
  ...createFromMembers,
  id: 'createTaskFromText',
  variantOf: 'createTask',
  summary: 'Create a task in words',
  description:
    'With `{"text": "…"}` in place of a title, the members are read from the text, in the first of the languages English, German, French, Spanish and Chinese that Accept-Language names, else in English. `en-GB` reads 5/6 as 5 June, `en` and `en-US` as May 6. Members beside the text win over it. The text is not stored.',
  body: TaskTextShape,
})

export const parseTask = operation({
  id: 'parseTask',
  method: 'POST',
  path: '/v1/tasks/parse',
  scope: 'read',
  summary: 'Read a task in words',
  description: 'Shows what a create would make of a text, and changes nothing.',
  tag: 'tasks',
  query: NoQuery,
  body: TaskTextQueryShape,
  response: ParsedTaskShape,
  requestHeaders: ['accept-language'],
})
