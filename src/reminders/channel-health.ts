import type { Logger } from 'pino'
import { type ChannelHealth, type ChannelRecord, maxFailingMs } from '#core/channel.ts'
import { giveUpMs, type Outcome } from '#core/delivery.ts'
import { readHealth, saveHealth, saveHold, tryLockChannel } from '#store/channel-health.ts'
import type { DeliveryResult } from '#store/claims.ts'
import type { Store } from '#store/engine/open.ts'
import type { Db } from '#store/schema.ts'
import { notifyFailing, switchOff } from './channel-failure-tasks.ts'

/**
 * Derives the health of a channel from its outcomes: it fails, it works again, or its receiver is gone. The health is stored only when it
 * changes, not for each notification, and not while another process has locked the record. Waiting for a replica that had frozen with the
 * lock delayed the results of sent messages beyond their lease, and they were sent again.
 *
 * The user is notified by a task. It fires at once on every other channel, stays in the list until it is done, and needs no second kind of
 * notification (docs/decisions/0013). One task is created when the first notification fails, until the channel works again, and one when
 * the channel is switched off. Notifying the user only after three days lost everything that was due in between.
 */
export interface ChannelHealthMonitor {
  /** @param attempt.holdsInARow holds of the rate limit since the last accepted message */
  recordOutcome(
    channel: ChannelRecord,
    result: DeliveryResult,
    outcome: Outcome,
    attempt: { now: number; holdsInARow: number },
  ): void
  /** Records that the receiver accepts no messages before this instant. */
  recordHold(channel: ChannelRecord, heldUntilAt: number, now: number): void
  /** Stores the changes; records that another process has locked wait for the next call. Never rejects: the next outcome repeats them. */
  save(): Promise<void>
}

/** Shorter holds are not stored: they are over before another replica checks, or a restart completes. */
const minStoredHoldMs = 5_000
const sentEveryMs = 60_000
/** Holds of a rate limit grow to an hour. By time alone, two failures with a quiet day between them would count as a day of holds. */
const holdsOfDay = 24

interface HealthChange {
  readonly channel: ChannelRecord
  readonly now: number
  readonly hasSent: boolean
  readonly failure: Failure | null
}

interface Failure {
  readonly reason: string
  readonly isGone: boolean
  readonly isFailed: boolean
  /** No message was accepted for a day, and no delivery has failed, since all wait for the rate limit. */
  readonly isHeldForDay: boolean
}

interface MonitorDeps {
  readonly store: Store
  readonly log: Logger
  /** Wakes the reminders loop for a task that is due at this instant. */
  readonly wakeFiring: (at: number) => void
}

export function createChannelHealthMonitor(deps: MonitorDeps): ChannelHealthMonitor {
  const { log } = deps
  /** The health as this process knows it, by channel version: a channel that the user switches on again starts afresh. */
  const known = new Map<number, { version: number; health: ChannelHealth }>()
  const changes = new Map<number, HealthChange>()
  const holds = new Map<number, { readonly channel: ChannelRecord; readonly untilAt: number }>()

  function healthOf({ id, version, health }: ChannelRecord): ChannelHealth {
    const mine = known.get(id)
    if (mine?.version === version) return mine.health
    known.set(id, { version, health })
    return health
  }

  return {
    recordOutcome(channel, result, outcome, { now, holdsInARow }) {
      const health = healthOf(channel)
      const pending = changes.get(channel.id)
      if (outcome === 'sent') {
        const isNews = health.failingAt !== null || now - (health.lastSentAt ?? 0) >= sentEveryMs
        if (isNews || pending) changes.set(channel.id, { channel, now, hasSent: true, failure: null })
        return
      }
      const isGone = outcome.retry === false && outcome.isGone === true
      const failure = toFailure(result, isGone, health, { now, holdsInARow })
      if (!failure) return
      changes.set(channel.id, {
        channel,
        now,
        hasSent: pending?.hasSent ?? false,
        failure: mergeFailures(pending?.failure, failure),
      })
    },

    recordHold(channel, untilAt, now) {
      if (untilAt - now >= minStoredHoldMs) holds.set(channel.id, { channel, untilAt })
    },

    async save() {
      for (const one of [...holds.values()]) {
        holds.delete(one.channel.id)
        try {
          const isSaved = await saveHoldUnlessLocked(deps, one)
          if (!isSaved && !holds.has(one.channel.id)) holds.set(one.channel.id, one)
        } catch (error) {
          log.warn({ err: error, channel: one.channel.name }, 'storing the rate limit of a channel failed')
        }
      }
      for (const one of [...changes.values()]) {
        changes.delete(one.channel.id)
        try {
          const { id, version } = one.channel
          const health = await saveUnlessLocked(deps, one, healthOf(one.channel))
          if (health) known.set(id, { version, health })
          else if (!changes.has(id)) changes.set(id, one)
        } catch (error) {
          log.warn({ err: error, channel: one.channel.name }, 'storing the health of a channel failed')
        }
      }
    },
  }
}

/** @returns undefined if the failure is known already */
function toFailure(
  result: DeliveryResult,
  isGone: boolean,
  health: ChannelHealth,
  { now, holdsInARow }: { now: number; holdsInARow: number },
): Failure | undefined {
  const reason = result.error ?? ''
  const isFailed = result.state === 'failed'
  const lastedMs = health.failingAt === null ? 0 : now - health.failingAt
  const isHeldForDay = holdsInARow >= holdsOfDay && lastedMs >= giveUpMs
  const hasLasted = lastedMs >= maxFailingMs || (isHeldForDay && health.givenUpAt === null)
  // Another replica may have seen the channel work since: a failed notification is compared with the database.
  const isNews = health.failingAt === null || isGone || hasLasted || isFailed
  if (!isNews && health.lastError === reason) return undefined
  return { reason, isGone, isFailed, isHeldForDay }
}

/** A later failure of the same batch hides neither a failed notification nor a receiver that is gone. */
function mergeFailures(before: Failure | null | undefined, after: Failure): Failure {
  return {
    reason: before?.isGone ? before.reason : after.reason,
    isGone: after.isGone || before?.isGone === true,
    isFailed: after.isFailed || before?.isFailed === true,
    isHeldForDay: after.isHeldForDay,
  }
}

/** @returns false if another process has locked the channel */
function saveHoldUnlessLocked(
  { store }: Pick<MonitorDeps, 'store'>,
  { channel, untilAt }: { channel: ChannelRecord; untilAt: number },
): Promise<boolean> {
  return store.transactDeliveries(async (tx) => {
    if (!(await tryLockChannel(tx, channel.id))) return false
    await saveHold(tx, channel, untilAt)
    return true
  })
}

/** @returns undefined if another process has locked the channel */
async function saveUnlessLocked(
  { store, log, wakeFiring }: MonitorDeps,
  change: HealthChange,
  known: ChannelHealth,
): Promise<ChannelHealth | undefined> {
  const { channel, now, failure, hasSent } = change
  if (failure?.isFailed && !failure.isGone && !hasSent) {
    // A thousand notifications that fail one after the other cost a read each, and not a write.
    const stored = await readHealth(store.db, channel.id)
    const isStored = stored?.givenUpAt != null && stored.lastError === failure.reason
    if (isStored && now - (stored.failingAt ?? now) < maxFailingMs) return stored
  }
  // A failure may create a task, and so add to the lists of changes.
  const transact = failure ? store.transactFiring : store.transactDeliveries
  const saved = await transact(async (tx) =>
    (await tryLockChannel(tx, channel.id)) ? saveChange(tx, change, known) : undefined,
  )
  if (!saved) return undefined
  const { before, health, isNotified } = saved
  if (!failure && before.givenUpAt !== null) log.info({ channel: channel.name }, 'channel recovered')
  if (isNotified) {
    log.warn({ channel: channel.name, reason: failure?.reason }, 'channel is failing; a task notifies its user')
    wakeFiring(now)
  }
  if (failure && mustSwitchOff(failure, health, now)) {
    const reason = failure.isGone ? failure.reason : `it has only failed for three days (${failure.reason})`
    await store.transactFiring((tx, at) => switchOff(tx, channel, reason, at, log))
    wakeFiring(now)
  }
  return health
}

const mustSwitchOff = ({ isGone }: Failure, { failingAt }: Pick<ChannelHealth, 'failingAt'>, now: number) =>
  isGone || now - (failingAt ?? now) >= maxFailingMs

async function saveChange(
  tx: Db,
  { channel, now, hasSent, failure }: HealthChange,
  known: ChannelHealth,
): Promise<{ before: ChannelHealth; health: ChannelHealth; isNotified: boolean }> {
  // The stored health includes what other replicas saw: the first failure, the last success.
  const before = (await readHealth(tx, channel.id)) ?? known
  if (!failure) {
    const health = { ...before, failingAt: null, givenUpAt: null, lastSentAt: now, lastError: null }
    await saveHealth(tx, channel.id, health)
    return { before, health, isNotified: false }
  }
  // A success in between ends the failure before it.
  const since = hasSent ? { ...before, failingAt: null, givenUpAt: null, lastSentAt: now } : before
  const failingAt = since.failingAt ?? now
  const isGivenUp = failure.isFailed || failure.isHeldForDay
  const givenUpAt = failure.isFailed ? now : (since.givenUpAt ?? (isGivenUp ? now : null))
  const health = { ...since, failingAt, givenUpAt, lastError: failure.reason }
  await saveHealth(tx, channel.id, health)
  // Switching the channel off creates a task of its own.
  const isNotified = isGivenUp && since.givenUpAt === null && !mustSwitchOff(failure, health, now)
  if (isNotified) await notifyFailing(tx, channel, failure, now)
  return { before, health, isNotified }
}
