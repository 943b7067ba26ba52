import type { EventType, EventWire } from '#api/schemas/event.ts'
import type { DeliveryWire } from '#api/schemas/notification.ts'
import type { ChangeKind } from '#core/change.ts'
import { formatTask, type Notification, type SentenceInput } from '#core/notification.ts'
import type { Task } from '#core/task.ts'
import type { NumberedChange } from '#store/changes.ts'
import type { Delivery } from '#store/deliveries.ts'
import { toCloudEvent } from './cloud-event.ts'
import { toDeliveryWire, toNotificationSummary } from './notification.ts'
import { toTaskWire } from './task.ts'
import { isoText } from './time.ts'

/** The records that a change refers to, as far as they exist. */
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
 * Converts a change to an event. The event has the task as it is now, which may be later than the change.
 * @param timeZone of the user
 */
export function toEvent(change: NumberedChange, found: Found, timeZone = 'UTC'): EventWire {
  const { task, notification } = found
  const cursor = String(change.number)
  if (change.kind === 'fired' && task && notification) {
    const input: SentenceInput = { task, notification, sentAt: change.at, timeZone: task.timeZone ?? timeZone }
    return { ...toCloudEvent(input), cursor } as EventWire
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
  if (kind === 'fired') return `${subject} fired a reminder, and no longer exists.`
  if (kind === 'failed')
    return `${subject} could not be announced over ${delivery?.kind ?? 'a channel'}: ${delivery?.error ?? 'given up'}.`
  return `${subject} was ${words[kind][1]}.`
}
