import { deliveryStates } from '#core/delivery.ts'
import { notificationKinds, timings } from '#core/notification.ts'
import Type, { type Static } from '#json-schema.ts'
import { nullable, refTo, time } from './common.ts'

export const DeliveryShape = Type.Object(
  {
    id: Type.String({ description: 'The id of the delivery, the same for all its attempts' }),
    channel_id: Type.Integer(),
    kind: Type.String({ description: 'The kind of the channel' }),
    state: Type.Enum(deliveryStates),
    attempts: Type.Integer(),
    latency_ms: nullable(Type.Integer({ description: 'The duration of the last attempt' })),
    error: nullable(Type.String({ description: 'Why the last attempt failed, or why it was cancelled' })),
    next_attempt_dt: nullable(time('When the next attempt is due')),
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
    expiry_dt: time('The expiry that it announces'),
    due_dt: time('When it was due'),
    fired_dt: time('When the reminder fired'),
    timing: Type.Enum(timings, {
      description: '`immediate`: already due when the task was saved; `late`: more than a second after it was due',
    }),
    lateness_ms: Type.Integer(),
    acknowledged_dt: nullable(time('When it was acknowledged')),
    deliveries: Type.Array(refTo(DeliveryShape), {
      description: 'One delivery for each channel; empty if there was no channel',
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
  {
    up_to: Type.Integer({
      minimum: 1,
      maximum: largestId,
      description: 'The id of the last notification to acknowledge',
    }),
  },
  { $id: 'AcknowledgeUpTo', additionalProperties: false },
)

export const AcknowledgedShape = Type.Object({ acknowledged: Type.Integer() }, { $id: 'Acknowledged' })

export const RetryShape = Type.Object(
  {
    delivery_id: Type.Optional(
      Type.String({ maxLength: 36, description: 'Only this delivery; the default is all failed ones' }),
    ),
  },
  { $id: 'Retry', additionalProperties: false },
)

export const RetryChannelShape = Type.Object(
  {
    channel_id: Type.Integer({ minimum: 1, maximum: largestId, description: 'The channel to retry' }),
    since_dt: Type.Optional(
      Type.String({
        maxLength: 100,
        description: 'Only notifications that fired at this time or later; the default is all',
      }),
    ),
  },
  { $id: 'RetryChannel', additionalProperties: false },
)

export const RetriedShape = Type.Object(
  { retried: Type.Integer({ description: 'Number of deliveries to attempt again' }) },
  { $id: 'Retried' },
)
