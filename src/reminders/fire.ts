import { randomUUIDv7 } from 'node:crypto'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { type ChannelRecord, wantsNotification } from '#core/channel.ts'
import { kindAt, type Notification } from '#core/notification.ts'
import { fire } from '#core/reminder.ts'
import { freshen } from '#core/stale-alarm.ts'
import type { Task } from '#core/task.ts'
import { recordChange } from '#store/changes.ts'
import { type Claim, nextGroupAt } from '#store/claims.ts'
import { insertCancelled, insertDeliveries } from '#store/deliveries.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { insertNotifications } from '#store/notifications.ts'
import { dueIds, dueTask, nextReadableAlarmAt, readableDueTasks } from '#store/readable-tasks.ts'
import type { Db } from '#store/schema.ts'
import * as tasks from '#store/tasks.ts'
import type { BatchSize } from './batch-size.ts'
import type { ChannelSet, Setup } from './channel-registry.ts'
import type { Deliveries } from './deliver.ts'
import { type Loop, startLoop } from './loop.ts'
import { createSetAside } from './set-aside.ts'

/**
 * Due tasks become notifications with a delivery for each channel. One transaction a batch:
 *
 *   1. the tasks whose alarm has come, the longest due first
 *   2. each alarm is set to the next instant or null, if it still stands where it was seen
 *   3. a notification each; one that was fired before for this instant is left out
 *   4. a delivery each for every channel that it is for: claimed for this process as far as the channel has room, the rest due at once,
 *      or later where the channel gathers or its user wants quiet; settled at once where the channel is switched off
 *   5. a line each in the list of changes, for those who follow it
 *
 * A batch that meets a damaged page is fired task by task: those that cannot be read are set aside, and all others ring.
 *
 * Knows nothing of how a channel sends, and waits a few ms at most for the fastest.
 */
/** A task that cannot be fired (a damaged row) is looked at again after this, so that it holds up nobody behind it. */
const setAsideMs = 60_000

interface Parts {
  store: Store
  clock: Clock
  channels: ChannelSet
  deliveries: Deliveries
  batchSize: BatchSize
  log: Logger
  /** Told of what has fired, after the COMMIT. */
  onFired?: (notifications: readonly Notification[]) => void
}

export function startFiring(parts: Parts): Loop {
  const { store, clock, deliveries, batchSize, log } = parts
  const aside = createSetAside()

  async function fireTasks(read: (tx: Db, now: number) => Promise<Task[]>): Promise<number> {
    let batch: Batch | undefined
    try {
      await store.transactFiring(async (tx, now) => {
        batch = await fireBatch(tx, now, await read(tx, now), { ...parts, commitSequence: store.commitSequence() })
      })
    } catch (error) {
      // The answer to the COMMIT may be all that was lost: then what it claimed would wait for the end of its lease.
      deliveries.giveBack(batch?.claims ?? [])
      throw error
    }
    const { fired, notifications, claims, unclaimedAt } = batch as unknown as Batch
    deliveries.accept(claims)
    parts.onFired?.(notifications)
    if (unclaimedAt !== null) deliveries.wake(unclaimedAt)
    return fired
  }

  /** Each in a transaction of its own: a thousand take 0.2 s, once, since those that fail are left out from then on. */
  async function fireOneByOne(): Promise<number> {
    const now = clock.now()
    const ids = await dueIds(store.db, now, batchSize.maxConcurrent(), aside.ids(now))
    const found: number[] = []
    let lastError: unknown
    for (const id of ids)
      try {
        await fireTasks((tx, now) => dueTask(tx, now, id))
      } catch (error) {
        if (!isDamage(store.db, error)) throw error
        lastError = error
        if (aside.add(id, clock.now())) found.push(id)
      }
    if (found.length > 0)
      log.error(
        { err: lastError, count: found.length, tasks: found.slice(0, maxNamed) },
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
      // What is fired before a channel that keeps up has sent the last is claimed in a transaction of its own, at half as much again.
      await deliveries.capacitySoon(batchSize.maxConcurrent())
      try {
        return await fireTasks((tx, now) => readableDueTasks(tx, now, batchSize.maxConcurrent(), aside.ids(now)))
      } catch (error) {
        if (!isDamage(store.db, error)) throw error
        return fireOneByOne()
      }
    },
  })
}

/** Of damaged tasks in a line of the log. */
const maxNamed = 20

interface Batch {
  readonly fired: number
  readonly notifications: readonly Notification[]
  readonly claims: Claim[]
  /** When the first of the deliveries is due that nobody has claimed, in ms. */
  readonly unclaimedAt: number | null
}

async function fireBatch(
  tx: Db,
  now: number,
  due: readonly Task[],
  {
    channels,
    deliveries,
    log,
    commitSequence,
  }: Pick<Parts, 'channels' | 'deliveries' | 'log'> & { commitSequence: number },
): Promise<Batch> {
  // After the tasks are locked: whoever has changed what they go by computes them anew, and waits for us or we for him.
  const setup = await channels.setup(tx)
  const taskOf = new Map(due.map((task) => [task.id, task]))
  const alarms: Parameters<typeof tasks.moveAlarms>[1][number][] = []
  const notifications: Omit<Notification, 'id'>[] = []
  for (const task of due) {
    try {
      const settings = setup.settingsOf(task.userId)
      const { notification, notifyAt, firedUntilAt } = fire(freshen(task, settings, now), settings.defaults, now)
      alarms.push({ id: task.id, seenAt: task.notifyAt, notifyAt, firedUntilAt })
      if (!notification || task.expiryAt === null) continue
      const { dueAt, timing, latenessMs } = notification
      const reminder = notification.reminder === 'snooze' ? null : notification.reminder
      const { id: taskId, userId, expiryAt } = task
      const kind = kindAt(reminder, expiryAt, now)
      notifications.push({ userId, taskId, kind, reminder, expiryAt, dueAt, firedAt: now, timing, latenessMs })
    } catch (error) {
      log.error({ err: error, task: task.id }, 'a task cannot be fired; set aside for a minute')
      const { id, notifyAt, firedUntilAt } = task
      alarms.push({ id, seenAt: notifyAt, notifyAt: now + setAsideMs, firedUntilAt })
    }
  }
  await tasks.moveAlarms(tx, alarms)

  const written = await insertNotifications(tx, notifications)
  const { claims, unclaimedAt } = await planDeliveries(tx, now, { written, taskOf, commitSequence, setup, deliveries })
  for (const { id, userId, taskId } of written) recordChange(tx, { userId, taskId, kind: 'fired', notificationId: id })
  return { fired: due.length, notifications: written, claims, unclaimedAt }
}

const firstClaim = { attempt: 1, backoffFrom: 0, tryingSinceAt: null, groupId: null, repeats: 0 }

async function planDeliveries(
  tx: Db,
  now: number,
  {
    written,
    taskOf,
    commitSequence,
    setup,
    deliveries,
  }: {
    written: readonly Notification[]
    taskOf: ReadonlyMap<number, Task>
    commitSequence: number
    setup: Setup
    deliveries: Deliveries
  },
): Promise<Pick<Batch, 'claims' | 'unclaimedAt'>> {
  const claims: Claim[] = []
  const rows: Parameters<typeof insertDeliveries>[1][number][] = []
  const dropped: Parameters<typeof insertCancelled>[1][number][] = []
  const leaseUntil = now + deliveries.leaseMs
  let unclaimedAt: number | null = null
  const notificationsOf = Map.groupBy(written, ({ userId }) => userId)
  for (const channel of [...notificationsOf.keys()].flatMap((userId) => setup.channelsOf(userId))) {
    const theirs = notificationsOf.get(channel.userId) ?? []
    const channelId = channel.id
    const leavesAt = await groupInstant(tx, channel, now)
    let left = leavesAt > now ? 0 : deliveries.room(channelId)
    for (const notification of theirs) {
      const task = taskOf.get(notification.taskId)
      if (!task || !wantsNotification(channel, notification, task)) continue
      const id = randomUUIDv7()
      if (!channel.isEnabled) {
        dropped.push({ id, channelId, notification, reason: 'the channel is switched off' })
        continue
      }
      const deliverAt = channel.ignoresQuietHours
        ? now
        : setup.deliverAt(notification.userId, notification.expiryAt, now)
      if (deliverAt <= now && left-- > 0) {
        rows.push({ id, channelId, notification, attempt: 1, nextAt: leaseUntil })
        const seen = { task, commitSequence }
        claims.push({ ...firstClaim, id, channelId, dueAt: now, leaseUntil, notification, seen })
      } else {
        const nextAt = Math.max(deliverAt, leavesAt)
        rows.push({ id, channelId, notification, attempt: 0, nextAt })
        unclaimedAt = Math.min(unclaimedAt ?? nextAt, nextAt)
      }
    }
  }
  await insertDeliveries(tx, rows, now)
  await insertCancelled(tx, dropped, now)
  return { claims, unclaimedAt }
}

/** When what rings now leaves a channel that gathers: with what waits already, or as the first of the next message. Others: now. */
async function groupInstant(tx: Db, { id, groupWaitMs, isEnabled }: ChannelRecord, now: number): Promise<number> {
  if (groupWaitMs === null || !isEnabled) return now
  return (await nextGroupAt(tx, id, now, groupWaitMs)) ?? now + groupWaitMs
}
