import { notificationKinds, timings } from '#core/notification.ts'
import { type Backlog, maxPending, newestDeliveries } from '#store/backlog.ts'
import { type FaultKind, faultKinds } from '#store/engine/storage.ts'
import { type Counters, deliveryResults, refusalReasons } from './counters.ts'
import type { Family, Sample } from './exposition.ts'

/** Names, help texts and samples of the metrics, in the order in which they are exposed. */

export function reminderFamilies({ fired, firedLateness, channels, kinds }: Counters): Family[] {
  return [
    {
      name: 'duebell_notifications_total',
      help: 'Notifications fired, by kind and whether they were on time.',
      type: 'counter',
      samples: notificationKinds.flatMap((kind) =>
        timings.map((timing): Sample => ({ labels: { kind, timing }, value: fired[kind][timing] })),
      ),
    },
    {
      name: 'duebell_notification_lateness_seconds',
      help: 'From the instant at which a notification could first fire until it fired.',
      type: 'histogram',
      samples: [{ labels: {}, value: firedLateness }],
    },
    {
      name: 'duebell_delivery_results_total',
      help: 'Results of attempts: sent, retried (failed for now), failed (given up), and cancelled (no longer true, not attempted).',
      type: 'counter',
      samples: summed(
        [...channels.values()].flatMap(({ labels, results }) =>
          deliveryResults.map((result) => ({ labels: { ...labels, result }, value: results[result] })),
        ),
      ),
    },
    {
      name: 'duebell_delivery_lateness_seconds',
      help: 'From the instant at which a notification could first fire until a channel accepted it.',
      type: 'histogram',
      samples: [...kinds].map(([kind, { lateness }]) => ({ labels: { kind }, value: lateness })),
    },
    {
      name: 'duebell_delivery_attempt_duration_seconds',
      help: 'From the start of an attempt to its end, whatever the outcome.',
      type: 'histogram',
      samples: [...kinds].map(([kind, { duration }]) => ({ labels: { kind }, value: duration })),
    },
  ]
}

export function backlogFamilies({ channels }: Counters, { overdueMs, skewMs, pending, failed }: Backlog): Family[] {
  const byChannel = (counts: ReadonlyMap<number, number>) =>
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
      help: 'How long the oldest reminder has been due without firing; 0 if none is.',
      type: 'gauge',
      samples: [{ labels: {}, value: overdueMs / 1_000 }],
    },
    {
      name: 'duebell_deliveries_pending',
      help: `Deliveries in flight, waiting, or to be retried; at most ${maxPending} of a channel are counted.`,
      type: 'gauge',
      samples: byChannel(pending),
    },
    {
      name: 'duebell_deliveries_failed',
      help: `Deliveries that failed and were not retried by hand, among the newest ${newestDeliveries}.`,
      type: 'gauge',
      samples: byChannel(failed),
    },
    ...(skewMs === null ? [] : [skew]),
  ]
}

export function serverFamilies(
  { transactions, writes, requests, refused }: Counters,
  { version, isDatabaseUp, fault }: { version: string; isDatabaseUp: boolean; fault: FaultKind | null },
): Family[] {
  return [
    {
      name: 'duebell_database_up',
      help: 'Whether the database answered just now: 1 or 0.',
      type: 'gauge',
      samples: [{ labels: {}, value: isDatabaseUp ? 1 : 0 }],
    },
    {
      name: 'duebell_database_fault',
      help: 'The fault of the storage: 1 for the kind that is present, 0 for the others.',
      type: 'gauge',
      samples: faultKinds.map((kind): Sample => ({ labels: { kind }, value: kind === fault ? 1 : 0 })),
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
      samples: requestSamples(requests),
    },
    {
      name: 'duebell_http_refused_total',
      help: 'Requests refused because of overload (pressure) or a rate limit (rate), and connections closed because there are too many.',
      type: 'counter',
      samples: refusalReasons.map((reason): Sample => ({ labels: { reason }, value: refused[reason] })),
    },
    {
      name: 'duebell_build_info',
      help: 'The version, as a label.',
      type: 'gauge',
      samples: [{ labels: { version }, value: 1 }],
    },
  ]
}

function requestSamples(requests: Counters['requests']): Sample[] {
  const samples: Sample[] = []
  // forEach skips the classes without a request.
  for (const [route, methods] of requests)
    for (const [method, classes] of methods)
      classes.forEach((value, hundreds) => {
        samples.push({ labels: { route, method, status: `${hundreds}xx` }, value })
      })
  return samples
}

/** Adds up samples with the same labels: those of the channels that share one. */
function summed(samples: readonly { labels: Readonly<Record<string, string>>; value: number }[]): Sample[] {
  const sums = new Map<string, { labels: Readonly<Record<string, string>>; value: number }>()
  for (const { labels, value } of samples) {
    const key = JSON.stringify(labels)
    sums.set(key, { labels, value: (sums.get(key)?.value ?? 0) + value })
  }
  return [...sums.values()]
}
