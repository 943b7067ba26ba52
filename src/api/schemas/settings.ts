import { clockForm } from '#core/quiet-hours.ts'
import Type, { type Static } from '#json-schema.ts'
import { ignored, nullable } from './common.ts'

const QuietHoursShape = Type.Object(
  { from: Type.String({ pattern: clockForm }), until: Type.String({ pattern: clockForm }) },
  {
    additionalProperties: false,
    description: 'Times of day as HH:MM, in the time zone. If `until` is not after `from`, it is on the next day',
  },
)

export const SettingsShape = Type.Object(
  {
    time_zone: Type.String({ description: 'The time zone of times without an offset, and of times in messages' }),
    default_reminders: Type.Array(Type.String(), {
      description: 'Reminders of tasks without their own: ISO 8601 durations before the expiry; empty for none',
    }),
    default_day_reminders: Type.Array(Type.String(), {
      description: 'The same for tasks that expire on a day, counted from `day_time`',
    }),
    day_time: Type.String({
      description: 'The time of day (HH:MM) at which tasks that expire on a day remind, in the time zone',
    }),
    quiet_hours: Type.Union([QuietHoursShape, Type.Null()]),
    is_own: Type.Object(
      {
        time_zone: Type.Boolean(),
        default_reminders: Type.Boolean(),
        default_day_reminders: Type.Boolean(),
        day_time: Type.Boolean(),
      },
      { description: 'Which settings the user has set; the others are defaults of the server' },
    ),
    web_push_key: Type.String({
      description: 'The public key with which a browser subscribes to Web Push (VAPID, RFC 8292)',
    }),
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
          description: 'An IANA name; null for the default of the server',
          examples: ['Europe/Paris'],
        }),
      ),
    ),
    default_reminders: Type.Optional(
      nullable(
        Type.Array(Type.String({ maxLength: 100 }), {
          description: 'ISO 8601 durations before the expiry; null for the defaults of the server',
          examples: [['P1D', 'PT15M']],
        }),
      ),
    ),
    default_day_reminders: Type.Optional(
      nullable(
        Type.Array(Type.String({ maxLength: 100 }), {
          description: 'ISO 8601 durations before the expiry; null for the defaults of the server',
          examples: [['P7D', 'PT0S']],
        }),
      ),
    ),
    day_time: Type.Optional(
      nullable(
        Type.String({
          pattern: clockForm,
          description: 'HH:MM; null for the default of the server',
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
