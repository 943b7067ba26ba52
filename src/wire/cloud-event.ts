import type { WebhookEventWire } from '#api/schemas/webhook.ts'
import { type Message, type SentenceInput, sentence } from '#core/notification.ts'
import { toNotificationSummary } from './notification.ts'
import { toTaskWire } from './task.ts'
import { isoText } from './time.ts'

/**
 * CloudEvents 1.0, JSON format. `type` follows the moment of sending, `id` is the same on every channel. On one that gathers it is of
 * the first that rang, and `others` are what else is told by it.
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
