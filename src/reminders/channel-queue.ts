import type { Claim } from '#store/claims.ts'
import type { OpenChannel } from './channel-registry.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'

/** The queue of one channel: claims that wait for an attempt, and the number of attempts in flight. */
export interface ChannelQueue {
  channel: OpenChannel
  readonly waiting: Claim[]
  inFlight: number
  isFilling: boolean
  willFill: boolean
  /** The database has due deliveries for which the queue had no capacity. */
  hasMore: boolean
  rateLimit: RateLimit
  /** Some deliveries of the channel lie on a damaged page of the database; the next claim waits until this instant. */
  damagedUntil: number
  /** Notifications whose deliveries can be read but not changed. They must not be sent: each claim would send them again. */
  readonly unwritable: Set<number>
}

/** Claims in a queue: at 1 kB each, 2 MB. Two batches of the reminders loop: one is sent while the next one fires. */
const maxClaims = 2_000
/** Claims of a rate-limited channel, for each attempt that may be in flight: the next hold would release any more. */
const maxClaimsPerLimitedAttempt = 10

export function newQueue(channel: OpenChannel, now: number): ChannelQueue {
  const queue: ChannelQueue = {
    channel,
    waiting: [],
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

/** A channel that the user changed may lead to another receiver: the hold of the former one is over. */
export function changeChannel(queue: ChannelQueue, channel: OpenChannel): void {
  if (queue.channel.record.version !== channel.record.version) queue.rateLimit = createRateLimit()
  queue.channel = channel
}

export const isHeld = ({ rateLimit }: ChannelQueue, now: number) => rateLimit.heldUntil(now) > now

export const isEmpty = ({ waiting, inFlight }: ChannelQueue) => waiting.length === 0 && inFlight === 0

/** How many more attempts may start. */
export function startable({ channel, inFlight, rateLimit }: ChannelQueue): number {
  return rateLimit.allowed(channel.concurrency) - inFlight
}

/** How many more claims the queue can take. */
export function capacity(queue: ChannelQueue, now: number): number {
  if (isHeld(queue, now)) return 0
  return Math.max(0, maxClaimsOf(queue) - queue.waiting.length - queue.inFlight)
}

/** Whether to claim more from the database: once the queue is half empty, since each claim costs a transaction. */
export function wantsMore(queue: ChannelQueue, now: number): boolean {
  return capacity(queue, now) >= maxClaimsOf(queue) / 2
}

function maxClaimsOf({ rateLimit, channel: { concurrency } }: ChannelQueue): number {
  const allowed = rateLimit.allowed(concurrency)
  return allowed < concurrency ? Math.min(maxClaims, maxClaimsPerLimitedAttempt * allowed) : maxClaims
}
