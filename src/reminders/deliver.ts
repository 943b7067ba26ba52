import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import type { Outcome } from '#core/delivery.ts'
import type { Links, Notification } from '#core/notification.ts'
import type { Claim, DeliveryResult } from '#store/claims.ts'
import type { Store } from '#store/engine/open.ts'
import { type NextDue, nextDue } from '#store/next-due.ts'
import { type AttemptEnd, Attempts, type DeliveryTimes, defaultTimes } from './attempts.ts'
import type { BatchSize } from './batch-size.ts'
import { type ChannelHealthMonitor, createChannelHealthMonitor } from './channel-health.ts'
import { type ChannelQueue, capacity, isHeld, startable, wantsMore } from './channel-queue.ts'
import { ChannelQueues } from './channel-queues.ts'
import type { ChannelRegistry } from './channel-registry.ts'
import { createClaiming } from './claiming.ts'
import { type Loop, startLoop } from './loop.ts'
import { takeWithGroups } from './messages.ts'
import { Releases } from './releases.ts'
import { createResultWriter, type ResultWriter } from './results.ts'

export interface DeliveryOptions {
  readonly store: Store
  readonly clock: Clock
  readonly channels: ChannelRegistry
  readonly batchSize: BatchSize
  /** Links with which the user can act on a notification. */
  readonly linksFor: (notification: Notification) => Links | null
  /** Wakes the reminders loop for a task that is due at this instant. */
  readonly wakeFiring: (at: number) => void
  readonly log: Logger
  readonly times?: DeliveryTimes | undefined
  /** Called for each attempt that ended, and for each delivery that was cancelled before one. */
  readonly onEnded?: (result: DeliveryResult, at: number) => void
}

/** An abort without a reason creates an error with a stack. */
const ended = 'ended'

export function startDeliveries(options: DeliveryOptions): Deliveries {
  return new Deliveries(options)
}

/**
 * Sends due deliveries to their channels. Each channel has its own queue, so that a slow one delays no other:
 *
 *   reminders loop ── claims ─┐
 *                             ▼
 *   database ───── claim ──▶ queue ──▶ check ──▶ send ──▶ record results, many in one transaction
 *         (as far as it has capacity)    └─▶ cancel
 *
 * A queue holds a bounded number of claims; all other deliveries wait in the database. An attempt keeps its slot until its result is
 * stored, so that a kill repeats at most as many messages of a channel as may be in flight. Freeing the slot at the receiver's answer
 * repeated up to half as many more. The loop knows nothing of tasks except whether a notification is still true.
 */
export class Deliveries {
  readonly leaseMs: number
  readonly #options: DeliveryOptions
  readonly #queues = new ChannelQueues()
  readonly #channelHealth: ChannelHealthMonitor
  readonly #releases: Releases
  readonly #attempts: Attempts
  readonly #results: ResultWriter
  readonly #claim: (queue: ChannelQueue) => Promise<number>
  readonly #loop: Loop
  readonly #stopping = new AbortController()
  /** The queues of attempts whose results are not stored yet. */
  readonly #queueOf = new Map<DeliveryResult, ChannelQueue>()
  /** Due deliveries by channel, as of the last check. */
  #due: ReadonlyMap<number, NextDue> = new Map()
  #whenIdle: (() => void)[] = []

  constructor(options: DeliveryOptions) {
    const { store, clock, channels, batchSize, linksFor, wakeFiring, log, times = defaultTimes } = options
    const { leaseMs } = times
    const accept = (claims: readonly Claim[]) => this.accept(claims)
    const release = (claims: readonly Claim[]) => this.release(claims)
    this.leaseMs = leaseMs
    this.#options = options
    this.#channelHealth = createChannelHealthMonitor({ store, log, wakeFiring })
    this.#releases = new Releases(store)
    this.#claim = createClaiming({ store, clock, batchSize, leaseMs, log, accept, release })
    this.#results = createResultWriter({
      store,
      onWritten: (batch, dueAt) => this.#onWritten(batch, dueAt),
      onFailed: () => this.#wakeNow(), // the loop tries again, and logs the error
      onUnwritable: (result) => this.#onUnwritable(result),
    })
    this.#attempts = new Attempts({
      store,
      clock,
      channels,
      linksFor,
      times,
      log,
      stopping: this.#stopping.signal,
      release,
      onSkipped: (queue, result) => this.#record(queue, result),
      onEnded: (queue, end) => this.#onEnded(queue, end),
    })
    // Last, since the loop calls both at once.
    this.#loop = startLoop('deliveries', { clock, log, nextAt: () => this.#nextAt(), work: () => this.#work() })
  }

  /** How many more claims of a channel can be accepted now. */
  capacity(channelId: number): number {
    const queue = this.#queues.get(channelId)
    return queue ? capacity(queue, this.#options.clock.now()) : 0
  }

  /** Resolves when some channel has capacity for this many claims, or after a few ms. */
  waitForCapacity(claims: number): Promise<void> {
    return this.#queues.waitForCapacity(claims, this.#options.clock.now())
  }

  /** Takes over claims that were made for this process. */
  accept(claims: readonly Claim[]): void {
    const { grown, orphaned } = this.#queues.add(claims, this.#options.clock.now())
    this.release(orphaned)
    for (const queue of grown) this.#fill(queue)
  }

  /** Makes claims due again at once, as far as this process still holds them. */
  release(claims: readonly Claim[]): void {
    if (claims.length === 0) return
    this.#releases.add(claims)
    this.#wakeNow()
  }

  wake(at: number): void {
    this.#loop.wake(at)
  }

  async idle(): Promise<void> {
    do {
      await this.#untilIdle()
      await this.#results.flushed()
      await this.#loop.idle()
    } while (!this.#isIdle())
  }

  health() {
    return this.#loop.health()
  }

  /** Ends the attempts in flight, within `graceMs` at most, and releases all other claims. */
  async stop(graceMs: number): Promise<void> {
    const { clock, log } = this.#options
    this.#stopping.abort(ended)
    await this.#loop.stop()
    this.#releases.add(this.#queues.takeWaiting())
    const grace = new AbortController()
    await Promise.race([this.#untilIdle(), clock.sleep(graceMs, grace.signal)])
    grace.abort(ended)
    await this.#results.write().catch((error) => log.error({ err: error }, 'storing delivery results failed'))
    await this.#releases
      .write()
      .catch((error) => log.error({ err: error }, 'releasing claims failed; they end with their lease'))
  }

  async #nextAt(): Promise<number | null> {
    const { store, clock, channels } = this.#options
    if (this.#queues.update(await channels.open(store.db), clock.now())) this.#announceIdle()
    await this.#channelHealth.save() // includes what another process had locked before
    this.#due = await nextDue(store.db)
    let next: number | null = null
    const now = clock.now()
    for (const [id, { at, heldUntilAt }] of this.#due) {
      const queue = this.#queues.get(id)
      if (!queue) continue
      if (heldUntilAt !== null) this.#hold(queue, heldUntilAt, now)
      const startsAt = Math.max(at, queue.rateLimit.heldUntil(now), queue.damagedUntil)
      queue.hasMore = startsAt <= now && !wantsMore(queue, now)
      if (!queue.hasMore && (next === null || startsAt < next)) next = startsAt
    }
    const hasWork = this.#results.isWaiting() || this.#releases.isWaiting()
    return hasWork ? Math.min(next ?? clock.now(), clock.now()) : next
  }

  async #work(): Promise<number> {
    const { clock } = this.#options
    // Results are stored before anything is claimed: otherwise a message that was sent could be claimed and sent again.
    let done = (await this.#results.write()) + (await this.#releases.write())
    for (const [id, { at }] of this.#due) {
      const queue = this.#queues.get(id)
      const now = clock.now()
      // A handful of a thousand channels have something due: a transaction for each of the others would delay these.
      if (!queue || Math.max(at, queue.damagedUntil) > now || !wantsMore(queue, now)) continue
      done += await this.#claim(queue)
    }
    return done
  }

  /** No attempt starts before the receiver wants it. Claims that waited here would only outlive their lease. */
  #hold(queue: ChannelQueue, until: number, now: number): void {
    queue.rateLimit.holdUntil(until, now)
    if (isHeld(queue, now)) this.release(queue.waiting.splice(0))
  }

  /** Starts as many attempts as the queue may have in flight. */
  async #fill(queue: ChannelQueue): Promise<void> {
    if (queue.isFilling) return
    queue.isFilling = true
    try {
      while (queue.waiting.length > 0 && startable(queue) > 0 && !this.#stopping.signal.aborted) {
        const claims = takeWithGroups(queue.waiting, startable(queue))
        queue.inFlight += claims.length
        await this.#attempts.start(queue, claims)
      }
    } finally {
      queue.isFilling = false
    }
    this.#askForMore(queue)
    this.#announceIdle()
  }

  /** Fills a queue once for all attempts that end in one turn of the event loop. */
  #fillSoon(queue: ChannelQueue): void {
    if (queue.willFill) return
    queue.willFill = true
    setImmediate(() => {
      queue.willFill = false
      this.#fill(queue)
    })
  }

  /** An empty queue wakes the loop only if the last check left something behind: otherwise each of a thousand would. */
  #askForMore(queue: ChannelQueue): void {
    if (!queue.hasMore || queue.waiting.length > 0 || !wantsMore(queue, this.#options.clock.now())) return
    queue.hasMore = false
    this.#wakeNow()
  }

  #onEnded(queue: ChannelQueue, { result, outcome, heldUntilAt }: AttemptEnd): void {
    this.#queueOf.set(result, queue)
    this.#record(queue, result, outcome)
    if (heldUntilAt === undefined) return
    this.release(queue.waiting.splice(0))
    this.#channelHealth.recordHold(queue.channel.record, heldUntilAt, this.#options.clock.now())
    this.wake(heldUntilAt)
  }

  #record({ channel, rateLimit }: ChannelQueue, result: DeliveryResult, outcome?: Outcome): void {
    const now = this.#options.clock.now()
    this.#results.add(result)
    if (outcome !== undefined)
      this.#channelHealth.recordOutcome(channel.record, result, outcome, { now, holdsInARow: rateLimit.holdsInARow() })
    // A repeat that was skipped counts as no attempt.
    if (outcome !== undefined || result.state === 'cancelled') this.#options.onEnded?.(result, now)
  }

  async #onWritten(batch: readonly DeliveryResult[], dueAt: number): Promise<void> {
    for (const result of batch) this.#freeSlot(result)
    if (dueAt < Number.POSITIVE_INFINITY) this.wake(dueAt)
    await this.#channelHealth.save()
    this.#announceIdle()
  }

  /** An attempt frees its slot once its result is stored. */
  #freeSlot(result: DeliveryResult): void {
    const queue = this.#queueOf.get(result)
    if (!queue) return
    this.#queueOf.delete(result)
    queue.inFlight--
    if (queue.waiting.length > 0) this.#fillSoon(queue)
    else this.#askForMore(queue)
  }

  #onUnwritable({ claim: { channelId, notification } }: DeliveryResult): void {
    this.#queues.get(channelId)?.unwritable.add(notification.id)
    this.#options.log.error(
      { channel: channelId, notification: notification.id },
      'the result of a delivery cannot be stored, since the database is damaged; it is not sent again before a restart',
    )
  }

  #wakeNow(): void {
    this.wake(this.#options.clock.now())
  }

  #isIdle(): boolean {
    return this.#results.isDone() && this.#queues.areEmpty()
  }

  #untilIdle(): Promise<void> {
    return this.#isIdle() ? Promise.resolve() : new Promise<void>((resolve) => this.#whenIdle.push(resolve))
  }

  #announceIdle(): void {
    if (this.#whenIdle.length === 0 || !this.#isIdle()) return
    for (const resolve of this.#whenIdle) resolve()
    this.#whenIdle = []
  }
}
