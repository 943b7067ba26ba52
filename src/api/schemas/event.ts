import Type, { type Static } from '#json-schema.ts'
import { refTo, time } from './common.ts'
import { DeliveryShape, NotificationShape } from './notification.ts'
import { TaskShape } from './task.ts'

/** The wire shapes of what happens: a line of the list of changes as a CloudEvent, and a page of what has changed. */

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
    id: Type.String({ description: 'Of what rang the same as in a webhook' }),
    source: Type.String(),
    type: Type.Enum(eventTypes),
    subject: Type.String({ examples: ['tasks/42'], description: '«tasks» where it is many' }),
    time: time('When it happened'),
    datacontenttype: Type.Literal('application/json'),
    cursor: Type.String({ description: 'What comes after it is asked for by this' }),
    data: Type.Object({
      task: Type.Union([refTo(TaskShape), Type.Null()], {
        description: 'As it is when the event is sent: later than the event where much happens; null when it is gone',
      }),
      notification: Type.Union([Type.Omit(NotificationShape, ['deliveries', 'acknowledged_dt']), Type.Null()], {
        description: 'What rang, or could not be delivered',
      }),
      delivery: Type.Optional(refTo(DeliveryShape, { description: 'With delivery.failed' })),
      count: Type.Optional(Type.Integer({ description: 'With many at once: how many' })),
      batch: Type.Optional(Type.String({ description: 'With many at once: what restores them from the trash' })),
      message: Type.String({ description: 'One sentence for a person' }),
    }),
  },
  { $id: 'Event', description: 'A CloudEvent 1.0, as in the body of a webhook' },
)

export type EventWire = Static<typeof EventShape>

export const EventPageShape = Type.Object(
  { events: Type.Array(refTo(EventShape)), cursor: Type.String({ description: 'To be asked with next, as `after`' }) },
  { $id: 'EventPage' },
)

export type EventPageWire = Static<typeof EventPageShape>

export const ChangesShape = Type.Object(
  {
    tasks: Type.Array(refTo(TaskShape), { description: 'What was created or changed, each once, as it is now' }),
    deleted: Type.Array(Type.Integer(), { description: 'Ids of tasks that are not there any more' }),
    cursor: Type.String({ description: 'To be asked with next, as `since`; also an `after` of /v1/events' }),
    more: Type.Boolean({ description: 'Whether there is more to be asked for at once' }),
  },
  { $id: 'Changes' },
)

export type ChangesWire = Static<typeof ChangesShape>
