import type { Clock } from '#clock.ts'
import {
  type Notification,
  type NotificationKind,
  notificationKinds,
  type Timing,
  timings,
} from '#core/notification.ts'
import { type Backlog, maxPending, newestDeliveries } from '#store/backlog.ts'
import type { DeliveryResult } from '#store/claims.ts'
import { type FaultKind, faultKinds } from '#store/engine/storage.ts'
import { expose, type Family, type Sample } from './exposition.ts'
import { Histogram } from './histogram.ts'

/**
 * What the rooms report while they work, and what the database tells when somebody asks, as the text that Prometheus reads.
 *
 *   ring, deliver, store, http ──report──▶ numbers here ──┐
 *   database ◀──ask, every 5 s at most── backlog ─────────┴─▶ text()
 *
 * A report is on the way of every notification and request: it adds to numbers that are there already, and neither waits nor throws. No label
 * is anything that a person has written, and each has few values.
 */
export interface Metrics {
  /** A channel has been opened: its counters begin at zero then, and not with the first thing that goes wrong. */
  openChannel(id: number, kind: string): void
  fired(notifications: readonly Notification[]): void
  /** An attempt has ended, or a notification was cancelled before one. @param at ms since 1970 */
  ended(settled: DeliveryResult, at: number): void
  /** A transaction of the database has ended well. @param writes how many shared it */
  committed(writes: number, ms: number): void
  /** A request was answered. @param route as the router has it, never what was asked for */
  answered(method: string, route: string, status: number, ms: number): void
  /** A request was refused unseen, or a connection closed. */
  refused(reason: Refusal): void
  text(): Promise<string>
}

/** From the millisecond in which the bell rings to the day for which it tries. */
const latenessBounds = [
  0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 86_400,
]
/** An attempt is given up after 15 s, a request after 30; only streams last longer. */
const durationBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Channels beyond these share one label: each costs Prometheus six series. */
const maxChannels = 1_000
/** What the database has told stays true for as long: whoever asks in a loop must not keep it from its work. */
const backlogMs = 5_000

const results = ['sent', 'retried', 'failed', 'cancelled'] as const
type Result = (typeof results)[number]

const refusals = ['pressure', 'rate', 'connections'] as const
type Refusal = (typeof refusals)[number]

interface KindFigures {
  readonly lateness: Histogram
  readonly duration: Histogram
}

interface ChannelFigures {
  readonly labels: { readonly kind: string; readonly channel: string }
  readonly results: Record<Result, number>
  readonly ofKind: KindFigures
}

/** @param backlog reads it. A rejection means that the database is away */
export function createMetrics({
  version,
  clock,
  backlog,
  fault,
}: {
  version: string
  clock: Clock
  backlog: (channelIds: readonly number[]) => Promise<Backlog>
  /** What keeps the database from storing, or null. */
  fault: () => FaultKind | null
}): Metrics {
  const firedLateness = new Histogram(latenessBounds)
  const fired = Object.fromEntries(
    notificationKinds.map((kind) => [kind, Object.fromEntries(timings.map((timing) => [timing, 0]))]),
  ) as Record<NotificationKind, Record<Timing, number>>
  const kinds = new Map<string, KindFigures>()
  const channels = new Map<number, ChannelFigures>()
  const transactions = new Histogram(durationBounds)
  let writes = 0
  /** By route, then method, then class of status: a text of all three would have to be made at each request. */
  const requests = new Map<string, Map<string, Histogram[]>>()
  const refused: Record<Refusal, number> = { pressure: 0, rate: 0, connections: 0 }

  function openChannel(id: number, kind: string): ChannelFigures {
    const known = channels.get(id)
    if (known) return known
    let ofKind = kinds.get(kind)
    if (!ofKind) {
      ofKind = { lateness: new Histogram(latenessBounds), duration: new Histogram(durationBounds) }
      kinds.set(kind, ofKind)
    }
    const channel = channels.size < maxChannels ? String(id) : 'other'
    const figures = { labels: { kind, channel }, results: { sent: 0, retried: 0, failed: 0, cancelled: 0 }, ofKind }
    channels.set(id, figures)
    return figures
  }

  let lastRead: { readonly at: number; readonly backlog: Promise<Backlog> } | undefined

  function readBacklog(): Promise<Backlog> {
    const now = clock.now()
    if (!lastRead || Math.abs(now - lastRead.at) >= backlogMs)
      lastRead = { at: now, backlog: backlog([...channels.keys()]) }
    return lastRead.backlog
  }

  return {
    openChannel,
    fired(notifications) {
      for (const { kind, timing, latenessMs } of notifications) {
        fired[kind][timing]++
        firedLateness.observe(latenessMs / 1_000)
      }
    },
    ended({ claim, state, latencyMs }, at) {
      const { results, ofKind } = channels.get(claim.channelId) ?? openChannel(claim.channelId, 'unknown')
      results[state === 'pending' ? 'retried' : state]++
      if (latencyMs !== null) ofKind.duration.observe(latencyMs / 1_000)
      // From when it could first ring: what was due as it was accepted could not be told before.
      const { firedAt, latenessMs } = claim.notification
      if (state === 'sent') ofKind.lateness.observe(Math.max(0, at - firedAt + latenessMs) / 1_000)
    },
    committed(count, ms) {
      writes += count
      transactions.observe(ms / 1_000)
    },
    answered(method, route, status, ms) {
      const hundreds = Math.floor(status / 100)
      const known = requests.get(route)?.get(method)?.[hundreds]
      const histogram = known ?? new Histogram(durationBounds)
      histogram.observe(ms / 1_000)
      if (known) return
      const methods = requests.get(route) ?? new Map<string, Histogram[]>()
      const classes = methods.get(method) ?? []
      classes[hundreds] = histogram
      requests.set(route, methods.set(method, classes))
    },
    refused(reason) {
      refused[reason]++
    },
    async text() {
      const told = await readBacklog().catch(() => undefined)
      return expose([...ofBell(), ...(told ? ofBacklog(told) : []), ...ofServer(told !== undefined)])
    },
  }

  function ofBell(): Family[] {
    return [
      {
        name: 'duebell_notifications_total',
        help: 'Notifications fired, by what they say and whether the bell was on time.',
        type: 'counter',
        samples: notificationKinds.flatMap((kind) =>
          timings.map((timing): Sample => ({ labels: { kind, timing }, value: fired[kind][timing] })),
        ),
      },
      {
        name: 'duebell_notification_lateness_seconds',
        help: 'From the instant at which a notification could first ring until it rang.',
        type: 'histogram',
        samples: [{ labels: {}, value: firedLateness }],
      },
      {
        name: 'duebell_delivery_results_total',
        help: 'Ends of attempts: sent, retried (failed for now), failed (given up), and cancelled (no longer true, not attempted).',
        type: 'counter',
        samples: summed(
          [...channels.values()].flatMap(({ labels, results: counts }) =>
            results.map((result) => ({ labels: { ...labels, result }, value: counts[result] })),
          ),
        ),
      },
      {
        name: 'duebell_delivery_lateness_seconds',
        help: 'From the instant at which a notification could first ring until a channel accepted it.',
        type: 'histogram',
        samples: [...kinds].map(([kind, { lateness }]) => ({ labels: { kind }, value: lateness })),
      },
      {
        name: 'duebell_delivery_attempt_duration_seconds',
        help: 'From the start of an attempt to its end, whatever that was.',
        type: 'histogram',
        samples: [...kinds].map(([kind, { duration }]) => ({ labels: { kind }, value: duration })),
      },
    ]
  }

  function ofBacklog({ overdueMs, skewMs, pending, failed }: Backlog): Family[] {
    const ofChannels = (counts: ReadonlyMap<number, number>) =>
      summed([...channels].map(([id, { labels }]) => ({ labels, value: counts.get(id) ?? 0 })))
    const skew: Family = {
      name: 'duebell_database_clock_skew_seconds',
      help: "How far the database's clock is ahead of this machine's.",
      type: 'gauge',
      samples: [{ labels: {}, value: (skewMs ?? 0) / 1_000 }],
    }
    return [
      {
        name: 'duebell_oldest_overdue_seconds',
        help: 'How long the oldest reminder has been due without ringing; 0 when none is.',
        type: 'gauge',
        samples: [{ labels: {}, value: overdueMs / 1_000 }],
      },
      {
        name: 'duebell_deliveries_pending',
        help: `Deliveries that are inFlight, waiting, or to be tried again; of a channel ${maxPending} are counted at most.`,
        type: 'gauge',
        samples: ofChannels(pending),
      },
      {
        name: 'duebell_deliveries_failed',
        help: `Deliveries that were given up and not tried again by hand, among the newest ${newestDeliveries}.`,
        type: 'gauge',
        samples: ofChannels(failed),
      },
      ...(skewMs === null ? [] : [skew]),
    ]
  }

  function ofServer(isDatabaseUp: boolean): Family[] {
    const present = fault()
    return [
      {
        name: 'duebell_database_up',
        help: 'Whether the database answered just now: 1 or 0.',
        type: 'gauge',
        samples: [{ labels: {}, value: isDatabaseUp ? 1 : 0 }],
      },
      {
        name: 'duebell_database_fault',
        help: 'What is wrong with the storage: 1 for the kind that is present, 0 for the others.',
        type: 'gauge',
        samples: faultKinds.map((kind): Sample => ({ labels: { kind }, value: kind === present ? 1 : 0 })),
      },
      {
        name: 'duebell_database_transaction_duration_seconds',
        help: 'Write transactions, from BEGIN to the answer to COMMIT.',
        type: 'histogram',
        samples: [{ labels: {}, value: transactions }],
      },
      {
        name: 'duebell_database_writes_total',
        help: 'Writes, of which several may share a transaction.',
        type: 'counter',
        samples: [{ labels: {}, value: writes }],
      },
      {
        name: 'duebell_http_request_duration_seconds',
        help: 'Requests, by route, method and class of status.',
        type: 'histogram',
        samples: [...requests].flatMap(([route, methods]) =>
          // forEach passes over the classes that never came.
          [...methods].flatMap(([method, classes]) => {
            const samples: Sample[] = []
            classes.forEach((value, hundreds) => {
              samples.push({ labels: { route, method, status: `${hundreds}xx` }, value })
            })
            return samples
          }),
        ),
      },
      {
        name: 'duebell_http_refused_total',
        help: 'Requests refused because the server is overrun (pressure) or their caller asks too often (rate), and connections closed because there are too many.',
        type: 'counter',
        samples: refusals.map((reason): Sample => ({ labels: { reason }, value: refused[reason] })),
      },
      {
        name: 'duebell_build_info',
        help: 'The version, as a label.',
        type: 'gauge',
        samples: [{ labels: { version }, value: 1 }],
      },
    ]
  }
}

/** Samples with the same labels are one: those of channels that share one. */
function summed(samples: readonly { labels: Readonly<Record<string, string>>; value: number }[]): Sample[] {
  const sums = new Map<string, { labels: Readonly<Record<string, string>>; value: number }>()
  for (const { labels, value } of samples) {
    const key = JSON.stringify(labels)
    sums.set(key, { labels, value: (sums.get(key)?.value ?? 0) + value })
  }
  return [...sums.values()]
}
