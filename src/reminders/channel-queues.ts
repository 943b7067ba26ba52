import type { Claim } from '#store/claims.ts'
import { type ChannelQueue, capacity, changeChannel, isEmpty, isHeld, newQueue } from './channel-queue.ts'
import type { OpenChannel } from './channel-registry.ts'

/** Turns of the event loop to wait for capacity: 2 to 5 ms. Counted, not timed: turns pass while a test holds the clock. */
const maxTurns = 1_000

/** The queues of all open channels, by channel id. */
export class ChannelQueues {
  readonly #queues = new Map<number, ChannelQueue>()
  #channels: readonly OpenChannel[] = []

  get(channelId: number): ChannelQueue | undefined {
    return this.#queues.get(channelId)
  }

  /**
   * Adds and removes queues as channels were opened and closed. The claims of a removed queue are gone: the database cancelled those
   * deliveries together with the channel.
   * @returns whether the list is a new one
   */
  update(channels: readonly OpenChannel[], now: number): boolean {
    if (channels === this.#channels) return false
    this.#channels = channels
    const byId = new Map(channels.map((channel) => [channel.record.id, channel]))
    for (const [id, queue] of this.#queues)
      if (!byId.has(id)) {
        queue.waiting.length = 0
        this.#queues.delete(id)
      }
    for (const [id, channel] of byId) {
      const queue = this.#queues.get(id)
      if (queue) changeChannel(queue, channel)
      else this.#queues.set(id, newQueue(channel, now))
    }
    return true
  }

  /** @returns the queues that grew, and the claims that no queue can take */
  add(claims: readonly Claim[], now: number): { grown: ReadonlySet<ChannelQueue>; orphaned: readonly Claim[] } {
    const orphaned: Claim[] = []
    // Only the queues that grew: filling all of 3,000 took 27 ms in every batch.
    const grown = new Set<ChannelQueue>()
    for (const claim of claims) {
      const queue = this.#queues.get(claim.channelId)
      if (queue && !isHeld(queue, now)) {
        queue.waiting.push(claim)
        grown.add(queue)
      } else orphaned.push(claim)
    }
    return { grown, orphaned }
  }

  /** Resolves when some queue can take this many claims, when there is no queue, or after `maxTurns`. */
  async waitForCapacity(claims: number, now: number): Promise<void> {
    for (let turn = 0; turn < maxTurns; turn++) {
      if (this.#queues.size === 0 || this.#queues.values().some((queue) => capacity(queue, now) >= claims)) return
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  areEmpty(): boolean {
    return this.#queues.values().every(isEmpty)
  }

  /** Removes and returns all claims that wait for an attempt. */
  takeWaiting(): Claim[] {
    return [...this.#queues.values()].flatMap(({ waiting }) => waiting.splice(0))
  }
}
