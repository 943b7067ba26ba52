import { type ChannelRecord, wantsNotification } from '#core/channel.ts'
import { kindAt, notificationKinds } from '#core/notification.ts'
import Type, { type Static } from '#json-schema.ts'
import type { Upcoming } from '#store/upcoming.ts'
import { isoText, nullable, reminderText, time } from './task.ts'

export const UpcomingReminderShape = Type.Object(
  {
    task_id: Type.Integer(),
    title: Type.String(),
    expiry_dt: time('When the task expires'),
    reminder: nullable(Type.String({ description: 'The reminder that will fire; null at the end of a snooze' })),
    due_dt: time('When it will ring; now, where it is overdue'),
    kind: Type.Enum(notificationKinds),
    channels: Type.Array(Type.Object({ id: Type.Integer(), name: Type.String(), kind: Type.String() })),
  },
  { $id: 'UpcomingReminder' },
)

export const UpcomingShape = Type.Object(
  {
    upcoming: Type.Array(UpcomingReminderShape),
    until_dt: time('Until when was looked'),
    more: Type.Boolean({ description: 'Whether more rings until then than was asked for' }),
  },
  { $id: 'Upcoming' },
)
export type UpcomingWire = Static<typeof UpcomingShape>

export function toUpcomingWire(
  { reminders, hasMore }: { reminders: readonly Upcoming[]; hasMore: boolean },
  until: number,
  channels: readonly ChannelRecord[],
): UpcomingWire {
  return {
    upcoming: reminders.map(({ task, at, ...fire }) => {
      const reminder = fire.reminder === 'snooze' ? null : fire.reminder
      const expiryAt = task.expiryAt ?? at // without one nothing rings
      const kind = kindAt(reminder, expiryAt, at)
      return {
        task_id: task.id,
        title: task.title,
        expiry_dt: isoText(expiryAt),
        reminder: reminder === null ? null : reminderText(reminder),
        due_dt: isoText(at),
        kind,
        channels: channels
          .filter((channel) => channel.isEnabled && wantsNotification(channel, { kind }, task))
          .map(({ id, name, kind }) => ({ id, name, kind })),
      }
    }),
    until_dt: isoText(until),
    more: hasMore,
  }
}
