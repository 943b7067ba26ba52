import Type from '#json-schema.ts'
import { operation } from './operation.ts'
import { ChangesShape, EventPageShape } from './schemas/event.ts'

const tag = 'events' as const

export const listChanges = operation({
  id: 'listChanges',
  method: 'GET',
  path: '/v1/changes',
  scope: 'read',
  summary: 'List changes since a cursor',
  description: 'Returns changed tasks in their current state, and the ids of deleted ones.',
  tag,
  query: Type.Object(
    {
      since: Type.Optional(
        Type.String({
          maxLength: 100,
          description: 'The `cursor` of the previous response. Without it, the list begins with the first change',
          examples: ['Y2hhbmdlczoxOjM'],
        }),
      ),
      limit: Type.Integer({
        minimum: 1,
        maximum: 1_000,
        default: 1_000,
        description: 'The maximum number of changes',
        examples: [100],
      }),
    },
    { additionalProperties: false },
  ),
  response: ChangesShape,
  problems: ['gone'],
})

/** Its route is written by hand: it is a stream. */
export const followEvents = operation({
  id: 'followEvents',
  method: 'GET',
  path: '/v1/events',
  scope: 'read',
  summary: 'Follow events as they happen',
  description:
    'Returns a stream of server-sent events, or with `Accept: application/json` the result of a long poll. Webhooks have the same form.',
  tag,
  query: Type.Object(
    {
      after: Type.Optional(
        Type.String({
          maxLength: 100,
          description:
            'The `cursor` of a response, of an event, or of /v1/changes. Without it, only new events are returned',
          examples: ['1042'],
        }),
      ),
      types: Type.Optional(
        Type.String({
          maxLength: 500,
          description: 'Only events of these types, separated by commas',
          examples: ['task.expiring'],
        }),
      ),
      task_id: Type.Optional(
        Type.Integer({
          minimum: 1,
          description: 'Only events of this task, and events that concern many tasks',
          examples: [42],
        }),
      ),
      wait: Type.Integer({
        minimum: 0,
        maximum: 60,
        default: 30,
        description: 'The maximum duration of a long poll, in seconds',
        examples: [30],
      }),
    },
    { additionalProperties: false },
  ),
  response: Type.String(),
  media: {
    description: 'Events',
    content: {
      'text/event-stream': {
        schema: Type.String({ description: 'Each event has an id, a type, and its data in one line' }),
      },
      'application/json': { schema: EventPageShape },
    },
  },
  requestHeaders: ['last-event-id'],
  longRunning: true,
})
