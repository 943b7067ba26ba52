import type { ChangeKind } from '#core/change.ts'
import { formatTask, type Notification, type SentenceInput } from '#core/notification.ts'
import type { Task } from '#core/task.ts'
import Type, { type Static } from '#json-schema.ts'
import type { NumberedChange } from '#store/changes.ts'
import type { Delivery } from '#store/deliveries.ts'
import {
  type DeliveryWire,
  isoText,
  NotificationShape,
  type NotificationWire,
  type TaskWire,
  time,
  toCloudEvent,
  toDeliveryWire,
  toNotificationSummary,
  toTaskWire,
} from './task.ts'

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
      task: Type.Union([Type.Ref('Task'), Type.Null()], {
        description: 'As it is when the event is sent: later than the event where much happens; null when it is gone',
      }),
      notification: Type.Union([Type.Omit(NotificationShape, ['deliveries', 'acknowledged_dt']), Type.Null()], {
        description: 'What rang, or could not be delivered',
      }),
      delivery: Type.Optional(Type.Ref('Delivery', { description: 'With delivery.failed' })),
      count: Type.Optional(Type.Integer({ description: 'With many at once: how many' })),
      batch: Type.Optional(Type.String({ description: 'With many at once: what restores them from the trash' })),
      message: Type.String({ description: 'One sentence for a person' }),
    }),
  },
  { $id: 'Event', description: 'A CloudEvent 1.0, as in the body of a webhook' },
)
export type EventWire = Omit<Static<typeof EventShape>, 'data'> & {
  data: {
    task: TaskWire | null
    notification: Omit<NotificationWire, 'deliveries' | 'acknowledged_dt'> | null
    delivery?: DeliveryWire
    count?: number
    batch?: string
    message: string
  }
}

export const EventPageShape = Type.Object(
  { events: Type.Array(Type.Ref('Event')), cursor: Type.String({ description: 'To be asked with next, as `after`' }) },
  { $id: 'EventPage' },
)
export interface EventPageWire {
  events: EventWire[]
  cursor: string
}

export const ChangesShape = Type.Object(
  {
    tasks: Type.Array(Type.Ref('Task'), { description: 'What was created or changed, each once, as it is now' }),
    deleted: Type.Array(Type.Integer(), { description: 'Ids of tasks that are not there any more' }),
    cursor: Type.String({ description: 'To be asked with next, as `since`; also an `after` of /v1/events' }),
    more: Type.Boolean({ description: 'Whether there is more to be asked for at once' }),
  },
  { $id: 'Changes' },
)
export interface ChangesWire {
  tasks: TaskWire[]
  deleted: number[]
  cursor: string
  more: boolean
}

/** What a line of the list speaks of, as far as it is there. */
export interface Found {
  readonly task: Task | undefined
  readonly notification: Notification | undefined
  readonly delivery: Delivery | undefined
  readonly channelKinds: ReadonlyMap<number, string>
}

const words: Record<Exclude<ChangeKind, 'fired' | 'failed'>, [EventType, string]> = {
  created: ['task.created', 'created'],
  updated: ['task.updated', 'changed'],
  completed: ['task.completed', 'completed'],
  reopened: ['task.reopened', 'reopened'],
  snoozed: ['task.snoozed', 'snoozed'],
  deleted: ['task.deleted', 'deleted'],
  restored: ['task.restored', 'restored'],
  cleared: ['tasks.cleared', 'deleted'],
  imported: ['tasks.imported', 'imported'],
}

/**
 * A line of the list as an event; with a task as it is now, which may be later than the line.
 * @param timeZone of the user
 */
export function toEvent(change: NumberedChange, found: Found, timeZone = 'UTC'): EventWire {
  const { task, notification } = found
  const cursor = String(change.number)
  if (change.kind === 'fired' && task && notification) {
    const said: SentenceInput = { task, notification, sentAt: change.at, timeZone: task.timeZone ?? timeZone }
    return { ...toCloudEvent(said), cursor } as EventWire
  }
  const { taskId, count, batch } = change
  const delivery = found.delivery && toDeliveryWire(found.delivery, found.channelKinds)
  return {
    specversion: '1.0',
    id: change.kind === 'fired' ? `notification-${change.notificationId}` : `change-${change.number}`,
    source: 'duebell',
    type: typeOf(change, notification),
    subject: taskId === null ? 'tasks' : `tasks/${taskId}`,
    time: isoText(change.at),
    datacontenttype: 'application/json',
    cursor,
    data: {
      task: task ? toTaskWire(task) : null,
      notification: notification ? toNotificationSummary(notification) : null,
      ...(delivery && { delivery }),
      ...(count !== undefined && { count }),
      ...(batch !== undefined && { batch }),
      message: describe(change, task, delivery),
    },
  }
}

function typeOf({ kind, at }: NumberedChange, notification: Notification | undefined): EventType {
  if (kind === 'failed') return 'delivery.failed'
  if (kind === 'fired') return notification && at < notification.expiryAt ? 'task.expiring' : 'task.expired'
  return words[kind][0]
}

function describe({ kind, taskId, count }: NumberedChange, task: Task | undefined, delivery?: DeliveryWire): string {
  if (taskId === null && kind !== 'fired' && kind !== 'failed')
    return `${count ?? 'All'} ${count === 1 ? 'task was' : 'tasks were'} ${words[kind][1]}.`
  const subject = task ? formatTask(task) : `Your task (id:${taskId})`
  if (kind === 'fired') return `${subject} rang, and is not there any more.`
  if (kind === 'failed')
    return `${subject} could not be announced over ${delivery?.kind ?? 'a channel'}: ${delivery?.error ?? 'given up'}.`
  return `${subject} was ${words[kind][1]}.`
}
