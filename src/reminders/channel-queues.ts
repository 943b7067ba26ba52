import type { Claim } from '#store/deliveries.ts'
import type { OpenChannel } from './channel-registry.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'

/** The queue of one channel: claims that wait for an attempt, and how many are underway. */
export interface Lane {
  channel: OpenChannel
  readonly queue: Claim[]
  underway: number
  isPumping: boolean
  isPumpingSoon: boolean
  /** Something is due in the database for which there was no room. */
  hasMore: boolean
  rateLimit: RateLimit
  /** Some of its deliveries lie on a damaged page of the database: asked for again then. */
  damagedUntil: number
  /** Notices of deliveries that can be read, and not be changed: what is sent again and again must not be sent at all. */
  readonly unwritable: Set<number>
}

/** Claims in a lane: at 1 kB each, 2 MB. Two batches of the ring, so that one is sent while the next is rung. */
const laneCapacity = 2_000
/** Of a channel with a rate limit, for each attempt that may be underway: more would be given back at the next hold. */
const limitedCapacity = 10

export function newLane(channel: OpenChannel, now: number): Lane {
  const lane: Lane = {
    channel,
    queue: [],
    underway: 0,
    isPumping: false,
    isPumpingSoon: false,
    hasMore: false,
    rateLimit: createRateLimit(),
    damagedUntil: 0,
    unwritable: new Set(),
  }
  const { heldUntilAt } = channel.record.health
  if (heldUntilAt !== null) lane.rateLimit.holdUntil(heldUntilAt, now)
  return lane
}

/** A channel that the user changed may lead elsewhere: what the former receiver asked for is over. */
export function changeChannel(lane: Lane, channel: OpenChannel): void {
  if (lane.channel.record.version !== channel.record.version) lane.rateLimit = createRateLimit()
  lane.channel = channel
}

export const isHeld = ({ rateLimit }: Lane, now: number) => rateLimit.heldUntil(now) > now

/** How many more attempts may begin. */
export function startable({ channel, underway, rateLimit }: Lane): number {
  return rateLimit.allowed(channel.concurrency) - underway
}

/** How many more claims it can take. */
export function room(lane: Lane, now: number): number {
  if (isHeld(lane, now)) return 0
  return Math.max(0, capacity(lane) - lane.queue.length - lane.underway)
}

/** Whether it asks the database for more: once it is half empty, since claims in handfuls would cost a transaction each. */
export function isHungry(lane: Lane, now: number): boolean {
  return room(lane, now) >= capacity(lane) / 2
}

function capacity({ rateLimit, channel: { concurrency } }: Lane): number {
  const allowed = rateLimit.allowed(concurrency)
  return allowed < concurrency ? Math.min(laneCapacity, limitedCapacity * allowed) : laneCapacity
}
