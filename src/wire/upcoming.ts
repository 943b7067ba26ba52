import type { UpcomingWire } from '#api/schemas/upcoming.ts'
import { type ChannelRecord, wantsNotification } from '#core/channel.ts'
import { kindAt } from '#core/notification.ts'
import type { Upcoming } from '#store/upcoming.ts'
import { reminderText } from './task.ts'
import { isoText } from './time.ts'

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
        expiry_date: task.expiryDate,
        reminder: reminder === null ? null : reminderText(reminder),
        due_dt: isoText(at),
        kind,
        occurrence: task.occurrence,
        is_projected: fire.isProjected ?? false,
        channels: channels
          .filter((channel) => channel.isEnabled && wantsNotification(channel, { kind }, task))
          .map(({ id, name, kind }) => ({ id, name, kind })),
      }
    }),
    until_dt: isoText(until),
    more: hasMore,
  }
}
