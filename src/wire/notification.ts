import type { DeliveryWire, NotificationWire, RetryChannelShape } from '#api/schemas/notification.ts'
import { instantOf } from '#core/date-time.ts'
import type { Notification } from '#core/notification.ts'
import { invalidMember } from '#core/problem.ts'
import type { Static } from '#json-schema.ts'
import type { Delivery } from '#store/deliveries.ts'
import type { NotificationRecord } from '#store/notifications.ts'
import { reminderText } from './task.ts'
import { isoOrNull, isoText, parseTime } from './time.ts'

/** @param kinds the kinds of the channels, by id */
export function toNotificationWire(
  notification: NotificationRecord,
  deliveries: readonly Delivery[],
  kinds: ReadonlyMap<number, string>,
): NotificationWire {
  return {
    ...toNotificationSummary(notification),
    acknowledged_dt: isoOrNull(notification.acknowledgedAt),
    deliveries: deliveries.map((delivery) => toDeliveryWire(delivery, kinds)),
  }
}

export function toDeliveryWire(delivery: Delivery, kinds: ReadonlyMap<number, string>): DeliveryWire {
  return {
    id: delivery.id,
    channel_id: delivery.channelId,
    kind: kinds.get(delivery.channelId) ?? 'unknown',
    state: delivery.state,
    attempts: delivery.attempts,
    latency_ms: delivery.latencyMs,
    error: delivery.error,
    next_attempt_dt: isoOrNull(delivery.nextAt),
  }
}

export function toNotificationSummary(notification: Notification) {
  return {
    id: notification.id,
    task_id: notification.taskId,
    kind: notification.kind,
    reminder: notification.reminder === null ? null : reminderText(notification.reminder),
    expiry_dt: isoText(notification.expiryAt),
    due_dt: isoText(notification.dueAt),
    fired_dt: isoText(notification.firedAt),
    timing: notification.timing,
    lateness_ms: notification.latenessMs,
  }
}

/** The start of the time that a retry is for, in ms since 1970. @throws Problem `invalid` */
export function toSince({ since_dt }: Static<typeof RetryChannelShape>, timeZone: string): number {
  if (since_dt === undefined) return 0
  const since = parseTime(since_dt)
  if (!since) throw invalidMember('/since_dt', 'must be a time like 2026-12-01T10:00:00Z or 2026-12-01')
  return instantOf(since, timeZone)
}
