import Type, { type Static } from '#json-schema.ts'
import { refTo, time } from './common.ts'
import { DeliveryShape, NotificationShape } from './notification.ts'
import { TaskShape } from './task.ts'

/** The wire shapes of events: a line of the list of changes as a CloudEvent, and a page of changed tasks. */

export const eventTypes = [
  'task.created',
  'task.updated',
  'task.completed',
  'task.reopened',
  'task.snoozed',
  'task.deleted',
  'task.restored',
  'tasks.cleared',
  'tasks.imported',
  'task.expiring',
  'task.expired',
  'delivery.failed',
] as const

export type EventType = (typeof eventTypes)[number]

export const EventShape = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: Type.String({ description: 'The id of the event. A notification has the same id as in its webhook' }),
    source: Type.String(),
    type: Type.Enum(eventTypes),
    subject: Type.String({ examples: ['tasks/42'], description: 'The task, or `tasks` if the event concerns many' }),
    time: time('When it happened'),
    datacontenttype: Type.Literal('application/json'),
    cursor: Type.String({ description: 'Pass it as `after` to continue after this event' }),
    data: Type.Object({
      task: Type.Union([refTo(TaskShape), Type.Null()], {
        description:
          'The task when the event is sent, which may be later than the event itself; null if it no longer exists',
      }),
      notification: Type.Union([Type.Omit(NotificationShape, ['deliveries', 'acknowledged_dt']), Type.Null()], {
        description: 'The notification that was created, or that could not be delivered',
      }),
      delivery: Type.Optional(refTo(DeliveryShape, { description: 'Only with `delivery.failed`' })),
      count: Type.Optional(Type.Integer({ description: 'Number of tasks, if the event concerns many' })),
      batch: Type.Optional(
        Type.String({ description: 'The batch that restores the tasks from the trash, if many were deleted at once' }),
      ),
      message: Type.String({ description: 'A sentence for people' }),
    }),
  },
  { $id: 'Event', description: 'A CloudEvent 1.0, as in the body of a webhook' },
)

export type EventWire = Static<typeof EventShape>

export const EventPageShape = Type.Object(
  {
    events: Type.Array(refTo(EventShape)),
    cursor: Type.String({ description: 'Pass it as `after` in the next request' }),
  },
  { $id: 'EventPage' },
)

export type EventPageWire = Static<typeof EventPageShape>

export const ChangesShape = Type.Object(
  {
    tasks: Type.Array(refTo(TaskShape), {
      description: 'Created and changed tasks, each once, in their current state',
    }),
    deleted: Type.Array(Type.Integer(), { description: 'Ids of deleted tasks' }),
    cursor: Type.String({ description: 'Pass it as `since` in the next request, or as `after` to /v1/events' }),
    more: Type.Boolean({ description: 'Whether more changes can be read at once' }),
  },
  { $id: 'Changes' },
)

export type ChangesWire = Static<typeof ChangesShape>
