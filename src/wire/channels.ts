import type { ChannelTestResult } from '#actions/channels.ts'
import type { SettingsPatch } from '#actions/defaults.ts'
import type { ChannelKind } from '#channels/channel.ts'
import { maskOptions } from '#channels/options.ts'
import { channelSettingMembers, channelSettingsWire } from '#channels/settings.ts'
import { checkDefaultReminders, checkTimeZone } from '#core/account.ts'
import { type ChannelRecord, channelSources, channelStatuses, statusOf } from '#core/channel.ts'
import { clockForm } from '#core/quiet-hours.ts'
import Type, { type Static } from '#json-schema.ts'
import { isoText, nullable, time } from './task.ts'

const Options = Type.Record(Type.String(), Type.Unknown(), {
  description: 'As its kind has them; a secret is shown as ********, and sent back so stays as it is',
})
const ignored = Type.Unknown({ description: 'May be sent back as it was read; ignored', readOnly: true })

export const ChannelShape = Type.Object(
  {
    id: Type.Integer(),
    name: Type.String(),
    kind: Type.String(),
    source: Type.Enum(channelSources, { description: 'What is not made by this API is changed where it is declared' }),
    options: Options,
    enabled: Type.Boolean(),
    ...channelSettingMembers,
    status: Type.Enum(channelStatuses, {
      description: 'failing: a notification was given up, and none has been sent since',
    }),
    disabled_reason: nullable(Type.String({ description: 'Why the server switched it off, where it did' })),
    failing_since_dt: nullable(time('Since when every attempt has failed')),
    last_sent_dt: nullable(time('When something was last sent, to the minute')),
    last_error: nullable(Type.String()),
    create_dt: time('When it was made'),
    update_dt: time('When it was last changed'),
    version: Type.Integer({ description: 'Counts its changes; also its ETag' }),
  },
  { $id: 'Channel' },
)
export type ChannelWire = Static<typeof ChannelShape>

export const ChannelsShape = Type.Object({ channels: Type.Array(ChannelShape) }, { $id: 'Channels' })
export type ChannelsWire = Static<typeof ChannelsShape>

const name = Type.String({ minLength: 1, maxLength: 100 })
const kind = Type.String({ maxLength: 50, description: 'See GET /v1/channel-kinds' })
const policy = Type.Partial(Type.Object(channelSettingMembers)).properties

export const ChannelDraftShape = Type.Object(
  { name, kind, options: Type.Optional(Options), enabled: Type.Optional(Type.Boolean()), ...policy },
  { $id: 'ChannelDraft', additionalProperties: false },
)
export type ChannelDraftWire = Static<typeof ChannelDraftShape>

export const ChannelPatchShape = Type.Partial(
  Type.Object({
    ...ChannelDraftShape.properties,
    id: ignored,
    kind: ignored,
    source: ignored,
    status: ignored,
    disabled_reason: ignored,
    failing_since_dt: ignored,
    last_sent_dt: ignored,
    last_error: ignored,
    create_dt: ignored,
    update_dt: ignored,
    version: ignored,
  }),
  { $id: 'ChannelPatch', additionalProperties: false },
)
export type ChannelPatchWire = Static<typeof ChannelPatchShape>

export const DeletedChannelShape = Type.Object(
  { id: Type.Integer(), dropped: Type.Integer({ description: 'Deliveries that waited for it' }) },
  { $id: 'DeletedChannel' },
)

export const ChannelTrialShape = Type.Object(
  { kind, options: Type.Optional(Options) },
  { $id: 'ChannelTrial', additionalProperties: false },
)
export const SavedChannelTrialShape = Type.Object(
  { options: Type.Optional(Options) },
  { $id: 'SavedChannelTrial', additionalProperties: false },
)
export const ChannelTestShape = Type.Object(
  {
    ok: Type.Boolean(),
    status: nullable(Type.Integer({ description: "The receiver's own, where its protocol has one" })),
    latency_ms: Type.Integer(),
    error: nullable(Type.String({ description: 'What went wrong' })),
    would_retry: Type.Boolean({ description: 'Whether a notification would be tried again' }),
  },
  { $id: 'ChannelTest' },
)
export type ChannelTestWire = Static<typeof ChannelTestShape>

export const ChannelKindsShape = Type.Object(
  {
    kinds: Type.Array(
      Type.Object({
        kind: Type.String(),
        label: Type.String({ description: 'What people call it' }),
        about: Type.String(),
        config_only: Type.Boolean({ description: 'Only the configuration file may declare one' }),
        options: Type.Object(
          {},
          {
            additionalProperties: true,
            description:
              'The JSON Schema of its options; a member with writeOnly is a secret. Changing one with affectsSecrets requires the secrets again',
          },
        ),
      }),
    ),
  },
  { $id: 'ChannelKinds' },
)
export type ChannelKindsWire = Static<typeof ChannelKindsShape>

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
    quiet_hours: Type.Union([QuietHoursShape, Type.Null()]),
    is_own: Type.Object(
      { time_zone: Type.Boolean(), default_reminders: Type.Boolean() },
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
    quiet_hours: Type.Optional(SettingsShape.properties.quiet_hours),
    is_own: Type.Optional(ignored),
    web_push_key: Type.Optional(ignored),
  },
  { $id: 'SettingsPatch', additionalProperties: false },
)
export type SettingsPatchWire = Static<typeof SettingsPatchShape>

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

/** @param shown a secret that is shown this once */
export function toChannelWire(channel: ChannelRecord, kind: ChannelKind | undefined, shown?: string): ChannelWire {
  const { health, source } = channel
  // Of a declared one they are in the file, and of a kind that is no more all may be secret.
  const options = source === 'api' && kind ? maskOptions(kind, channel.options) : {}
  const at = (instant: number | null) => (instant === null ? null : isoText(instant))
  return {
    id: channel.id,
    name: channel.name,
    kind: channel.kind,
    source,
    options: shown === undefined ? options : { ...options, [shown]: channel.options[shown] },
    enabled: channel.isEnabled,
    ...channelSettingsWire(channel),
    status: statusOf(channel),
    disabled_reason: channel.disabledReason,
    failing_since_dt: at(health.failingAt),
    last_sent_dt: at(health.lastSentAt),
    last_error: health.lastError,
    create_dt: isoText(channel.createdAt),
    update_dt: isoText(channel.updatedAt),
    version: channel.version,
  }
}

export function toTestWire({ outcome, latencyMs }: ChannelTestResult): ChannelTestWire {
  if (outcome === 'sent') return { ok: true, status: null, latency_ms: latencyMs, error: null, would_retry: false }
  const { status = null, reason, retry } = outcome
  return { ok: false, status, latency_ms: latencyMs, error: reason, would_retry: retry }
}

export const toKindsWire = (kinds: readonly ChannelKind[]): ChannelKindsWire => ({
  kinds: kinds.map(({ kind, label, about, isConfigOnly = false, options }) => {
    return { kind, label, about, config_only: isConfigOnly, options }
  }),
})
