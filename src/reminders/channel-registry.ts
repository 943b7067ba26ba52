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
import type { Db } from '#store/schema.ts'
import { allPreferences, type NotificationPreferences } from '#store/users.ts'

/**
 * Who is to be told, and when they want to be left in peace: what the bell must know besides tasks. Kept in memory, and read again
 * where its number in the database is another; so each replica learns of a change at its next ring or look, and nobody is sent word.
 *
 *   setup number ── the same ──▶ as it was
 *               └── another ──▶ records ──▶ opened, where a version or a reach is new; closed, where one is gone, after what is underway
 */
export interface ChannelSet extends AsyncDisposable {
  /** As it stands in the database, or in a transaction. */
  setup(db: Db): Promise<Setup>
  /** The channels that are enabled, opened; of `db`, not of a transaction. The same list as long as nothing has changed. */
  open(db: Db): Promise<readonly OpenChannel[]>
  /** Of a user, as it was when they were opened. */
  defaultsOf(userId: number): Defaults
}

export interface Setup {
  readonly number: number
  /** Enabled or not. */
  readonly channels: readonly ChannelRecord[]
  /** Those of one user: a ring that went through 10,000 channels of others took a millisecond longer. */
  channelsOf(userId: number): readonly ChannelRecord[]
  /** When a user may be told of something that expires then: now or later. */
  deliverAt(userId: number, expiryAt: number, now: number): number
  /** What a user's alarms are computed with. */
  settingsOf(userId: number): AlarmSettings
}

/** Of a user who is not there any more: what is his is about to go. */
const nobodys: AlarmSettings = { defaults: { reminders: [], timeZone: 'UTC' }, staleSince: null }

export interface OpenChannel {
  readonly record: ChannelRecord
  readonly concurrency: number
  readonly channel: Channel
  /** For each attempt: a channel is closed when none is underway any more. */
  hold(): void
  release(): void
}

/** Where the options of a declared channel are: in memory alone, since they may hold secrets. */
export type DeclaredOptions = ReadonlyMap<string, Readonly<Record<string, unknown>>>

/** @param parts.readEgressPolicy how far each may go: asked again at each setup number, since that changes with what it depends on */
export function createChannelSet(parts: {
  kinds: readonly ChannelKind[]
  declared: DeclaredOptions
  deps: SharedDeps
  readEgressPolicy: (db: Db) => Promise<EgressPolicyOf>
  log: Logger
  onOpened?: (id: number, kind: string) => void
}): ChannelSet {
  const { kinds, declared, deps, readEgressPolicy, log } = parts
  let known: Setup | undefined
  let opened: { number: number; list: readonly OpenChannel[] } = { number: -1, list: [] }
  const handles = new Map<number, Handle>()
  let opening: Promise<readonly OpenChannel[]> | undefined

  async function setup(db: Db): Promise<Setup> {
    const number = await configVersion(db)
    if (known?.number === number) return known
    // Not kept: what a transaction sees may be of its own, and never committed.
    return toConfigVersion(number, await allChannels(db), await allPreferences(db))
  }

  async function openAll(db: Db): Promise<readonly OpenChannel[]> {
    known = await setup(db)
    const { number, channels } = known
    if (opened.number === number) return opened.list
    const enabled = channels.filter(({ isEnabled }) => isEnabled)
    const egressPolicyOf = await readEgressPolicy(db)
    const list: OpenChannel[] = []
    for (const record of enabled) {
      const egress = egressPolicyOf(record)
      let handle = handles.get(record.id)
      if (handle && !(isSame(handle.record, record) && handle.egress === egress)) {
        handle.retire()
        handle = undefined
      }
      if (handle) handle.record = record
      else {
        handle = openHandle(record, egress, await openChannel(record, egress))
        parts.onOpened?.(record.id, record.kind)
      }
      handles.set(record.id, handle)
      list.push(handle)
    }
    // A set: 15,000 channels looked for in a list of 15,000 take a second.
    const kept = new Set<OpenChannel>(list)
    for (const [id, handle] of handles)
      if (!kept.has(handle)) {
        handles.delete(id)
        handle.retire()
      }
    opened = { number, list }
    return list
  }

  /**
   * One whose options its kind does not take any more fails each attempt with the reason, so that it is seen.
   * @throws Problem `invalid` for a declared one at the start: then somebody is there to correct it
   */
  async function openChannel({ name, kind: kindName, source, options }: ChannelRecord, egress: EgressPolicy) {
    const kind = kinds.find((one) => one.kind === kindName)
    try {
      if (!kind) throw new Error(`there is no kind «${kindName}»`)
      const given = source === 'api' ? options : (declared.get(name) ?? {})
      const channel = await kind.open(given, { ...deps, egress })
      return { channel, concurrency: kind.concurrency }
    } catch (error) {
      const reason = `cannot be opened: ${describe(error as Error)}`
      if (source !== 'api' && opened.number === -1)
        throw new Problem('invalid', `Channel «${name}» ${reason}.`, { cause: error })
      log.error({ channel: name }, reason)
      const channel: Channel = {
        send: async () => ({ retry: true, reason }),
        async [Symbol.asyncDispose]() {},
      }
      return { channel, concurrency: 100 }
    }
  }

  return {
    setup,
    defaultsOf: (userId) => (known?.settingsOf(userId) ?? nobodys).defaults,
    open(db) {
      // One at a time: two would open the same channel twice.
      opening ??= openAll(db).finally(() => (opening = undefined))
      return opening
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...handles.values()].map(({ channel }) => channel[Symbol.asyncDispose]()))
    },
  }
}

function describe(error: Error): string {
  const [fault] = error instanceof Problem ? (error.extras.faults ?? []) : []
  return fault && 'pointer' in fault.at ? `${fault.at.pointer.slice(1)} ${fault.detail}` : error.message
}

/** Whether what was opened is still what is meant: a person's change has another version, and a revived name another kind. */
function isSame(before: ChannelRecord, after: ChannelRecord): boolean {
  return before.version === after.version && before.kind === after.kind
}

function toConfigVersion(
  number: number,
  channels: readonly ChannelRecord[],
  preferencesOf: ReadonlyMap<number, NotificationPreferences>,
): Setup {
  const channelsOf = Map.groupBy(channels, ({ userId }) => userId)
  return {
    number,
    channels,
    channelsOf: (userId) => channelsOf.get(userId) ?? [],
    settingsOf: (userId) => preferencesOf.get(userId) ?? nobodys,
    deliverAt(userId, expiryAt, now) {
      const { quiet, defaults } = preferencesOf.get(userId) ?? { ...nobodys, quiet: null }
      return deliverAt(quiet, defaults.timeZone, expiryAt, now)
    },
  }
}

interface Handle extends OpenChannel {
  record: ChannelRecord
  /** That it was opened with. */
  readonly egress: EgressPolicy
  /** Nobody begins another attempt: it is closed after the last that is underway. */
  retire(): void
}

function openHandle(
  record: ChannelRecord,
  egress: EgressPolicy,
  { channel, concurrency }: { channel: Channel; concurrency: number },
): Handle {
  let inFlight = 0
  let isRetired = false
  const closeIfDone = () => {
    // How that ends is of no interest to anybody by now.
    if (isRetired && inFlight === 0) Promise.resolve(channel[Symbol.asyncDispose]()).catch(() => {})
  }
  return {
    record,
    egress,
    channel,
    concurrency,
    hold() {
      inFlight++
    },
    release() {
      inFlight--
      closeIfDone()
    },
    retire() {
      isRetired = true
      closeIfDone()
    },
  }
}
