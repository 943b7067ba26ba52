import { randomUUIDv7 } from 'node:crypto'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { kindAt, type Notice } from '#core/notice.ts'
import { type Defaults, ring } from '#core/reminder.ts'
import { recordChange } from '#store/changes.ts'
import { type Claim, insertDeliveries } from '#store/deliveries.ts'
import { insertNotices } from '#store/notices.ts'
import type { Store } from '#store/open.ts'
import type { Db } from '#store/schema.ts'
import * as tasks from '#store/tasks.ts'
import type { Deliveries } from './deliver.ts'
import { type Loop, startLoop } from './loop.ts'

/**
 * Due tasks become notices with a delivery for each channel. One transaction a batch:
 *
 *   1. the tasks whose alarm has come, the longest due first
 *   2. each alarm is set to the next instant or null, if it still stands where it was seen
 *   3. a notice each; one that was rung before for this instant is left out
 *   4. a delivery each for every channel: claimed for this process as far as the channel has room, the rest due at once
 *   5. a line each in the list of changes, for those who follow it
 *
 * Knows nothing of how a channel sends, and waits for none.
 */
const batchSize = 1_000
/** A task that cannot be rung (a damaged row) is looked at again after this, so that it holds up nobody behind it. */
const setAsideMs = 60_000

export function startRinging(parts: {
  store: Store
  clock: Clock
  defaults: Defaults
  deliveries: Deliveries
  log: Logger
  /** Told of what has rung, after the COMMIT. */
  onRung?: (notices: readonly Notice[]) => void
}): Loop {
  const { store, clock, deliveries } = parts
  return startLoop('ring', {
    clock,
    log: parts.log,
    nextAt: () => tasks.nextAlarmAt(store.db),
    async work() {
      let batch: Batch | undefined
      try {
        await store.transactRing(async (tx, now) => {
          batch = await ringBatch(tx, now, parts, store.edition())
        })
      } catch (error) {
        // The answer to the COMMIT may be all that was lost: then what it claimed would wait for the end of its lease.
        deliveries.giveBack(batch?.claims ?? [])
        throw error
      }
      const { rung, notices, claims, hasUnclaimed } = batch as unknown as Batch
      deliveries.accept(claims)
      parts.onRung?.(notices)
      if (hasUnclaimed) deliveries.wake(clock.now())
      return rung
    },
  })
}

interface Batch {
  readonly rung: number
  readonly notices: readonly Notice[]
  readonly claims: Claim[]
  readonly hasUnclaimed: boolean
}

async function ringBatch(
  tx: Db,
  now: number,
  { defaults, deliveries, log }: { defaults: Defaults; deliveries: Deliveries; log: Logger },
  edition: number,
): Promise<Batch> {
  const due = await tasks.dueTasks(tx, now, batchSize)
  const taskOf = new Map(due.map((task) => [task.id, task]))
  const alarms: Parameters<typeof tasks.moveAlarms>[1][number][] = []
  const notices: Omit<Notice, 'id'>[] = []
  for (const task of due) {
    try {
      const { notice, notifyAt, rungUntilAt } = ring(task, defaults, now)
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

  const claims: Claim[] = []
  const rows: Parameters<typeof insertDeliveries>[1][number][] = []
  const written = await insertNotices(tx, notices)
  const leaseUntil = now + deliveries.leaseMs
  let hasUnclaimed = false
  for (const { channelId, ownerId, room } of deliveries.lanes()) {
    let left = room
    for (const notice of written) {
      if (notice.ownerId !== ownerId) continue
      const id = randomUUIDv7()
      if (left-- > 0) {
        rows.push({ id, channelId, notice, attempt: 1, nextAt: leaseUntil })
        const task = taskOf.get(notice.taskId)
        const seen = task && { seen: { task, edition } }
        claims.push({ id, channelId, attempt: 1, backoffFrom: 0, leaseUntil, notice, ...seen })
      } else {
        rows.push({ id, channelId, notice, attempt: 0, nextAt: now })
        hasUnclaimed = true
      }
    }
  }
  await insertDeliveries(tx, rows, now)
  for (const { id, ownerId, taskId } of written) recordChange(tx, { ownerId, taskId, kind: 'rung', noticeId: id })
  return { rung: due.length, notices: written, claims, hasUnclaimed }
}
