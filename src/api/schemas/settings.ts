import { clockForm } from '#core/quiet-hours.ts'
import Type, { type Static } from '#json-schema.ts'
import { ignored, nullable } from './common.ts'

const QuietHoursShape = Type.Object(
  { from: Type.String({ pattern: clockForm }), until: Type.String({ pattern: clockForm }) },
  { additionalProperties: false, description: 'HH:MM, by the time zone; until may be of the next day' },
)

export const SettingsShape = Type.Object(
  {
    time_zone: Type.String({ description: 'In which times without an offset are read, and times are told' }),
    default_reminders: Type.Array(Type.String(), {
      description: 'When tasks ring that say nothing of their own: ISO 8601 leads before expiry; empty for never',
    }),
    default_day_reminders: Type.Array(Type.String(), {
      description: 'The same for tasks that expire on a day, counted from day_time',
    }),
    day_time: Type.String({ description: 'HH:MM, at which tasks that expire on a day remind, by the time zone' }),
    quiet_hours: Type.Union([QuietHoursShape, Type.Null()]),
    is_own: Type.Object(
      {
        time_zone: Type.Boolean(),
        default_reminders: Type.Boolean(),
        default_day_reminders: Type.Boolean(),
        day_time: Type.Boolean(),
      },
      { description: 'What was chosen; the rest is as the server has it' },
    ),
    web_push_key: Type.String({ description: 'What a browser subscribes with to be pushed to (VAPID, RFC 8292)' }),
  },
  { $id: 'Settings' },
)

export type SettingsWire = Static<typeof SettingsShape>

export const SettingsPatchShape = Type.Object(
  {
    time_zone: Type.Optional(
      nullable(
        Type.String({
          maxLength: 100,
          description: 'An IANA name; null: as the server has it',
          examples: ['Europe/Paris'],
        }),
      ),
    ),
    default_reminders: Type.Optional(
      nullable(
        Type.Array(Type.String({ maxLength: 100 }), {
          description: 'Null: as the server has them',
          examples: [['P1D', 'PT15M']],
        }),
      ),
    ),
    default_day_reminders: Type.Optional(
      nullable(
        Type.Array(Type.String({ maxLength: 100 }), {
          description: 'Null: as the server has them',
          examples: [['P7D', 'PT0S']],
        }),
      ),
    ),
    day_time: Type.Optional(
      nullable(
        Type.String({
          pattern: clockForm,
          description: 'HH:MM; null: as the server has it',
          examples: ['09:00'],
        }),
      ),
    ),
    quiet_hours: Type.Optional(SettingsShape.properties.quiet_hours),
    is_own: Type.Optional(ignored),
    web_push_key: Type.Optional(ignored),
  },
  { $id: 'SettingsPatch', additionalProperties: false },
)

export type SettingsPatchWire = Static<typeof SettingsPatchShape>
