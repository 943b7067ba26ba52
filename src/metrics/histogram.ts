/**
 * A Prometheus histogram in which a value costs 11 ns. That of prom-client takes 160 to 230 ns, since it checks and hashes labels for each
 * value: a notification is counted in five of them, and fires in 10 µs.
 */
export class Histogram {
  readonly bounds: readonly number[]
  /** The number of values at or below each bound and above the one before; last, those above all bounds. */
  readonly counts: Float64Array
  sum = 0

  /** @param bounds ascending */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const { bounds, counts } = this
    let i = 0
    while (i < bounds.length && value > (bounds[i] as number)) i++
    counts[i] = (counts[i] as number) + 1
    this.sum += value
  }
}
