import Type from '#json-schema.ts'
import { operation } from './operation.ts'
import { DateLimit, OccurrencesShape, RecurrencePreviewShape } from './schemas/recurrence.ts'
import { IdParams, NoQuery } from './schemas/request.ts'
import { WrittenTaskShape } from './schemas/task.ts'

const tag = 'tasks' as const

export const skipTask = operation({
  id: 'skipTask',
  method: 'POST',
  path: '/v1/tasks/{id}/skip',
  scope: 'write',
  summary: 'Move a recurring task to its next occurrence',
  description: 'Without completing it. Reminders at times stay behind, as with the next task of a completed one.',
  tag,
  params: IdParams,
  query: NoQuery,
  response: WrittenTaskShape,
  requestHeaders: ['if-match', 'if-none-match', 'idempotency-key', 'prefer'],
  responseHeaders: ['etag', 'preference-applied', 'idempotency-replayed'],
  problems: ['conflict'],
})

export const listOccurrences = operation({
  id: 'listOccurrences',
  method: 'GET',
  path: '/v1/tasks/{id}/occurrences',
  scope: 'read',
  summary: 'List the dates of a recurring task',
  description:
    'Its expiry, and what follows if it is completed now, or at its expiry where that lies ahead. For a task that does not recur the rule is null.',
  tag,
  params: IdParams,
  query: Type.Object({ limit: DateLimit }, { additionalProperties: false }),
  response: OccurrencesShape,
})

export const previewRecurrence = operation({
  id: 'previewRecurrence',
  method: 'POST',
  path: '/v1/recurrences/preview',
  scope: 'read',
  summary: 'List the dates of a recurrence rule',
  description: 'Stores nothing. The start is among the dates where it is one of the rule.',
  tag,
  query: NoQuery,
  body: RecurrencePreviewShape,
  response: OccurrencesShape,
})
