import type { ChannelRecord, ChannelSettings } from '#core/channel.ts'
import { parseSpan } from '#core/duration.ts'
import { notificationKinds } from '#core/notification.ts'
import { invalidMember } from '#core/problem.ts'
import Type, { type Static } from '#json-schema.ts'

/**
 * Which notifications a channel gets, and how they are grouped and repeated. The JSON is the same in the API and in the configuration
 * file, so that settings can be copied between them.
 */
export const channelSettingMembers = {
  tags: Type.Array(Type.String({ minLength: 1, maxLength: 50 }), {
    maxItems: 20,
    description: 'Only notifications of tasks with one of these tags; empty for all',
  }),
  notifications: Type.Array(Type.Enum(notificationKinds), {
    maxItems: notificationKinds.length,
    description: 'Only notifications of these kinds; empty for all',
  }),
  group_wait: Type.Union([Type.String({ maxLength: 100 }), Type.Null()], {
    description: 'Reminders that fire within this time become one message: an ISO 8601 duration of a second to an hour',
    examples: ['PT30S'],
  }),
  repeat: Type.Union(
    [
      Type.Object(
        {
          every: Type.String({ maxLength: 100, description: 'An ISO 8601 duration of a minute to a week' }),
          max: Type.Integer({ minimum: 1, maximum: 100, description: 'Maximum number of repeats' }),
        },
        { additionalProperties: false },
      ),
      Type.Null(),
    ],
    {
      description: 'Repeats the notification until it is acknowledged, or the task is completed or snoozed',
      examples: [{ every: 'PT10M', max: 5 }],
    },
  ),
  ignore_quiet_hours: Type.Boolean({ description: 'Delivers also during the quiet hours of the user' }),
}
const settingsSchema = Type.Partial(Type.Object(channelSettingMembers))
export type ChannelSettingsWire = Static<typeof settingsSchema>

export const defaultChannelSettings: ChannelSettings = {
  tags: [],
  notifications: [],
  groupWaitMs: null,
  repeat: null,
  ignoresQuietHours: false,
}

/** Settings that are absent keep their value. @throws Problem `invalid` for a duration that cannot be parsed */
export function toChannelSettings(
  wire: ChannelSettingsWire,
  before: ChannelSettings = defaultChannelSettings,
): ChannelSettings {
  const { tags, notifications, group_wait, repeat, ignore_quiet_hours } = wire
  return {
    tags: tags ? [...new Set(tags)] : before.tags,
    notifications: notifications ? [...new Set(notifications)] : before.notifications,
    groupWaitMs: group_wait === undefined ? before.groupWaitMs : group_wait && spanOf('/group_wait', group_wait),
    repeat:
      repeat === undefined
        ? before.repeat
        : repeat && { everyMs: spanOf('/repeat/every', repeat.every), max: repeat.max },
    ignoresQuietHours: ignore_quiet_hours ?? before.ignoresQuietHours,
  } as ChannelSettings
}

function spanOf(pointer: string, text: string): number {
  const ms = parseSpan(text)
  if (ms === undefined) throw invalidMember(pointer, 'must be an ISO 8601 duration, like "PT30S" or "PT10M"')
  return ms
}

export function channelSettingsWire({ tags, notifications, groupWaitMs, repeat, ignoresQuietHours }: ChannelRecord) {
  return {
    tags: [...tags],
    notifications: [...notifications],
    group_wait: groupWaitMs === null ? null : spanText(groupWaitMs),
    repeat: repeat && { every: spanText(repeat.everyMs), max: repeat.max },
    ignore_quiet_hours: ignoresQuietHours,
  }
}

const spanText = (milliseconds: number) =>
  Temporal.Duration.from({ milliseconds }).round({ largestUnit: 'hours' }).toString()
