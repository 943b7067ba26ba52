import { randomUUIDv7 } from 'node:crypto'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { type ChannelRecord, wantsNotification } from '#core/channel.ts'
import { kindAt, type Notification } from '#core/notification.ts'
import { fire } from '#core/reminder.ts'
import { freshen } from '#core/stale-alarm.ts'
import type { Task } from '#core/task.ts'
import { moveAlarms } from '#store/alarms.ts'
import { recordChange } from '#store/changes.ts'
import { type Claim, nextGroupAt } from '#store/claims.ts'
import { insertCancelled, insertDeliveries } from '#store/deliveries.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { moveExpiries } from '#store/moved-expiries.ts'
import { insertNotifications } from '#store/notifications.ts'
import { dueIds, dueTask, nextReadableAlarmAt, readableDueTasks } from '#store/readable-tasks.ts'
import type { Db } from '#store/schema.ts'
import type { BatchSize } from './batch-size.ts'
import type { ChannelRegistry, ChannelSnapshot } from './channel-registry.ts'
import type { Deliveries } from './deliver.ts'
import { type Loop, startLoop } from './loop.ts'
import { createSetAside } from './set-aside.ts'

/** A task that cannot fire (a damaged row) is tried again after this, so that it does not block the tasks behind it. */
const setAsideMs = 60_000

interface FiringDeps {
  store: Store
  clock: Clock
  channels: ChannelRegistry
  deliveries: Deliveries
  batchSize: BatchSize
  log: Logger
  /** Called with the new notifications, after the COMMIT. */
  onFired?: (notifications: readonly Notification[]) => void
}

/**
 * Turns due tasks into notifications, with a delivery for each channel. One transaction for each batch:
 *
 *   1. read the tasks whose alarm is due, the oldest first
 *   2. set each alarm to its next instant or null, unless it has moved since it was read
 *   3. insert a notification for each task, unless one fired before for this instant
 *   4. insert a delivery for each of its channels: claimed for this process as far as the channel has capacity, the others due at once;
 *      later for a channel that groups messages and in quiet hours; cancelled at once for a channel that is switched off
 *   5. record a change for each, for the change stream
 *
 * A batch that meets a damaged page fires task by task: unreadable tasks are set aside, and all others fire.
 *
 * The loop knows nothing of how a channel sends, and waits a few ms at most for the fastest one.
 */
export function startFiring(deps: FiringDeps): Loop {
  const { store, clock, deliveries, batchSize, log } = deps
  const aside = createSetAside()

  async function fireTasks(read: (tx: Db, now: number) => Promise<Task[]>): Promise<number> {
    let batch: Batch | undefined
    try {
      batch = await store.transactFiring(
        async (tx, now) =>
          (batch = await fireBatch(tx, now, await read(tx, now), { ...deps, commitSequence: store.commitSequence() })),
      )
    } catch (error) {
      // The COMMIT may have succeeded, and only its answer was lost: then these claims would wait for the end of their lease.
      deliveries.release(batch?.claims ?? [])
      throw error
    }
    const { fired, notifications, claims, unclaimedAt } = batch
    deliveries.accept(claims)
    deps.onFired?.(notifications)
    if (unclaimedAt !== null) deliveries.wake(unclaimedAt)
    return fired
  }

  /** Fires each task in its own transaction. A thousand take 0.2 s, once: tasks that fail are left out from then on. */
  async function fireOneByOne(): Promise<number> {
    const now = clock.now()
    const ids = await dueIds(store.db, now, batchSize.current(), aside.ids(now))
    const damaged: number[] = []
    let lastError: unknown
    for (const id of ids)
      try {
        await fireTasks((tx, now) => dueTask(tx, now, id))
      } catch (error) {
        if (!isDamage(store.db, error)) throw error
        lastError = error
        if (aside.add(id, clock.now())) damaged.push(id)
      }
    if (damaged.length > 0)
      log.error(
        { err: lastError, count: damaged.length, tasks: damaged.slice(0, maxLoggedIds) },
        'tasks cannot fire, since the database is damaged; all others do',
      )
    return ids.length
  }

  return startLoop('reminders', {
    clock,
    log,
    async nextAt() {
      const now = clock.now()
      const next = (await nextReadableAlarmAt(store.db, aside.ids(now))) ?? Number.POSITIVE_INFINITY
      return Math.min(next, aside.nextAt(now))
    },
    async work() {
      // Without capacity, the deliveries are claimed later, in a transaction of their own that costs half as much again.
      await deliveries.waitForCapacity(batchSize.current())
      try {
        return await fireTasks((tx, now) => readableDueTasks(tx, now, batchSize.current(), aside.ids(now)))
      } catch (error) {
        if (!isDamage(store.db, error)) throw error
        return fireOneByOne()
      }
    },
  })
}

/** Damaged tasks that one log line names. */
const maxLoggedIds = 20

interface Batch {
  readonly fired: number
  readonly notifications: readonly Notification[]
  readonly claims: readonly Claim[]
  /** When the first unclaimed delivery is due, in ms since 1970; null if there is none. */
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
  }: Pick<FiringDeps, 'channels' | 'deliveries' | 'log'> & { commitSequence: number },
): Promise<Batch> {
  // Read after the tasks are locked: a change of settings recomputes them, and one of the two transactions waits for the other.
  const snapshot = await channels.snapshot(tx)
  const taskOf = new Map(due.map((task) => [task.id, task]))
  const alarms: Parameters<typeof moveAlarms>[1][number][] = []
  const notifications: Omit<Notification, 'id'>[] = []
  const moved: Parameters<typeof moveExpiries>[1][number][] = []
  for (const stored of due) {
    try {
      const settings = snapshot.settingsOf(stored.userId)
      const task = freshen(stored, settings, now)
      const { notification, notifyAt, firedUntilAt } = fire(task, settings.defaults, now)
      alarms.push({ id: task.id, seenAt: stored.notifyAt, notifyAt, firedUntilAt })
      if (stored.expiryAt !== null && task.expiryAt !== null && stored.expiryAt !== task.expiryAt) {
        moved.push({ id: task.id, from: stored.expiryAt, to: task.expiryAt, version: task.version })
        taskOf.set(task.id, { ...task, version: task.version + 1, updatedAt: now })
      }
      if (!notification || task.expiryAt === null) continue
      const { dueAt, timing, latenessMs } = notification
      const reminder = notification.reminder === 'snooze' ? null : notification.reminder
      const { id: taskId, userId, expiryAt } = task
      const kind = kindAt(reminder, expiryAt, now)
      notifications.push({ userId, taskId, kind, reminder, expiryAt, dueAt, firedAt: now, timing, latenessMs })
    } catch (error) {
      log.error({ err: error, task: stored.id }, 'a task cannot fire; set aside for a minute')
      const { id, notifyAt, firedUntilAt } = stored
      alarms.push({ id, seenAt: notifyAt, notifyAt: now + setAsideMs, firedUntilAt })
    }
  }
  await moveAlarms(tx, alarms)
  await moveExpiries(tx, moved, now)

  const written = await insertNotifications(tx, notifications)
  const { claims, unclaimedAt } = await planDeliveries(tx, now, {
    written,
    taskOf,
    snapshot,
    deliveries,
    commitSequence,
  })
  for (const { id } of moved) {
    const task = taskOf.get(id)
    if (task) recordChange(tx, { userId: task.userId, taskId: id, kind: 'updated' })
  }
  for (const { id, userId, taskId } of written) recordChange(tx, { userId, taskId, kind: 'fired', notificationId: id })
  return { fired: due.length, notifications: written, claims, unclaimedAt }
}

const firstClaim = { attempt: 1, backoffFrom: 0, tryingSinceAt: null, groupId: null, repeats: 0 }

interface Plan {
  readonly written: readonly Notification[]
  readonly taskOf: ReadonlyMap<number, Task>
  readonly snapshot: ChannelSnapshot
  readonly deliveries: Deliveries
  readonly commitSequence: number
}

async function planDeliveries(
  tx: Db,
  now: number,
  { written, taskOf, snapshot, deliveries, commitSequence }: Plan,
): Promise<Pick<Batch, 'claims' | 'unclaimedAt'>> {
  const claims: Claim[] = []
  const rows: Parameters<typeof insertDeliveries>[1][number][] = []
  const cancelled: Parameters<typeof insertCancelled>[1][number][] = []
  const leaseUntil = now + deliveries.leaseMs
  let unclaimedAt: number | null = null
  const notificationsOf = Map.groupBy(written, ({ userId }) => userId)
  for (const channel of [...notificationsOf.keys()].flatMap((userId) => snapshot.channelsOf(userId))) {
    const theirs = notificationsOf.get(channel.userId) ?? []
    const channelId = channel.id
    const leavesAt = await nextMessageAt(tx, channel, now)
    let left = leavesAt > now ? 0 : deliveries.capacity(channelId)
    for (const notification of theirs) {
      const task = taskOf.get(notification.taskId)
      if (!task || !wantsNotification(channel, notification, task)) continue
      const id = randomUUIDv7()
      if (!channel.isEnabled) {
        cancelled.push({ id, channelId, notification, reason: 'the channel is switched off' })
        continue
      }
      const deliverAt = channel.ignoresQuietHours
        ? now
        : snapshot.deliverAt(notification.userId, notification.expiryAt, now)
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
  await insertCancelled(tx, cancelled, now)
  return { claims, unclaimedAt }
}

/** When a channel that groups messages sends the next one, which new notifications join or begin. Other channels: now. */
async function nextMessageAt(tx: Db, { id, groupWaitMs, isEnabled }: ChannelRecord, now: number): Promise<number> {
  if (groupWaitMs === null || !isEnabled) return now
  return (await nextGroupAt(tx, id, now, groupWaitMs)) ?? now + groupWaitMs
}
