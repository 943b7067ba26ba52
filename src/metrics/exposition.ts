import type { Gauge, Registry } from 'prom-client'
import { Histogram } from './histogram.ts'

/** Metrics of one name: what is told of them, and their values at this moment. */
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
 * The text that Prometheus reads: ours, then those of the process. By prom-client, which is loaded when somebody asks for the first time:
 * it takes 40 ms and 10 MB, and most servers are never asked.
 */
export async function expose(families: readonly Family[]): Promise<string> {
  const { Registry } = await import('prom-client')
  const registry = new Registry()
  // Its types know its own metrics alone; what it reads of one is the name and what get() resolves with.
  for (const family of families)
    registry.registerMetric({ name: family.name, get: async () => written(family) } as unknown as Gauge)
  ofProcess ??= collectOfProcess()
  return `${await registry.metrics()}\n${await (await ofProcess).metrics()}`
}

/** Once a process, however many servers it holds: the measuring of its event loop and garbage collector never ends. */
let ofProcess: Promise<Registry> | undefined
/** How often the delay of the event loop is looked at: this costs 2 ms of the processor a second, the usual 10 costs 10 ms. */
const loopDelayMs = 20

async function collectOfProcess(): Promise<Registry> {
  const { collectDefaultMetrics, Registry } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: loopDelayMs })
  return registry
}

function written({ name, help, type, samples }: Family) {
  const values = samples.flatMap(({ labels, value }) =>
    value instanceof Histogram ? spread(name, labels, value) : [{ labels, value }],
  )
  return { name, help, type, values, aggregator: 'sum' }
}

/** `_bucket` with those up to each bound, `_sum` and `_count`. */
function spread(name: string, labels: Sample['labels'], { bounds, counts, sum }: Histogram) {
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
