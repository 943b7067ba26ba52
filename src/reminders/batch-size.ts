/**
 * How much one transaction of the loops does. The embedded database blocks all requests during a transaction: 1,000 tasks take 10 to
 * 40 ms, and a request amid a storm may wait for several. So batches shrink to a tenth while requests come: beside a storm of 10,000
 * webhooks, the slowest hundredth of requests then took 40 ms instead of 150. Without requests the batches are large, because of the
 * commits: small ones would double the time of a storm of 100,000.
 */
export interface BatchSize {
  /** Called for each request. */
  noteRequest(): void
  /** Tasks to fire, or deliveries to claim. */
  current(): number
}

const maxAlone = 1_000
const maxBesideRequests = 100
/** The time after a request during which batches stay small. */
const besideMs = 100

/** @param now ms, monotonic */
export function createBatchSize(now: () => number = () => performance.now()): BatchSize {
  let requestedAt = Number.NEGATIVE_INFINITY
  return {
    noteRequest() {
      requestedAt = now()
    },
    current: () => (now() - requestedAt < besideMs ? maxBesideRequests : maxAlone),
  }
}
