import { randomUUIDv7 } from 'node:crypto'
import type { Logger } from 'pino'
import { type ChannelHealth, type ChannelRecord, maxFailingMs } from '#core/channel.ts'
import { giveUpMs, type Outcome } from '#core/delivery.ts'
import { newTask } from '#core/task-changes.ts'
import { recordChange } from '#store/changes.ts'
import { readHealth, saveHealth, saveHold, tryLockChannel } from '#store/channel-health.ts'
import { disableChannel } from '#store/channels.ts'
import type { DeliveryResult } from '#store/claims.ts'
import { cancelForChannel } from '#store/deliveries.ts'
import type { Store } from '#store/engine/open.ts'
import type { Db } from '#store/schema.ts'
import { insertTask } from '#store/tasks.ts'

/**
 * What the outcomes say of the channel itself: that it fails, that it works again, that it is gone. Written where that changes, and not
 * for each notification; and not while another process has the record in hand: behind a replica that froze so, what was sent could not be
 * written down before its lease ended, and was sent again.
 *
 * The user learns of it by a task, which rings at once on every other channel, stands in the list until it is done, and needs no second
 * kind of notification (docs/decisions/0013). There is one task when the first notification is given up, until the channel works again,
 * and one when the channel is switched off. Told only after three days, the user lost all that was due in between.
 */
export interface ChannelWatch {
  /** @param attempt.holdsInARow of its rate limit, without a message that was accepted */
  note(
    channel: ChannelRecord,
    settled: DeliveryResult,
    outcome: Outcome,
    attempt: { now: number; holdsInARow: number },
  ): void
  /** The receiver takes no more before this instant. */
  noteHold(channel: ChannelRecord, heldUntilAt: number, now: number): void
  /**
   * Writes what has changed; what somebody else has in hand waits for the next call. Never fails: the next outcome says the same again.
   */
  write(): Promise<void>
}

/** A shorter hold is over before another replica looks, and before a restart is done. */
const shortestStoredHoldMs = 5_000
const sentEveryMs = 60_000
/** Holds of a rate limit grow to an hour. By the time alone, two failures with a quiet day between them would count as well. */
const holdsOfDay = 24

interface Noted {
  readonly channel: ChannelRecord
  readonly now: number
  readonly hasSent: boolean
  readonly failure: Failure | null
}

interface Failure {
  readonly reason: string
  readonly isGone: boolean
  readonly isFailed: boolean
  /** Nothing was accepted for a day, and nothing is given up, since all wait for a rate limit to end. */
  readonly isHeldForDay: boolean
}

export function createChannelWatch(parts: {
  store: Store
  log: Logger
  /** Something is to ring at once. */
  wakeFiring: (at: number) => void
}): ChannelWatch {
  const { log } = parts
  /** As this process knows it, of a version: a person who switches a channel on again lets it begin anew. */
  const known = new Map<number, { version: number; health: ChannelHealth }>()
  const noted = new Map<number, Noted>()
  const holds = new Map<number, { readonly channel: ChannelRecord; readonly untilAt: number }>()

  function healthOf({ id, version, health }: ChannelRecord): ChannelHealth {
    const mine = known.get(id)
    if (mine?.version === version) return mine.health
    known.set(id, { version, health })
    return health
  }

  return {
    note(channel, settled, outcome, { now, holdsInARow }) {
      const health = healthOf(channel)
      if (outcome === 'sent') {
        const isNews = health.failingAt !== null || now - (health.lastSentAt ?? 0) >= sentEveryMs
        const before = noted.get(channel.id)
        if (isNews || before) noted.set(channel.id, { channel, now, hasSent: true, failure: null })
        return
      }
      const isGone = outcome.retry === false && outcome.isGone === true
      const reason = settled.error ?? ''
      const isFailed = settled.state === 'failed'
      const lastedMs = health.failingAt === null ? 0 : now - health.failingAt
      const isHeldForDay = holdsInARow >= holdsOfDay && lastedMs >= giveUpMs
      const hasLasted = lastedMs >= maxFailingMs || (isHeldForDay && health.givenUpAt === null)
      // Another replica may have seen the channel work since: a notification that is given up is compared with the database.
      const isNews = health.failingAt === null || isGone || hasLasted || isFailed
      if (!isNews && health.lastError === reason) return
      const before = noted.get(channel.id)
      const hasSent = before?.hasSent ?? false
      // A later failure of the same batch hides neither a notification that was given up nor a receiver that is gone.
      const failure = {
        reason: before?.failure?.isGone ? before.failure.reason : reason,
        isGone: isGone || before?.failure?.isGone === true,
        isFailed: isFailed || before?.failure?.isFailed === true,
        isHeldForDay,
      }
      noted.set(channel.id, { channel, now, hasSent, failure })
    },

    noteHold(channel, untilAt, now) {
      if (untilAt - now >= shortestStoredHoldMs) holds.set(channel.id, { channel, untilAt })
    },

    async write() {
      for (const one of [...holds.values()]) {
        holds.delete(one.channel.id)
        try {
          const isWritten = await writeHold(parts, one)
          if (!isWritten && !holds.has(one.channel.id)) holds.set(one.channel.id, one)
        } catch (error) {
          log.warn({ err: error, channel: one.channel.name }, 'the rate limit of a channel could not be stored')
        }
      }
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

/** @returns false where another process has locked the channel: then it is written later */
function writeHold(
  { store }: Pick<Parameters<typeof createChannelWatch>[0], 'store'>,
  { channel, untilAt }: { channel: ChannelRecord; untilAt: number },
): Promise<boolean> {
  return store.transactDeliveries(async (tx) => {
    if (!(await tryLockChannel(tx, channel.id))) return false
    await saveHold(tx, channel, untilAt)
    return true
  })
}

/** @returns undefined where somebody else has the record in hand: then it is written later */
async function writeOne(
  { store, log, wakeFiring }: Parameters<typeof createChannelWatch>[0],
  noted: Noted,
  known: ChannelHealth,
): Promise<ChannelHealth | undefined> {
  const { channel, now, failure, hasSent } = noted
  if (failure?.isFailed && !failure.isGone && !hasSent) {
    // A thousand that are given up one after the other cost a read each, and not a write.
    const stored = await readHealth(store.db, channel.id)
    const isSaid = stored?.givenUpAt != null && stored.lastError === failure.reason
    if (isSaid && now - (stored.failingAt ?? now) < maxFailingMs) return stored
  }
  // A task may be made, so the lists of changes may grow.
  const transact = failure ? store.transactFiring : store.transactDeliveries
  const saved = await transact(async (tx) =>
    (await tryLockChannel(tx, channel.id)) ? saveNoted(tx, noted, known) : undefined,
  )
  if (!saved) return undefined
  const { before, health, isTold } = saved
  if (!failure && before.givenUpAt !== null) log.info({ channel: channel.name }, 'the channel works again')
  if (isTold) {
    log.warn({ channel: channel.name, reason: failure?.reason }, 'channel is failing; its user is told by a task')
    wakeFiring(now)
  }
  if (failure && isToSwitchOff(failure, health, now)) {
    const why = failure.isGone ? failure.reason : `it has only failed for three days (${failure.reason})`
    await store.transactFiring((tx, at) => switchOff(tx, channel, why, at, log))
    wakeFiring(now)
  }
  return health
}

const isToSwitchOff = ({ isGone }: Failure, { failingAt }: Pick<ChannelHealth, 'failingAt'>, now: number) =>
  isGone || now - (failingAt ?? now) >= maxFailingMs

async function saveNoted(
  tx: Db,
  { channel, now, hasSent, failure }: Noted,
  known: ChannelHealth,
): Promise<{ before: ChannelHealth; health: ChannelHealth; isTold: boolean }> {
  // What another replica has seen counts as well: the first failure, the last success.
  const before = (await readHealth(tx, channel.id)) ?? known
  if (!failure) {
    const health = { ...before, failingAt: null, givenUpAt: null, lastSentAt: now, lastError: null }
    await saveHealth(tx, channel.id, health)
    return { before, health, isTold: false }
  }
  // What was sent in between ends what failed before it.
  const since = hasSent ? { ...before, failingAt: null, givenUpAt: null, lastSentAt: now } : before
  const failingAt = since.failingAt ?? now
  const isGivenUp = failure.isFailed || failure.isHeldForDay
  const givenUpAt = failure.isFailed ? now : (since.givenUpAt ?? (isGivenUp ? now : null))
  const health = { ...since, failingAt, givenUpAt, lastError: failure.reason }
  await saveHealth(tx, channel.id, health)
  // One that is switched off is told by that.
  const isTold = isGivenUp && since.givenUpAt === null && !isToSwitchOff(failure, health, now)
  if (isTold) await tellFailing(tx, channel, failure, now)
  return { before, health, isTold }
}

async function tellFailing(tx: Db, channel: ChannelRecord, { isFailed, reason }: Failure, now: number) {
  const { id, name } = channel
  const what = isFailed ? 'could not deliver a notification' : 'has delivered nothing for a day'
  await addTask(tx, channel, now, {
    title: `Channel «${name}» ${what}: ${reason}`,
    description: `Other notifications may fail as well. Correct channel ${id} and test it. Then send what failed once more with POST /v1/notifications/retry and {"channel_id": ${id}}, and mark this as done.`,
  })
}

/** No more attempts, with the reason at each notification that waits, and a task that says so. */
async function switchOff(tx: Db, channel: ChannelRecord, why: string, now: number, log: Logger) {
  const { id, name } = channel
  if (!(await disableChannel(tx, id, why))) return // another replica was first
  const dropped = await cancelForChannel(tx, id, 'the channel was switched off', now)
  log.error({ channel: name, reason: why, dropped }, 'the channel is switched off')
  await addTask(tx, channel, now, {
    title: `Channel «${name}» is switched off: ${why}`,
    description: `${dropped} notifications that waited for it were dropped. Mend it, test it and switch it on again, then mark this as done.`,
  })
}

async function addTask(
  tx: Db,
  { userId }: ChannelRecord,
  now: number,
  { title, description }: { title: string; description: string },
) {
  const draft = {
    title: title.length > 500 ? `${title.slice(0, 499)}…` : title,
    description,
    expiry: { at: now },
    reminders: ['PT0S'],
    priority: 'high' as const,
  }
  const task = await insertTask(tx, newTask(draft, userId, randomUUIDv7(), { reminders: [], timeZone: 'UTC' }, now))
  recordChange(tx, { userId, taskId: task.id, kind: 'created' })
}
