import type { ChannelSource } from '#core/channel.ts'
import { count, duration, flag, id, instant, json, longJson, reference, text } from './column.ts'
import { table } from './table.ts'

export const channels = table(
  {
    id: id(),
    user_id: reference(),
    name: text(100),
    kind: text(50),
    source: text<ChannelSource>(20),
    created_at: instant(),
    /** Set while it is missing in the configuration, or after a user has deleted it. */
    removed_at: instant().orNull(),
    options: longJson().orNull(),
    enabled: flag().default(1),
    disabled_reason: text(500).orNull(),
    /** Null for all. */
    tags: json(2_000).orNull(),
    /** Null for all. */
    notifications: json(100).orNull(),
    group_wait_ms: duration().orNull(),
    repeat_every_ms: duration().orNull(),
    repeat_max: count().orNull(),
    ignores_quiet_hours: flag().default(0),
    failing_at: instant().orNull(),
    given_up_at: instant().orNull(),
    last_sent_at: instant().orNull(),
    last_error: text(500).orNull(),
    updated_at: instant().default(0),
    version: count().default(1),
    /** The receiver accepts no messages before this instant. */
    held_until_at: instant().orNull(),
  },
  { unique: { channels_name: ['user_id', 'name'] } },
)
