/**
 * How much the bell does in one transaction. On the embedded database nobody is answered while one runs: 1,000 tasks take 10 to 40 ms,
 * and a request that comes amid a storm may wait for several. So it is a tenth while requests come: of those beside a storm of 10,000
 * webhooks the slowest hundredth then took 40 ms and not 150. Not always, for the sake of the commits: a storm of 100,000 beside
 * which nobody asks would take twice as long.
 */
export interface BatchSize {
  /** A request has come. */
  asked(): void
  /** Tasks to ring, or deliveries to claim. */
  maxConcurrent(): number
}

const maxAlone = 1_000
const maxBesideRequests = 100
/** From the last request on. */
const besideMs = 100

/** @param now ms, monotonic */
export function createBatchSize(now: () => number = () => performance.now()): BatchSize {
  let askedAt = Number.NEGATIVE_INFINITY
  return {
    asked() {
      askedAt = now()
    },
    maxConcurrent: () => (now() - askedAt < besideMs ? maxBesideRequests : maxAlone),
  }
}
