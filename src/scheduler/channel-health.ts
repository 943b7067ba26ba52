import { randomUUIDv7 } from 'node:crypto'
import type { Logger } from 'pino'
import { type ChannelHealth, type ChannelRecord, failingForMs } from '#core/channel.ts'
import type { Outcome } from '#core/delivery.ts'
import { newTask } from '#core/task.ts'
import { recordChange } from '#store/changes.ts'
import { beginFailing, disableChannel, holdChannel, saveHealth } from '#store/channels.ts'
import { dropForChannel, type Settled } from '#store/deliveries.ts'
import type { Store } from '#store/open.ts'
import type { Db } from '#store/schema.ts'
import { insertTask } from '#store/tasks.ts'

/**
 * What the outcomes say of the channel itself: that it fails, that it works again, that it is gone. Written where that changes, and not
 * for each notice; and not while another process has the record in hand: behind a replica that froze so, what was sent could not be
 * written down before its lease ended, and was sent again. A channel that is switched off leaves a task behind, which rings at once on
 * every other channel of its owner, stands in the list until somebody has seen to it, and needs no second kind of notice: see
 * docs/decisions/0013.
 */
export interface ChannelWatch {
  note(channel: ChannelRecord, settled: Settled, outcome: Outcome, now: number): void
  /**
   * Writes what has changed; what somebody else has in hand waits for the next call. Never fails: the next outcome says the same again.
   */
  write(): Promise<void>
}

const sentEveryMs = 60_000

interface Noted {
  readonly channel: ChannelRecord
  readonly now: number
  readonly hasSent: boolean
  readonly failure: { readonly reason: string; readonly isGone: boolean; readonly isDead: boolean } | null
}

export function createChannelWatch(parts: {
  store: Store
  log: Logger
  /** Something is to ring at once. */
  wakeRing: (at: number) => void
}): ChannelWatch {
  const { log } = parts
  /** As this process knows it, of a version: a person who switches a channel on again lets it begin anew. */
  const known = new Map<number, { version: number; health: ChannelHealth }>()
  const noted = new Map<number, Noted>()

  function healthOf({ id, version, health }: ChannelRecord): ChannelHealth {
    const mine = known.get(id)
    if (mine?.version === version) return mine.health
    known.set(id, { version, health })
    return health
  }

  return {
    note(channel, settled, outcome, now) {
      const health = healthOf(channel)
      if (outcome === 'sent') {
        const isNews = health.failingAt !== null || now - (health.lastSentAt ?? 0) >= sentEveryMs
        const before = noted.get(channel.id)
        if (isNews || before) noted.set(channel.id, { channel, now, hasSent: true, failure: null })
        return
      }
      const isGone = outcome.retry === false && outcome.isGone === true
      const reason = settled.error ?? ''
      const isDead = settled.state === 'dead'
      const hasLasted = health.failingAt !== null && now - health.failingAt >= failingForMs
      const isNews = health.failingAt === null || isGone || hasLasted || (isDead && health.givenUpAt === null)
      if (!isNews && health.lastError === reason) return
      const hasSent = noted.get(channel.id)?.hasSent ?? false
      noted.set(channel.id, { channel, now, hasSent, failure: { reason, isGone, isDead } })
    },

    async write() {
      for (const one of [...noted.values()]) {
        noted.delete(one.channel.id)
        try {
          const { id, version } = one.channel
          const health = await writeOne(parts, one, healthOf(one.channel))
          if (health) known.set(id, { version, health })
          else if (!noted.has(id)) noted.set(id, one)
        } catch (error) {
          log.warn({ err: error, channel: one.channel.name }, 'what became of a channel could not be written down')
        }
      }
    },
  }
}

/** @returns undefined where somebody else has the record in hand: then it is written later */
async function writeOne(
  { store, log, wakeRing }: Parameters<typeof createChannelWatch>[0],
  noted: Noted,
  before: ChannelHealth,
): Promise<ChannelHealth | undefined> {
  const { channel, now, failure } = noted
  const health = await store.transactBell(async (tx) =>
    (await holdChannel(tx, channel.id)) ? saveNoted(tx, noted, before) : undefined,
  )
  if (!health) return undefined
  if (!failure && before.givenUpAt !== null) log.info({ channel: channel.name }, 'the channel works again')
  if (failure && (failure.isGone || now - (health.failingAt ?? now) >= failingForMs)) {
    const why = failure.isGone ? failure.reason : `it has only failed for three days (${failure.reason})`
    await store.transactRing((tx, at) => switchOff(tx, channel, why, at, log))
    wakeRing(now)
  }
  return health
}

async function saveNoted(
  tx: Db,
  { channel: { id }, now, hasSent, failure }: Noted,
  before: ChannelHealth,
): Promise<ChannelHealth> {
  if (!failure) {
    const well = { failingAt: null, givenUpAt: null, lastSentAt: now, lastError: null }
    await saveHealth(tx, id, well)
    return well
  }
  // What was sent in between ends what failed before it.
  const since = hasSent ? { ...before, failingAt: null, givenUpAt: null } : before
  if (hasSent) await saveHealth(tx, id, since)
  const failingAt = await beginFailing(tx, id, since.failingAt ?? now)
  const givenUpAt = failure.isDead ? now : since.givenUpAt
  const lastSentAt = hasSent ? now : before.lastSentAt
  const changed = { failingAt, givenUpAt, lastSentAt, lastError: failure.reason }
  await saveHealth(tx, id, changed)
  return changed
}

/** No more attempts, with the reason at each notice that waits, and a task that says so. */
async function switchOff(tx: Db, { id, ownerId, name }: ChannelRecord, why: string, now: number, log: Logger) {
  if (!(await disableChannel(tx, id, why))) return // another replica was first
  const dropped = await dropForChannel(tx, id, 'the channel was switched off', now)
  log.error({ channel: name, reason: why, dropped }, 'the channel is switched off')
  const title = `Channel «${name}» is switched off: ${why}`
  const draft = {
    title: title.length > 500 ? `${title.slice(0, 499)}…` : title,
    description: `${dropped} notices that waited for it were dropped. Mend it, test it and switch it on again, then mark this as done.`,
    expiry: { at: now },
    reminders: ['PT0S'],
    priority: 'high' as const,
  }
  const task = await insertTask(tx, newTask(draft, ownerId, randomUUIDv7(), { reminders: [], timeZone: 'UTC' }, now))
  recordChange(tx, { ownerId, taskId: task.id, kind: 'created' })
}
