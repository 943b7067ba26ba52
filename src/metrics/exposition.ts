import type { Gauge, Registry } from 'prom-client'
import { Histogram } from './histogram.ts'

/** The metrics of one name, with their present values. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly samples: readonly Sample[]
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number | Histogram
}

/**
 * The text that Prometheus reads: our metrics, then those of the process. prom-client formats it. It takes 40 ms and 10 MB, and most
 * servers have no Prometheus, so it is loaded at the first request.
 */
export async function expose(families: readonly Family[]): Promise<string> {
  const { Registry } = await import('prom-client')
  const registry = new Registry()
  // Its types accept its own metrics only. At run time it reads the name and the value of get().
  for (const family of families)
    registry.registerMetric({ name: family.name, get: async () => toPromMetric(family) } as unknown as Gauge)
  processMetrics ??= collectProcessMetrics()
  return `${await registry.metrics()}\n${await (await processMetrics).metrics()}`
}

/** One for each process, however many servers it runs: measuring the event loop and the garbage collector never ends. */
let processMetrics: Promise<Registry> | undefined
/** Interval at which the delay of the event loop is sampled: 20 ms costs 2 ms of CPU a second, the default of 10 ms costs 10 ms. */
const loopDelayMs = 20

async function collectProcessMetrics(): Promise<Registry> {
  const { collectDefaultMetrics, Registry } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: loopDelayMs })
  return registry
}

function toPromMetric({ name, help, type, samples }: Family) {
  const values = samples.flatMap(({ labels, value }) =>
    value instanceof Histogram ? histogramSeries(name, labels, value) : [{ labels, value }],
  )
  return { name, help, type, values, aggregator: 'sum' }
}

/** `_bucket` with the count up to each bound, `_sum` and `_count`. */
function histogramSeries(name: string, labels: Sample['labels'], { bounds, counts, sum }: Histogram) {
  let count = 0
  const buckets = [...counts].map((values, i) => {
    count += values
    const le = i < bounds.length ? String(bounds[i]) : '+Inf'
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}
