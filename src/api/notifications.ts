import { deliveryStates } from '#core/delivery.ts'
import Type from '#json-schema.ts'
import { operation } from './operation.ts'
import {
  AcknowledgedShape,
  AcknowledgeUpToShape,
  NotificationShape,
  NotificationsShape,
  RetriedShape,
  RetryChannelShape,
  RetryShape,
} from './schemas/notification.ts'
import { Cursor, IdParams, Limit, NoQuery } from './schemas/request.ts'
import { UpcomingShape } from './schemas/upcoming.ts'

const tag = 'notifications' as const
const NotificationQuery = Type.Object(
  {
    limit: Limit,
    cursor: Cursor('OTAxIHt9', 200),
    status: Type.Optional(
      Type.Enum(deliveryStates, {
        description: 'Only notifications with a delivery in this state',
        examples: ['failed'],
      }),
    ),
    channel_id: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'Only notifications with a delivery on this channel',
        examples: [2],
      }),
    ),
    acknowledged: Type.Optional(
      Type.Enum(['true', 'false'], {
        description: 'Only notifications that are acknowledged, or only those that are not',
        examples: ['false'],
      }),
    ),
    problems: Type.Optional(
      Type.Enum(['true'], {
        description: 'Only notifications with a delivery that failed, or that waits for another attempt',
        examples: ['true'],
      }),
    ),
  },
  { additionalProperties: false },
)
const idempotent = { requestHeaders: ['idempotency-key'], responseHeaders: ['idempotency-replayed'] } as const

export const listUpcoming = operation({
  id: 'listUpcoming',
  method: 'GET',
  path: '/v1/upcoming',
  scope: 'read',
  summary: 'List reminders that will fire',
  description: 'Returns them until a given time, the earliest first, each with its channels.',
  tag,
  query: Type.Object(
    {
      until: Type.Optional(
        Type.String({
          maxLength: 100,
          description: 'The end of the period; the default is 24 hours from now',
          examples: ['2026-12-02T00:00:00Z'],
        }),
      ),
      occurrences: Type.Optional(
        Type.Enum(['true', 'false'], {
          description: 'true: also the reminders of occurrences of recurring tasks that do not exist yet',
          examples: ['true'],
        }),
      ),
      limit: Limit,
    },
    { additionalProperties: false },
  ),
  response: UpcomingShape,
})

export const listNotifications = operation({
  id: 'listNotifications',
  method: 'GET',
  path: '/v1/notifications',
  scope: 'read',
  summary: 'List notifications, the newest first',
  description: 'Each notification has its deliveries: one for each channel, with its state.',
  tag,
  query: NotificationQuery,
  response: NotificationsShape,
})

export const getNotification = operation({
  id: 'getNotification',
  method: 'GET',
  path: '/v1/notifications/{id}',
  scope: 'read',
  summary: 'Get a notification with its deliveries',
  tag,
  params: IdParams,
  query: NoQuery,
  response: NotificationShape,
})

export const listTaskNotifications = operation({
  id: 'listTaskNotifications',
  method: 'GET',
  path: '/v1/tasks/{id}/notifications',
  scope: 'read',
  summary: 'List the notifications of a task',
  tag,
  params: IdParams,
  query: NotificationQuery,
  response: NotificationsShape,
})

export const acknowledgeNotification = operation({
  id: 'acknowledgeNotification',
  method: 'POST',
  path: '/v1/notifications/{id}/acknowledge',
  scope: 'write',
  summary: 'Acknowledge a notification',
  tag,
  params: IdParams,
  query: NoQuery,
  response: NotificationShape,
  ...idempotent,
})

export const acknowledgeNotifications = operation({
  id: 'acknowledgeNotifications',
  method: 'POST',
  path: '/v1/notifications/acknowledge',
  scope: 'write',
  summary: 'Acknowledge all notifications up to one',
  tag,
  query: NoQuery,
  body: AcknowledgeUpToShape,
  response: AcknowledgedShape,
  longTimeout: true,
  ...idempotent,
})

export const retryNotifications = operation({
  id: 'retryNotifications',
  method: 'POST',
  path: '/v1/notifications/retry',
  scope: 'write',
  summary: 'Retry all failed deliveries of a channel',
  description:
    'Use it when a channel works again. Each delivery is attempted at once, and then retried for at least a day. A delivery is cancelled as usual if its task was completed, moved or deleted.',
  tag,
  query: NoQuery,
  body: RetryChannelShape,
  response: RetriedShape,
  longTimeout: true,
  ...idempotent,
  problems: ['conflict'],
})

export const retryNotification = operation({
  id: 'retryNotification',
  method: 'POST',
  path: '/v1/notifications/{id}/retry',
  scope: 'write',
  summary: 'Retry failed deliveries of a notification',
  description: 'Retries every failed delivery, or only the given one.',
  tag,
  params: IdParams,
  query: NoQuery,
  body: RetryShape,
  isBodyOptional: true,
  response: NotificationShape,
  ...idempotent,
  problems: ['conflict'],
})
