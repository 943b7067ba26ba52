import type { ChannelTestResult } from '#actions/channels.ts'
import type { ChannelKindsWire, ChannelTestWire, ChannelWire } from '#api/schemas/channel.ts'
import type { ChannelKind } from '#channels/channel.ts'
import { maskOptions } from '#channels/options.ts'
import { channelSettingsWire } from '#channels/settings.ts'
import { type ChannelRecord, statusOf } from '#core/channel.ts'
import { isoOrNull, isoText } from './time.ts'

/** @param shown a secret that is shown this once */
export function toChannelWire(channel: ChannelRecord, kind: ChannelKind | undefined, shown?: string): ChannelWire {
  const { health, source } = channel
  // The options of a declared channel are in the configuration file. If the kind no longer exists, each option may be a secret.
  const options = source === 'api' && kind ? maskOptions(kind, channel.options) : {}
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
    failing_since_dt: isoOrNull(health.failingAt),
    last_sent_dt: isoOrNull(health.lastSentAt),
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
