import { type NotificationKind, notificationKinds, type Timing, timings } from '#core/notification.ts'
import { Histogram } from './histogram.ts'

/** From the first millisecond of lateness to the day for which a delivery is retried. */
const latenessBounds = [
  0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 86_400,
]
/** An attempt times out after 15 s, a request after 30; only streams last longer. */
const durationBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Further channels share one label: each costs Prometheus six series. */
const maxChannels = 1_000

export const deliveryResults = ['sent', 'retried', 'failed', 'cancelled'] as const
type CountedResult = (typeof deliveryResults)[number]

export const refusalReasons = ['pressure', 'rate', 'connections'] as const
export type RefusalReason = (typeof refusalReasons)[number]

interface KindCounters {
  readonly lateness: Histogram
  readonly duration: Histogram
}

interface ChannelCounters {
  readonly labels: { readonly kind: string; readonly channel: string }
  readonly results: Record<CountedResult, number>
  readonly ofKind: KindCounters
}

/** The numbers of this process. Each exists before it is counted, so that counting is an addition. */
export interface Counters {
  readonly fired: Record<NotificationKind, Record<Timing, number>>
  readonly firedLateness: Histogram
  readonly kinds: Map<string, KindCounters>
  readonly channels: Map<number, ChannelCounters>
  readonly transactions: Histogram
  writes: number
  /** By route, then method, then class of status: a key of all three would be a new string for each request. */
  readonly requests: Map<string, Map<string, Histogram[]>>
  readonly refused: Record<RefusalReason, number>
}

export function createCounters(): Counters {
  const fired = Object.fromEntries(
    notificationKinds.map((kind) => [kind, Object.fromEntries(timings.map((timing) => [timing, 0]))]),
  ) as Record<NotificationKind, Record<Timing, number>>
  return {
    fired,
    firedLateness: new Histogram(latenessBounds),
    kinds: new Map(),
    channels: new Map(),
    transactions: new Histogram(durationBounds),
    writes: 0,
    requests: new Map(),
    refused: { pressure: 0, rate: 0, connections: 0 },
  }
}

/** The counters of a channel, which start at zero. @param kind of a channel that is not known yet */
export function channelCounters({ channels, kinds }: Counters, id: number, kind: string): ChannelCounters {
  const known = channels.get(id)
  if (known) return known
  let ofKind = kinds.get(kind)
  if (!ofKind) {
    ofKind = { lateness: new Histogram(latenessBounds), duration: new Histogram(durationBounds) }
    kinds.set(kind, ofKind)
  }
  const channel = channels.size < maxChannels ? String(id) : 'other'
  const counters = { labels: { kind, channel }, results: { sent: 0, retried: 0, failed: 0, cancelled: 0 }, ofKind }
  channels.set(id, counters)
  return counters
}

/** The durations of requests to a route by one method, with one class of status (2 for 200 to 299). */
export function requestDurations({ requests }: Counters, route: string, method: string, hundreds: number): Histogram {
  const known = requests.get(route)?.get(method)?.[hundreds]
  if (known) return known
  const histogram = new Histogram(durationBounds)
  const methods = requests.get(route) ?? new Map<string, Histogram[]>()
  const classes = methods.get(method) ?? []
  classes[hundreds] = histogram
  requests.set(route, methods.set(method, classes))
  return histogram
}
