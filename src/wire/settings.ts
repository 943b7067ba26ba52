import type { SettingsPatch } from '#actions/defaults.ts'
import type { SettingsPatchWire } from '#api/schemas/settings.ts'
import { checkDefaultReminders, checkTimeZone } from '#core/account.ts'

/** @throws Problem `invalid` */
export function toSettings({ time_zone, default_reminders, quiet_hours }: SettingsPatchWire): SettingsPatch {
  return {
    ...(time_zone !== undefined && { timeZone: time_zone === null ? null : checkTimeZone(time_zone) }),
    ...(default_reminders !== undefined && {
      reminders: default_reminders === null ? null : checkDefaultReminders(default_reminders),
    }),
    ...(quiet_hours !== undefined && { quietHours: quiet_hours }),
  }
}
