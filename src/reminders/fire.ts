import { randomUUIDv7 } from 'node:crypto'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { type ChannelRecord, isFor } from '#core/channel.ts'
import { kindAt, type Notice } from '#core/notification.ts'
import { ring } from '#core/reminder.ts'
import type { Task } from '#core/task.ts'
import { recordChange } from '#store/changes.ts'
import { type Claim, groupLeavesAt, insertDeliveries, insertDropped } from '#store/deliveries.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { insertNotices } from '#store/notifications.ts'
import { dueIds, dueTask, nextReadableAlarmAt, readableDueTasks } from '#store/readable-tasks.ts'
import type { Db } from '#store/schema.ts'
import * as tasks from '#store/tasks.ts'
import type { Pace } from './batch-size.ts'
import type { ChannelSet, Setup } from './channel-registry.ts'
import type { Deliveries } from './deliver.ts'
import { type Loop, startLoop } from './loop.ts'
import { createSetAside } from './set-aside.ts'

/**
 * Due tasks become notices with a delivery for each channel. One transaction a batch:
 *
 *   1. the tasks whose alarm has come, the longest due first
 *   2. each alarm is set to the next instant or null, if it still stands where it was seen
 *   3. a notice each; one that was rung before for this instant is left out
 *   4. a delivery each for every channel that it is for: claimed for this process as far as the channel has room, the rest due at once,
 *      or later where the channel gathers or its owner wants quiet; settled at once where the channel is switched off
 *   5. a line each in the list of changes, for those who follow it
 *
 * A batch that meets a damaged page is rung task by task: those that cannot be read are set aside, and all others ring.
 *
 * Knows nothing of how a channel sends, and waits a few ms at most for the fastest.
 */
/** A task that cannot be rung (a damaged row) is looked at again after this, so that it holds up nobody behind it. */
const setAsideMs = 60_000

interface Parts {
  store: Store
  clock: Clock
  channels: ChannelSet
  deliveries: Deliveries
  pace: Pace
  log: Logger
  /** Told of what has rung, after the COMMIT. */
  onRung?: (notices: readonly Notice[]) => void
}

export function startRinging(parts: Parts): Loop {
  const { store, clock, deliveries, pace, log } = parts
  const aside = createSetAside()

  async function ringTasks(read: (tx: Db, now: number) => Promise<Task[]>): Promise<number> {
    let batch: Batch | undefined
    try {
      await store.transactRing(async (tx, now) => {
        batch = await ringBatch(tx, now, await read(tx, now), { ...parts, edition: store.edition() })
      })
    } catch (error) {
      // The answer to the COMMIT may be all that was lost: then what it claimed would wait for the end of its lease.
      deliveries.giveBack(batch?.claims ?? [])
      throw error
    }
    const { rung, notices, claims, unclaimedAt } = batch as unknown as Batch
    deliveries.accept(claims)
    parts.onRung?.(notices)
    if (unclaimedAt !== null) deliveries.wake(unclaimedAt)
    return rung
  }

  /** Each in a transaction of its own: a thousand take 0.2 s, once, since those that fail are left out from then on. */
  async function ringOneByOne(): Promise<number> {
    const now = clock.now()
    const ids = await dueIds(store.db, now, pace.mostAtOnce(), aside.ids(now))
    const found: number[] = []
    let lastError: unknown
    for (const id of ids)
      try {
        await ringTasks((tx, now) => dueTask(tx, now, id))
      } catch (error) {
        if (!isDamage(store.db, error)) throw error
        lastError = error
        if (aside.add(id, clock.now())) found.push(id)
      }
    if (found.length > 0)
      log.error(
        { err: lastError, count: found.length, tasks: found.slice(0, mostNamed) },
        'tasks cannot fire, since the database is damaged; all others do',
      )
    return ids.length
  }

  return startLoop('ring', {
    clock,
    log,
    async nextAt() {
      const now = clock.now()
      const next = (await nextReadableAlarmAt(store.db, aside.ids(now))) ?? Number.POSITIVE_INFINITY
      return Math.min(next, aside.nextAt(now))
    },
    async work() {
      // What is rung before a channel that keeps up has sent the last is claimed in a transaction of its own, at half as much again.
      await deliveries.roomSoon(pace.mostAtOnce())
      try {
        return await ringTasks((tx, now) => readableDueTasks(tx, now, pace.mostAtOnce(), aside.ids(now)))
      } catch (error) {
        if (!isDamage(store.db, error)) throw error
        return ringOneByOne()
      }
    },
  })
}

/** Of damaged tasks in a line of the log. */
const mostNamed = 20

interface Batch {
  readonly rung: number
  readonly notices: readonly Notice[]
  readonly claims: Claim[]
  /** When the first of the deliveries is due that nobody has claimed, in ms. */
  readonly unclaimedAt: number | null
}

async function ringBatch(
  tx: Db,
  now: number,
  due: readonly Task[],
  { channels, deliveries, log, edition }: Pick<Parts, 'channels' | 'deliveries' | 'log'> & { edition: number },
): Promise<Batch> {
  // After the tasks are locked: whoever has changed what they go by computes them anew, and waits for us or we for him.
  const setup = await channels.setup(tx)
  const taskOf = new Map(due.map((task) => [task.id, task]))
  const alarms: Parameters<typeof tasks.moveAlarms>[1][number][] = []
  const notices: Omit<Notice, 'id'>[] = []
  for (const task of due) {
    try {
      const { notice, notifyAt, rungUntilAt } = ring(task, setup.defaultsOf(task.ownerId), now)
      alarms.push({ id: task.id, seenAt: task.notifyAt, notifyAt, rungUntilAt })
      if (!notice || task.expiryAt === null) continue
      const { dueAt, timing, latenessMs } = notice
      const reminder = notice.reminder === 'snooze' ? null : notice.reminder
      const { id: taskId, ownerId, expiryAt } = task
      const kind = kindAt(reminder, expiryAt, now)
      notices.push({ ownerId, taskId, kind, reminder, expiryAt, dueAt, rungAt: now, timing, latenessMs })
    } catch (error) {
      log.error({ err: error, task: task.id }, 'a task cannot be rung; set aside for a minute')
      const { id, notifyAt, rungUntilAt } = task
      alarms.push({ id, seenAt: notifyAt, notifyAt: now + setAsideMs, rungUntilAt })
    }
  }
  await tasks.moveAlarms(tx, alarms)

  const written = await insertNotices(tx, notices)
  const { claims, unclaimedAt } = await planDeliveries(tx, now, { written, taskOf, edition, setup, deliveries })
  for (const { id, ownerId, taskId } of written) recordChange(tx, { ownerId, taskId, kind: 'rung', noticeId: id })
  return { rung: due.length, notices: written, claims, unclaimedAt }
}

const firstClaim = { attempt: 1, backoffFrom: 0, tryingSinceAt: null, groupId: null, repeats: 0 }

async function planDeliveries(
  tx: Db,
  now: number,
  {
    written,
    taskOf,
    edition,
    setup,
    deliveries,
  }: {
    written: readonly Notice[]
    taskOf: ReadonlyMap<number, Task>
    edition: number
    setup: Setup
    deliveries: Deliveries
  },
): Promise<Pick<Batch, 'claims' | 'unclaimedAt'>> {
  const claims: Claim[] = []
  const rows: Parameters<typeof insertDeliveries>[1][number][] = []
  const dropped: Parameters<typeof insertDropped>[1][number][] = []
  const leaseUntil = now + deliveries.leaseMs
  let unclaimedAt: number | null = null
  const noticesOf = Map.groupBy(written, ({ ownerId }) => ownerId)
  for (const channel of [...noticesOf.keys()].flatMap((ownerId) => setup.channelsOf(ownerId))) {
    const theirs = noticesOf.get(channel.ownerId) ?? []
    const channelId = channel.id
    const leavesAt = await groupInstant(tx, channel, now)
    let left = leavesAt > now ? 0 : deliveries.room(channelId)
    for (const notice of theirs) {
      const task = taskOf.get(notice.taskId)
      if (!task || !isFor(channel, notice, task)) continue
      const id = randomUUIDv7()
      if (!channel.isEnabled) {
        dropped.push({ id, channelId, notice, reason: 'the channel is switched off' })
        continue
      }
      const tellAt = channel.ignoresQuietHours ? now : setup.tellAt(notice.ownerId, notice.expiryAt, now)
      if (tellAt <= now && left-- > 0) {
        rows.push({ id, channelId, notice, attempt: 1, nextAt: leaseUntil })
        const seen = { task, edition }
        claims.push({ ...firstClaim, id, channelId, dueAt: now, leaseUntil, notice, seen })
      } else {
        const nextAt = Math.max(tellAt, leavesAt)
        rows.push({ id, channelId, notice, attempt: 0, nextAt })
        unclaimedAt = Math.min(unclaimedAt ?? nextAt, nextAt)
      }
    }
  }
  await insertDeliveries(tx, rows, now)
  await insertDropped(tx, dropped, now)
  return { claims, unclaimedAt }
}

/** When what rings now leaves a channel that gathers: with what waits already, or as the first of the next message. Others: now. */
async function groupInstant(tx: Db, { id, groupWaitMs, isEnabled }: ChannelRecord, now: number): Promise<number> {
  if (groupWaitMs === null || !isEnabled) return now
  return (await groupLeavesAt(tx, id, now, groupWaitMs)) ?? now + groupWaitMs
}
