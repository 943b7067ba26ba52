import type { Clock } from '#clock.ts'
import type { Notification } from '#core/notification.ts'
import type { Backlog } from '#store/backlog.ts'
import type { DeliveryResult } from '#store/claims.ts'
import type { FaultKind } from '#store/engine/storage.ts'
import { channelCounters, createCounters, type RefusalReason, requestDurations } from './counters.ts'
import { expose } from './exposition.ts'
import { backlogFamilies, reminderFamilies, serverFamilies } from './families.ts'

/**
 * The metrics of the server, as the text that Prometheus reads.
 *
 *   reminders, deliveries, store, http ──report──▶ counters ──┐
 *   database ◀──read, every 5 s at most── backlog ────────────┴─▶ text()
 *
 * Every notification and request makes a report: it adds to existing numbers, and neither waits nor throws. No label holds a text that a
 * user wrote, and each has few values.
 */
export interface Metrics {
  /** Starts the counters of a channel at zero when it opens, and not with its first failure. */
  openChannel(id: number, kind: string): void
  fired(notifications: readonly Notification[]): void
  /** Counts an attempt that ended, or a delivery that was cancelled before one. @param at ms since 1970 */
  ended(result: DeliveryResult, at: number): void
  /** Counts a committed transaction. @param writes how many shared it */
  committed(writes: number, ms: number): void
  /** Counts an answered request. @param route the pattern of the router, never the requested path */
  answered(method: string, route: string, status: number, ms: number): void
  /** Counts a request that was refused unread, or a connection that was closed. */
  refused(reason: RefusalReason): void
  text(): Promise<string>
}

/** The backlog is read this rarely: a client that polls in a loop must not keep the database busy. */
const backlogMs = 5_000

export interface MetricsDeps {
  readonly version: string
  readonly clock: Clock
  /** Reads the backlog of these channels. Rejects if the database is away. */
  readonly backlog: (channelIds: readonly number[]) => Promise<Backlog>
  /** The fault that keeps the database from storing, or null. */
  readonly fault: () => FaultKind | null
}

export function createMetrics({ version, clock, backlog, fault }: MetricsDeps): Metrics {
  const counters = createCounters()
  let lastRead: { readonly at: number; readonly backlog: Promise<Backlog> } | undefined

  function readBacklog(): Promise<Backlog> {
    const now = clock.now()
    if (!lastRead || Math.abs(now - lastRead.at) >= backlogMs)
      lastRead = { at: now, backlog: backlog([...counters.channels.keys()]) }
    return lastRead.backlog
  }

  return {
    openChannel: (id, kind) => channelCounters(counters, id, kind),
    fired(notifications) {
      for (const { kind, timing, latenessMs } of notifications) {
        counters.fired[kind][timing]++
        counters.firedLateness.observe(latenessMs / 1_000)
      }
    },
    ended({ claim, state, latencyMs }, at) {
      const { results, ofKind } = channelCounters(counters, claim.channelId, 'unknown')
      results[state === 'pending' ? 'retried' : state]++
      if (latencyMs !== null) ofKind.duration.observe(latencyMs / 1_000)
      // Measured from when it could first fire: a reminder that was due already when it was accepted could not fire earlier.
      const { firedAt, latenessMs } = claim.notification
      if (state === 'sent') ofKind.lateness.observe(Math.max(0, at - firedAt + latenessMs) / 1_000)
    },
    committed(count, ms) {
      counters.writes += count
      counters.transactions.observe(ms / 1_000)
    },
    answered(method, route, status, ms) {
      requestDurations(counters, route, method, Math.floor(status / 100)).observe(ms / 1_000)
    },
    refused(reason) {
      counters.refused[reason]++
    },
    async text() {
      const known = await readBacklog().catch(() => undefined)
      return expose([
        ...reminderFamilies(counters),
        ...(known ? backlogFamilies(counters, known) : []),
        ...serverFamilies(counters, { version, isDatabaseUp: known !== undefined, fault: fault() }),
      ])
    },
  }
}
