import type { SettingsPatch } from '#actions/defaults.ts'
import type { SettingsPatchWire } from '#api/schemas/settings.ts'
import { checkDefaultReminders, checkTimeZone } from '#core/account.ts'
import type { Defaults } from '#core/reminder.ts'
import { reminderText } from './task.ts'

/** The settings that are in force: the user's own, or else the server's. */
export function toDefaultsWire({ timeZone, reminders, dayReminders, dayTime }: Defaults) {
  return {
    time_zone: timeZone,
    default_reminders: reminders.map(reminderText),
    default_day_reminders: dayReminders.map(reminderText),
    day_time: dayTime,
  }
}

/** @throws Problem `invalid` */
export function toSettings(wire: SettingsPatchWire): SettingsPatch {
  const { time_zone, default_reminders, default_day_reminders, day_time, quiet_hours } = wire
  return {
    ...(time_zone !== undefined && { timeZone: time_zone === null ? null : checkTimeZone(time_zone) }),
    ...(default_reminders !== undefined && {
      reminders: default_reminders === null ? null : checkDefaultReminders(default_reminders, '/default_reminders'),
    }),
    ...(default_day_reminders !== undefined && {
      dayReminders:
        default_day_reminders === null ? null : checkDefaultReminders(default_day_reminders, '/default_day_reminders'),
    }),
    ...(day_time !== undefined && { dayTime: day_time }),
    ...(quiet_hours !== undefined && { quietHours: quiet_hours }),
  }
}
