import { deliveryStates } from '#core/delivery.ts'
import { notificationKinds, timings } from '#core/notification.ts'
import Type, { type Static } from '#json-schema.ts'
import { nullable, refTo, time } from './common.ts'

export const DeliveryShape = Type.Object(
  {
    id: Type.String({ description: 'The same over all attempts' }),
    channel_id: Type.Integer(),
    kind: Type.String({ description: 'Kind of the channel' }),
    state: Type.Enum(deliveryStates),
    attempts: Type.Integer(),
    latency_ms: nullable(Type.Integer({ description: 'How long the last attempt took' })),
    error: nullable(Type.String({ description: 'Why the last attempt failed, or why it was cancelled' })),
    next_attempt_dt: nullable(time('When it is tried next')),
  },
  { $id: 'Delivery' },
)

export type DeliveryWire = Static<typeof DeliveryShape>

export const NotificationShape = Type.Object(
  {
    id: Type.Integer(),
    task_id: Type.Integer(),
    kind: Type.Enum(notificationKinds),
    reminder: nullable(Type.String({ description: 'The reminder that fired; null at the end of a snooze' })),
    expiry_dt: time('The expiry it speaks of'),
    due_dt: time('When it was to ring'),
    fired_dt: time('When it rang'),
    timing: Type.Enum(timings, {
      description: 'immediate: it was due as it was accepted; late: by more than a second',
    }),
    lateness_ms: Type.Integer(),
    acknowledged_dt: nullable(time('When a person said to have seen it')),
    deliveries: Type.Array(refTo(DeliveryShape), {
      description: 'How each channel took it; empty: there was no channel, and nobody was told',
    }),
  },
  { $id: 'Notification' },
)

export type NotificationWire = Static<typeof NotificationShape>

const largestId = Number.MAX_SAFE_INTEGER

export const NotificationsShape = Type.Object(
  { notifications: Type.Array(NotificationShape), next_cursor: nullable(Type.String()) },
  { $id: 'Notifications' },
)

export const AcknowledgeUpToShape = Type.Object(
  { up_to: Type.Integer({ minimum: 1, maximum: largestId, description: 'The id of the last one seen' }) },
  { $id: 'AcknowledgeUpTo', additionalProperties: false },
)

export const AcknowledgedShape = Type.Object({ acknowledged: Type.Integer() }, { $id: 'Acknowledged' })

export const RetryShape = Type.Object(
  { delivery_id: Type.Optional(Type.String({ maxLength: 36, description: 'Only this one; else each that failed' })) },
  { $id: 'Retry', additionalProperties: false },
)

export const RetryChannelShape = Type.Object(
  {
    channel_id: Type.Integer({ minimum: 1, maximum: largestId, description: 'The channel that works again' }),
    since_dt: Type.Optional(
      Type.String({
        maxLength: 100,
        description: 'Only notifications that rang at this time or later; all when absent',
      }),
    ),
  },
  { $id: 'RetryChannel', additionalProperties: false },
)

export const RetriedShape = Type.Object(
  { retried: Type.Integer({ description: 'Deliveries that are attempted again' }) },
  { $id: 'Retried' },
)
