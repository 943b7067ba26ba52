import { notificationKinds } from '#core/notification.ts'
import Type, { type Static } from '#json-schema.ts'
import { nullable, time } from './common.ts'

export const UpcomingReminderShape = Type.Object(
  {
    task_id: Type.Integer(),
    title: Type.String(),
    expiry_dt: time('When the task expires'),
    expiry_date: nullable(Type.String({ description: 'The day on which it expires; null: it expires at a time' })),
    reminder: nullable(Type.String({ description: 'The reminder that will fire; null at the end of a snooze' })),
    due_dt: time('When it will fire; the current time if it is overdue'),
    kind: Type.Enum(notificationKinds),
    occurrence: nullable(Type.Integer({ description: 'The number of the occurrence; null: the task does not recur' })),
    is_projected: Type.Boolean({
      description: 'The occurrence does not exist yet. It will, if each before it is completed by its expiry',
    }),
    channels: Type.Array(Type.Object({ id: Type.Integer(), name: Type.String(), kind: Type.String() })),
  },
  { $id: 'UpcomingReminder' },
)

export const UpcomingShape = Type.Object(
  {
    upcoming: Type.Array(UpcomingReminderShape),
    until_dt: time('The end of the period'),
    more: Type.Boolean({ description: 'Whether more reminders than `limit` fire in the period' }),
  },
  { $id: 'Upcoming' },
)

export type UpcomingWire = Static<typeof UpcomingShape>
