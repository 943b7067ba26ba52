import { instantOf } from '#core/date-time.ts'
import { invalidMember } from '#core/problem.ts'
import Type, { type Static } from '#json-schema.ts'
import { NotificationShape, nullable, parseTime } from './task.ts'

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

/** The start of the time that a retry is for, in ms since 1970. @throws Problem `invalid` */
export function toSince({ since_dt }: Static<typeof RetryChannelShape>, timeZone: string): number {
  if (since_dt === undefined) return 0
  const since = parseTime(since_dt)
  if (!since) throw invalidMember('/since_dt', 'must be a time like 2026-12-01T10:00:00Z or 2026-12-01')
  return instantOf(since, timeZone)
}
