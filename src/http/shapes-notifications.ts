import Type from '#json-schema.ts'
import { NotificationShape, nullable } from './shapes.ts'

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
  { delivery_id: Type.Optional(Type.String({ maxLength: 36, description: 'Only this one; else each that is dead' })) },
  { $id: 'Retry', additionalProperties: false },
)
