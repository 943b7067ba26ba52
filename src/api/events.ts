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
  description: 'Tasks as they are now, and ids of those that are gone.',
  tag,
  query: Type.Object(
    {
      since: Type.Optional(
        Type.String({
          maxLength: 100,
          description: 'The cursor of the last answer; without it, everything from the start',
          examples: ['Y2hhbmdlczoxOjM'],
        }),
      ),
      limit: Type.Integer({
        minimum: 1,
        maximum: 1_000,
        default: 1_000,
        description: 'How many at most',
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
    'A stream of server-sent events; by `Accept: application/json` a long poll. What goes out as a webhook has the same form.',
  tag,
  query: Type.Object(
    {
      after: Type.Optional(
        Type.String({
          maxLength: 100,
          description: 'The cursor of an answer, of an event, or of /v1/changes; without it, what happens from now on',
          examples: ['1042'],
        }),
      ),
      types: Type.Optional(
        Type.String({
          maxLength: 500,
          description: 'Only these, with commas between them',
          examples: ['task.expiring'],
        }),
      ),
      task_id: Type.Optional(
        Type.Integer({ minimum: 1, description: 'Only what happens to this task, or to many at once', examples: [42] }),
      ),
      wait: Type.Integer({
        minimum: 0,
        maximum: 60,
        default: 30,
        description: 'Seconds, of a long poll',
        examples: [30],
      }),
    },
    { additionalProperties: false },
  ),
  response: Type.String(),
  media: {
    description: 'What happens',
    content: {
      'text/event-stream': {
        schema: Type.String({ description: 'Each event with its id, type and data in one line' }),
      },
      'application/json': { schema: EventPageShape },
    },
  },
  requestHeaders: ['last-event-id'],
  longRunning: true,
})
