import type { WebhookEventWire } from '#api/schemas/webhook.ts'
import { type Message, type SentenceInput, sentence } from '#core/notification.ts'
import { toNotificationSummary } from './notification.ts'
import { toTaskWire } from './task.ts'
import { isoText } from './time.ts'

/**
 * CloudEvents 1.0, JSON format. `type` depends on when the message is sent; `id` is the same on every channel. A message of a group has the
 * `id` of the notification that fired first, and the rest of the group in `others`.
 */
export function toCloudEvent(message: SentenceInput & Partial<Pick<Message, 'others' | 'links'>>): WebhookEventWire {
  const { task, notification, sentAt, others = [], links = null } = message
  return {
    specversion: '1.0',
    id: `notification-${notification.id}`,
    source: 'duebell',
    type: sentAt < notification.expiryAt ? 'task.expiring' : 'task.expired',
    subject: `tasks/${task.id}`,
    time: isoText(notification.firedAt),
    datacontenttype: 'application/json',
    data: {
      ...toData({ ...message, links }),
      ...(others.length > 0 && { others: others.map((item) => toData({ ...item, sentAt })) }),
    },
  }
}

function toData(input: SentenceInput & Pick<Message, 'links'>): Omit<WebhookEventWire['data'], 'others'> {
  const { task, notification, links } = input
  return {
    task: toTaskWire(task),
    notification: toNotificationSummary(notification),
    message: sentence(input),
    ...(links && { links }),
  }
}
