import type { Claim } from '#store/claims.ts'
import type { OpenChannel } from './channel-registry.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'

/** The queue of one channel: claims that wait for an attempt, and how many are underway. */
export interface ChannelQueue {
  channel: OpenChannel
  readonly queue: Claim[]
  inFlight: number
  isFilling: boolean
  willFill: boolean
  /** Something is due in the database for which there was no room. */
  hasMore: boolean
  rateLimit: RateLimit
  /** Some of its deliveries lie on a damaged page of the database: asked for again then. */
  damagedUntil: number
  /** Notifications of deliveries that can be read, and not be changed: what is sent again and again must not be sent at all. */
  readonly unwritable: Set<number>
}

/** Claims in a lane: at 1 kB each, 2 MB. Two batches of the ring, so that one is sent while the next is fired. */
const queueCapacity = 2_000
/** Of a channel with a rate limit, for each attempt that may be underway: more would be given back at the next hold. */
const limitedCapacity = 10

export function newQueue(channel: OpenChannel, now: number): ChannelQueue {
  const queue: ChannelQueue = {
    channel,
    queue: [],
    inFlight: 0,
    isFilling: false,
    willFill: false,
    hasMore: false,
    rateLimit: createRateLimit(),
    damagedUntil: 0,
    unwritable: new Set(),
  }
  const { heldUntilAt } = channel.record.health
  if (heldUntilAt !== null) queue.rateLimit.holdUntil(heldUntilAt, now)
  return queue
}

/** A channel that the user changed may lead elsewhere: what the former receiver asked for is over. */
export function changeChannel(queue: ChannelQueue, channel: OpenChannel): void {
  if (queue.channel.record.version !== channel.record.version) queue.rateLimit = createRateLimit()
  queue.channel = channel
}

export const isHeld = ({ rateLimit }: ChannelQueue, now: number) => rateLimit.heldUntil(now) > now

/** How many more attempts may begin. */
export function startable({ channel, inFlight, rateLimit }: ChannelQueue): number {
  return rateLimit.allowed(channel.concurrency) - inFlight
}

/** How many more claims it can take. */
export function room(queue: ChannelQueue, now: number): number {
  if (isHeld(queue, now)) return 0
  return Math.max(0, capacity(queue) - queue.queue.length - queue.inFlight)
}

/** Whether it asks the database for more: once it is half empty, since claims in handfuls would cost a transaction each. */
export function wantsMore(queue: ChannelQueue, now: number): boolean {
  return room(queue, now) >= capacity(queue) / 2
}

function capacity({ rateLimit, channel: { concurrency } }: ChannelQueue): number {
  const allowed = rateLimit.allowed(concurrency)
  return allowed < concurrency ? Math.min(queueCapacity, limitedCapacity * allowed) : queueCapacity
}
