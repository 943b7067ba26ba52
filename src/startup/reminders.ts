import type { Logger } from 'pino'
import { openWalk } from '#actions/recompute.ts'
import { resumeUserDeletion } from '#actions/users.ts'
import type { Clock } from '#clock.ts'
import type { Config } from '#config/config.ts'
import type { Links, Notification } from '#core/notification.ts'
import type { Metrics } from '#metrics/metrics.ts'
import type { DeliveryTimes } from '#reminders/attempts.ts'
import { createBatchSize } from '#reminders/batch-size.ts'
import type { ChannelRegistry } from '#reminders/channel-registry.ts'
import { startDeliveries } from '#reminders/deliver.ts'
import { startFiring } from '#reminders/fire.ts'
import { createHealthCheck, type ReminderHealth } from '#reminders/health.ts'
import { startHeartbeat } from '#reminders/heartbeat.ts'
import type { Loop } from '#reminders/loop.ts'
import {
  emptyTrash,
  purgeIdempotencyRecords,
  purgeTokens,
  startMaintenance,
  trimAudit,
  trimChanges,
} from '#reminders/maintenance.ts'
import { startRecompute } from '#reminders/recompute.ts'
import { startStorageWatch } from '#reminders/storage-watch.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { findStaleUsers } from '#store/recompute.ts'
import { builtInUserId } from '#store/users.ts'
import { openHeartbeatClient } from './heartbeat.ts'

export interface Reminders {
  /** Wakes the loops for a reminder or delivery that is due at this instant. */
  wake(at: number): void
  /** Called for each request: batches shrink while requests come. */
  noteRequest(): void
  checkHealth(): Promise<ReminderHealth>
  /** Computes alarms that are stale, in the background. */
  startRecompute(): void
  /** Resolves when no reminder, delivery or maintenance task is due. */
  idle(): Promise<void>
}

interface RemindersOptions {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly channels: ChannelRegistry
  readonly linksFor: (notification: Notification) => Links | null
  readonly metrics: Metrics
  readonly times: DeliveryTimes | undefined
  readonly log: Logger
}

/** Alarms computed in one transaction, for which reminders may wait: 8 ms on the embedded database, with its share of checkpoints. */
const maxRecomputeBatch = 250

/** Attempts in flight at a stop have this long to end; the others are retried after the next start. */
const graceMs = 6_000

/** Starts the loops; `stack` stops them, in reverse order. */
export function startReminders(options: RemindersOptions, stack: AsyncDisposableStack): Reminders {
  const { config, store, clock, channels, linksFor, metrics, times, log } = options
  const batchSize = createBatchSize()
  const deliveries = startDeliveries({
    store,
    clock,
    channels,
    batchSize,
    linksFor,
    wakeFiring: (at) => firing.wake(at),
    log: log.child({ component: 'deliveries' }),
    times,
    onEnded: metrics.ended,
  })
  stack.defer(() => deliveries.stop(graceMs))
  const firing = startFiring({
    store,
    clock,
    channels,
    deliveries,
    batchSize,
    log: log.child({ component: 'reminders' }),
    onFired: metrics.fired,
  })
  stack.defer(() => firing.stop())
  const maintenance = startMaintenanceTasks(options)
  stack.defer(() => maintenance.stop())
  const storageWatch = startStorageWatch({ store, clock, log: log.child({ component: 'store' }) })
  stack.defer(() => storageWatch.stop())
  const loops: Pick<Loop, 'health'>[] = [firing, deliveries]
  const checkHealth = createHealthCheck({
    db: store.db,
    storage: store.storage,
    clock,
    loops,
    requiredUserId: config.login ? null : builtInUserId,
  })
  if (config.heartbeatUrl !== '') {
    const { send } = stack.use(openHeartbeatClient(config.heartbeatUrl, clock))
    const heartbeat = startHeartbeat({ clock, check: checkHealth, send, log: log.child({ component: 'heartbeat' }) })
    stack.defer(() => heartbeat.stop())
  }

  let recompute: Loop | undefined
  return {
    startRecompute() {
      recompute = startRecomputeLoop(options, () => batchSize.current(), firing.wake)
      stack.defer(() => recompute?.stop())
      loops.push(recompute)
    },
    wake(at) {
      firing.wake(at)
      deliveries.wake(at)
    },
    noteRequest: batchSize.noteRequest,
    checkHealth,
    async idle() {
      await recompute?.idle()
      // Twice: a delivery may switch a channel off, which fires a reminder.
      for (let i = 0; i < 2; i++) {
        await firing.idle()
        await deliveries.idle()
      }
      await maintenance.idle()
    },
  }
}

function startMaintenanceTasks({ config, store, clock, log }: RemindersOptions): Loop {
  return startMaintenance({
    clock,
    maintenanceTasks: [
      emptyTrash(store, config.trashDays),
      trimChanges(store),
      purgeIdempotencyRecords(store),
      purgeTokens(store),
      trimAudit(store),
      { name: 'users', run: () => resumeUserDeletion(store) },
    ],
    log: log.child({ component: 'maintenance' }),
    isPermanent: (error) => isDamage(store.db, error),
  })
}

function startRecomputeLoop(
  { store, clock, log }: RemindersOptions,
  batchSize: () => number,
  wake: (at: number) => void,
): Loop {
  const walkStore = { db: store.db, transact: store.transactApart }
  const limit = () => Math.min(batchSize(), maxRecomputeBatch)
  return startRecompute({
    clock,
    log: log.child({ component: 'recompute' }),
    async findWalks() {
      const userIds = await findStaleUsers(store.db)
      return userIds.map((id) => openWalk({ store: walkStore, limit, wake }, id))
    },
  })
}
