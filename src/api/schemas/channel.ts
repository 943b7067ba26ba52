import { channelSettingMembers } from '#channels/settings.ts'
import { channelSources, channelStatuses } from '#core/channel.ts'
import Type, { type Static } from '#json-schema.ts'
import { ignored, nullable, time } from './common.ts'

export const Options = Type.Record(Type.String(), Type.Unknown(), {
  description: 'The options of its kind. A secret is shown as `********`; sending that back keeps the secret',
})

export const ChannelShape = Type.Object(
  {
    id: Type.Integer(),
    name: Type.String(),
    kind: Type.String(),
    source: Type.Enum(channelSources, {
      description: 'A channel of another source than the API must be changed where it is declared',
    }),
    options: Options,
    enabled: Type.Boolean(),
    ...channelSettingMembers,
    status: Type.Enum(channelStatuses, {
      description: '`failing`: a delivery failed, and none has been sent since',
    }),
    disabled_reason: nullable(Type.String({ description: 'Why the server switched it off; null if it did not' })),
    failing_since_dt: nullable(time('The time since which every attempt has failed')),
    last_sent_dt: nullable(time('When something was last sent, to the minute')),
    last_error: nullable(Type.String()),
    create_dt: time('When it was created'),
    update_dt: time('When it was last changed'),
    version: Type.Integer({ description: 'Number of changes; also the ETag' }),
  },
  { $id: 'Channel' },
)

export type ChannelWire = Static<typeof ChannelShape>

export const ChannelsShape = Type.Object({ channels: Type.Array(ChannelShape) }, { $id: 'Channels' })

export type ChannelsWire = Static<typeof ChannelsShape>

export const name = Type.String({ minLength: 1, maxLength: 100 })

export const kind = Type.String({ maxLength: 50, description: 'See GET /v1/channel-kinds' })

export const policy = Type.Partial(Type.Object(channelSettingMembers)).properties

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
  {
    id: Type.Integer(),
    cancelled: Type.Integer({
      description: 'Number of cancelled deliveries; with `dry_run`, the number of pending ones',
    }),
  },
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
    status: nullable(Type.Integer({ description: 'The status code of the receiver; null if its protocol has none' })),
    latency_ms: Type.Integer(),
    error: nullable(Type.String({ description: 'Why the test failed; null if it did not' })),
    would_retry: Type.Boolean({ description: 'Whether a delivery would be retried after this error' }),
  },
  { $id: 'ChannelTest' },
)

export type ChannelTestWire = Static<typeof ChannelTestShape>

export const ChannelKindsShape = Type.Object(
  {
    kinds: Type.Array(
      Type.Object({
        kind: Type.String(),
        label: Type.String({ description: 'The name to show to people' }),
        about: Type.String(),
        config_only: Type.Boolean({ description: 'Whether only the configuration file may declare such a channel' }),
        options: Type.Object(
          {},
          {
            additionalProperties: true,
            description:
              'The JSON Schema of its options. A member with `writeOnly` is a secret. Changing a member with `affectsSecrets` requires the secrets again',
          },
        ),
      }),
    ),
  },
  { $id: 'ChannelKinds' },
)

export type ChannelKindsWire = Static<typeof ChannelKindsShape>
