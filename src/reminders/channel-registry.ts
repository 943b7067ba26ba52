import type { Logger } from 'pino'
import type { Channel, ChannelKind, SharedDeps } from '#channels/channel.ts'
import type { EgressPolicy, EgressPolicyOf } from '#channels/egress-policy.ts'
import type { ChannelRecord } from '#core/channel.ts'
import { Problem } from '#core/problem.ts'
import { deliverAt } from '#core/quiet-hours.ts'
import type { Defaults } from '#core/reminder.ts'
import type { AlarmSettings } from '#core/stale-alarm.ts'
import { allChannels } from '#store/channels.ts'
import { configVersion } from '#store/config-version.ts'
import { allPreferences, type NotificationPreferences } from '#store/preferences.ts'
import type { Db } from '#store/schema.ts'

/**
 * The channels and notification preferences of all users, in memory. They are read again when the config version in the database has
 * changed. So each replica notices a change at its next check, without a message from the others.
 *
 *   config version ── unchanged ──▶ cached snapshot
 *                 └── changed ────▶ records ──▶ open new versions and egress policies; close removed ones after their last attempt
 */
export interface ChannelRegistry extends AsyncDisposable {
  /** The state in the database, or in a transaction. */
  snapshot(db: Db): Promise<ChannelSnapshot>
  /** Opens all enabled channels; `db` must not be a transaction. Returns the same list while nothing has changed. */
  open(db: Db): Promise<readonly OpenChannel[]>
  /** The defaults of a user when the channels were last opened. */
  defaultsOf(userId: number): Defaults
}

export interface ChannelSnapshot {
  /** The config version. */
  readonly version: number
  /** Enabled or not. */
  readonly channels: readonly ChannelRecord[]
  /** The channels of one user: a search through the 10,000 channels of other users took a millisecond more for each batch. */
  channelsOf(userId: number): readonly ChannelRecord[]
  /** When a notification about this expiry may be delivered to a user: now, or after their quiet hours. */
  deliverAt(userId: number, expiryAt: number, now: number): number
  /** The settings by which a user's alarms are computed. */
  settingsOf(userId: number): AlarmSettings
}

/** For a user who was deleted, whose tasks are about to go. */
const noSettings: AlarmSettings = {
  defaults: { reminders: [], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' },
  staleSince: null,
}

export interface OpenChannel {
  readonly record: ChannelRecord
  readonly concurrency: number
  readonly channel: Channel
  /** Called before each attempt: a channel closes only when no attempt is in flight. */
  retain(): void
  /** Called after each attempt. */
  release(): void
}

/** The options of declared channels. They are kept in memory only, since they may hold secrets. */
export type DeclaredOptions = ReadonlyMap<string, Readonly<Record<string, unknown>>>

export interface ChannelRegistryOptions {
  readonly kinds: readonly ChannelKind[]
  readonly declared: DeclaredOptions
  readonly deps: SharedDeps
  /** The addresses that each channel may reach. Read at each config version, since that changes with the roles of users. */
  readonly readEgressPolicy: (db: Db) => Promise<EgressPolicyOf>
  readonly log: Logger
  readonly onOpened?: (id: number, kind: string) => void
}

export function createChannelRegistry(options: ChannelRegistryOptions): ChannelRegistry {
  let known: ChannelSnapshot | undefined
  let opened: { version: number; list: readonly OpenChannel[] } = { version: -1, list: [] }
  const handles = new Map<number, Handle>()
  let opening: Promise<readonly OpenChannel[]> | undefined

  async function snapshot(db: Db): Promise<ChannelSnapshot> {
    const version = await configVersion(db)
    if (known?.version === version) return known
    // Not cached: a transaction may see its own changes, which may never be committed.
    return toSnapshot(version, await allChannels(db), await allPreferences(db))
  }

  async function openAll(db: Db): Promise<readonly OpenChannel[]> {
    known = await snapshot(db)
    const { version, channels } = known
    if (opened.version === version) return opened.list
    const isFirst = opened.version === -1
    const egressPolicyOf = await options.readEgressPolicy(db)
    const list: OpenChannel[] = []
    for (const record of channels.filter(({ isEnabled }) => isEnabled)) {
      const egressPolicy = egressPolicyOf(record)
      let handle = handles.get(record.id)
      if (handle && !(isSame(handle.record, record) && handle.egressPolicy === egressPolicy)) {
        handle.retire()
        handle = undefined
      }
      if (handle) handle.record = record
      else {
        handle = createHandle(record, egressPolicy, await openChannel(options, record, egressPolicy, isFirst))
        options.onOpened?.(record.id, record.kind)
      }
      handles.set(record.id, handle)
      list.push(handle)
    }
    // A set: searching a list of 15,000 channels for each of them takes a second.
    const current = new Set<OpenChannel>(list)
    for (const [id, handle] of handles)
      if (!current.has(handle)) {
        handles.delete(id)
        handle.retire()
      }
    opened = { version, list }
    return list
  }

  return {
    snapshot,
    defaultsOf: (userId) => (known?.settingsOf(userId) ?? noSettings).defaults,
    open(db) {
      // One call at a time: two would open the same channel twice.
      opening ??= openAll(db).finally(() => (opening = undefined))
      return opening
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...handles.values()].map(({ channel }) => channel[Symbol.asyncDispose]()))
    },
  }
}

interface OpenedChannel {
  readonly channel: Channel
  readonly concurrency: number
}

/**
 * A channel that cannot be opened, such as one whose stored options its kind no longer accepts, fails each attempt with the reason.
 * @throws Problem `invalid` for a declared channel at startup, when an administrator can correct it
 */
async function openChannel(
  { kinds, declared, deps, log }: ChannelRegistryOptions,
  { name, kind: kindName, source, options }: ChannelRecord,
  egressPolicy: EgressPolicy,
  isStartup: boolean,
): Promise<OpenedChannel> {
  const kind = kinds.find((one) => one.kind === kindName)
  try {
    if (!kind) throw new Error(`there is no kind «${kindName}»`)
    const channelOptions = source === 'api' ? options : (declared.get(name) ?? {})
    const channel = await kind.open(channelOptions, { ...deps, egress: egressPolicy })
    return { channel, concurrency: kind.concurrency }
  } catch (error) {
    const reason = `cannot be opened: ${openErrorReason(error as Error)}`
    if (source !== 'api' && isStartup) throw new Problem('invalid', `Channel «${name}» ${reason}.`, { cause: error })
    log.error({ channel: name }, reason)
    const channel: Channel = {
      send: async () => ({ retry: true, reason }),
      async [Symbol.asyncDispose]() {},
    }
    return { channel, concurrency: 100 }
  }
}

function openErrorReason(error: Error): string {
  const [fault] = error instanceof Problem ? (error.extras.faults ?? []) : []
  return fault && 'pointer' in fault.at ? `${fault.at.pointer.slice(1)} ${fault.detail}` : error.message
}

/** Whether an open channel is still current: a change has another version, and a name declared again may have another kind. */
function isSame(before: ChannelRecord, after: ChannelRecord): boolean {
  return before.version === after.version && before.kind === after.kind
}

function toSnapshot(
  version: number,
  channels: readonly ChannelRecord[],
  preferencesOf: ReadonlyMap<number, NotificationPreferences>,
): ChannelSnapshot {
  const channelsOf = Map.groupBy(channels, ({ userId }) => userId)
  return {
    version,
    channels,
    channelsOf: (userId) => channelsOf.get(userId) ?? [],
    settingsOf: (userId) => preferencesOf.get(userId) ?? noSettings,
    deliverAt(userId, expiryAt, now) {
      const { quiet, defaults } = preferencesOf.get(userId) ?? { ...noSettings, quiet: null }
      return deliverAt(quiet, defaults.timeZone, expiryAt, now)
    },
  }
}

interface Handle extends OpenChannel {
  record: ChannelRecord
  /** The policy with which the channel was opened. */
  readonly egressPolicy: EgressPolicy
  /** Closes the channel after its last attempt in flight; no other attempt may start. */
  retire(): void
}

function createHandle(
  record: ChannelRecord,
  egressPolicy: EgressPolicy,
  { channel, concurrency }: OpenedChannel,
): Handle {
  let inFlight = 0
  let isRetired = false
  const closeIfUnused = () => {
    // An error while closing is ignored: the channel is not used any more.
    if (isRetired && inFlight === 0) Promise.resolve(channel[Symbol.asyncDispose]()).catch(() => {})
  }
  return {
    record,
    egressPolicy,
    channel,
    concurrency,
    retain() {
      inFlight++
    },
    release() {
      inFlight--
      closeIfUnused()
    },
    retire() {
      isRetired = true
      closeIfUnused()
    },
  }
}
