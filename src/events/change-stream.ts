import { setImmediate as turn } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { EventType } from '#api/schemas/event.ts'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { lastChanges } from '#store/changes.ts'
import type { Db } from '#store/schema.ts'
import { createFollowerLimits } from './follower-limits.ts'
import { readEvents, type StreamEvent } from './read-events.ts'

export type { StreamEvent }

export interface ChangeStreamOptions {
  readonly db: Db
  readonly clock: Clock
  readonly log: Pick<Logger, 'error' | 'info'>
}

export interface EventFilter {
  readonly userId: number
  /** All types if absent. */
  readonly types?: readonly EventType[] | undefined
  readonly taskId?: number | undefined
}

/** The receiver of events. */
export interface Subscriber {
  /** Whether it can take events now; if not, it calls `wake` when it can. */
  isReady(): boolean
  /**
   * Takes events, perhaps none, and moves on to `position`. Subscribers that receive the same events are given the same list, so that
   * work on it can be shared.
   */
  take(events: readonly StreamEvent[], position: number): void
  /** The changes after its position are no longer kept: it continues at another one. */
  reset(position: number): void
  /** Called at intervals, so that idle connections stay open. */
  heartbeat(position: number): void
  /** The changes could not be read just now. */
  fail(error: unknown): void
  end(): void
}

/** Longest delay of a change that another replica wrote. */
const pollMs = 1_000
const heartbeatMs = 15_000
const pageSize = 200
/** Size of one batch for a subscriber; the rest of a page follows once it has taken that. */
const maxBytes = 256 * 1024
/** Longest turn of the event loop spent on subscribers, in ms: a thousand take about 20. */
const sliceMs = 5

interface Subscription {
  position: number
  readonly filter: EventFilter
  /** Equal for equal filters. */
  readonly key: string
  readonly subscriber: Subscriber
}

export function startChangeStream(options: ChangeStreamOptions): ChangeStream {
  return new ChangeStream(options)
}

/**
 * Sends changes to subscribers, from the numbered list of changes. One loop for each process:
 *
 *   our own commits ─ wake ─┐                                    ┌─▶ those at the front: one page, read and serialized once
 *   a second has passed ────┴─▶ which subscribers lag behind? ───┼─▶ those furthest back: one page
 *                                                                └─▶ none: sleep
 *
 * A subscription is a position in the list, and its events follow from that alone. A subscriber that is slow, reconnects or starts in the
 * past only lags behind: it is read for again from its position once it can take events, and nothing is buffered meanwhile. Each turn
 * reads two pages at most, so that a subscriber that reads a week of the past does not delay those at the front.
 *
 * A queue of events for each subscriber was rejected: a thousand slow ones would hold a thousand queues. The loop reads only while there
 * are subscribers, and knows nothing of HTTP.
 */
export class ChangeStream {
  readonly #options: ChangeStreamOptions
  readonly #byUser = new Map<number, Set<Subscription>>()
  readonly #limits = createFollowerLimits()
  #count = 0
  #isStopped = false
  /** Aborted when the last subscriber leaves. */
  #running: AbortController | undefined
  #nap: AbortController | undefined
  #isWoken = false

  constructor(options: ChangeStreamOptions) {
    this.#options = options
  }

  /** Reports that the lists of these users have grown. */
  wake(userIds: readonly number[]): void {
    if (userIds.some((userId) => this.#byUser.has(userId))) this.#wakeUp()
  }

  /**
   * Sends the changes after `after` to the subscriber, until the returned function is called.
   * @param credentialId of the token or session of the request; null if there is none
   * @throws Problem `unavailable` for too many subscribers in all, `rate-limited` for too many of this credential or user
   */
  subscribe(
    after: number,
    filter: EventFilter,
    subscriber: Subscriber,
    credentialId: number | null = null,
  ): () => void {
    if (this.#isStopped) throw new Problem('unavailable', 'The server is stopping.', { retryAfterMs: 1_000 })
    const { userId, types, taskId } = filter
    const releaseLimits = this.#limits.acquire({ userId, credentialId })
    const subscription = { position: after, filter, key: `${taskId} ${types?.toSorted()}`, subscriber }
    const subscriptions = this.#byUser.get(userId) ?? new Set()
    this.#byUser.set(userId, subscriptions.add(subscription))
    if (this.#count++ === 0) this.#start()
    else this.#wakeUp()
    return () => {
      if (!subscriptions.delete(subscription)) return
      releaseLimits()
      if (subscriptions.size === 0) this.#byUser.delete(userId)
      if (--this.#count > 0) return
      this.#running?.abort()
      this.#nap?.abort()
    }
  }

  /** Ends every subscriber, and accepts no more. */
  stop(): void {
    this.#isStopped = true
    for (const { subscriber } of this.#all()) subscriber.end()
  }

  #start(): void {
    this.#running = new AbortController()
    this.#run(this.#running.signal)
    this.#sendHeartbeats(this.#running.signal)
  }

  #wakeUp(): void {
    this.#isWoken = true
    this.#nap?.abort()
  }

  #all(): Subscription[] {
    return [...this.#byUser.values()].flatMap((subscriptions) => [...subscriptions])
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    let lastError: unknown
    while (!signal.aborted) {
      this.#isWoken = false
      let hasMoved = false
      try {
        hasMoved = await this.#sendAll()
        if (lastError !== undefined) log.info('events can be read again')
        lastError = undefined
      } catch (error) {
        if (signal.aborted) return // there are no more subscribers
        if (String(error) !== String(lastError)) log.error({ err: error }, 'reading events failed; retrying')
        lastError = error
        for (const { subscriber } of this.#all()) subscriber.fail(error)
      }
      if (!hasMoved && !this.#isWoken && !signal.aborted) {
        const nap = new AbortController()
        this.#nap = nap
        await clock.sleep(pollMs, nap.signal)
        if (this.#nap === nap) this.#nap = undefined
      }
      await turn() // the writers are answered first, and other work runs in between
    }
  }

  async #sendHeartbeats(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(heartbeatMs, signal)
      if (signal.aborted) return
      await this.#inSlices(this.#all(), ({ subscriber, position }) => subscriber.heartbeat(position))
    }
  }

  /** Calls for each subscription that still exists, `sliceMs` in each turn of the event loop. */
  async #inSlices(subscriptions: readonly Subscription[], call: (subscription: Subscription) => void): Promise<void> {
    let startedAt = performance.now()
    for (const subscription of subscriptions) {
      if (!this.#byUser.get(subscription.filter.userId)?.has(subscription)) continue
      call(subscription)
      if (performance.now() - startedAt < sliceMs) continue
      await turn()
      startedAt = performance.now()
    }
  }

  /** @returns whether any subscriber lagged behind */
  async #sendAll(): Promise<boolean> {
    const lasts = await lastChanges(this.#options.db, [...this.#byUser.keys()])
    let hasLagged = false
    for (const [userId, subscriptions] of this.#byUser) {
      const last = lasts.get(userId) ?? 0
      const lagging = [...subscriptions].filter(({ position, subscriber }) => position < last && subscriber.isReady())
      if (lagging.length === 0) continue
      hasLagged = true
      const [front, back] = positionRange(lagging)
      await this.#sendPage(lagging, userId, front, last)
      if (back < front) await this.#sendPage(lagging, userId, back, last)
    }
    return hasLagged
  }

  /** Reads the page after a position, and sends it to all subscriptions at that position or within the page. */
  async #sendPage(subscriptions: readonly Subscription[], userId: number, from: number, last: number): Promise<void> {
    const page = await readEvents(this.#options.db, userId, from, pageSize)
    const first = page[0]?.number ?? last + 1
    const end = page.at(-1)?.number ?? last
    const batches = new Map<string, Batch>()
    await this.#inSlices(subscriptions, (subscription) => {
      const { position, filter, key, subscriber } = subscription
      if (position < from || position >= end) return
      if (position + 1 < first) {
        // Numbers have no gaps: missing changes are no longer kept.
        subscription.position = last
        return subscriber.reset(last)
      }
      const batch = batches.get(`${position} ${key}`) ?? selectEvents(page, position, filter)
      batches.set(`${position} ${key}`, batch)
      subscription.position = batch.position
      subscriber.take(batch.events, batch.position)
    })
  }
}

/** The highest position and the lowest. */
function positionRange(subscriptions: readonly Subscription[]): [number, number] {
  let [front, back] = [0, Number.POSITIVE_INFINITY]
  for (const { position } of subscriptions) {
    front = Math.max(front, position)
    back = Math.min(back, position)
  }
  return [front, back]
}

interface Batch {
  readonly events: readonly StreamEvent[]
  /** The position of a subscription after these events. */
  readonly position: number
}

/** The events of a page after a position that match a filter, up to `maxBytes`. */
function selectEvents(page: readonly StreamEvent[], position: number, { types, taskId }: EventFilter): Batch {
  const events: StreamEvent[] = []
  let bytes = 0
  for (const event of page) {
    if (event.number <= position) continue
    if (types && !types.includes(event.type)) continue
    // An event about many tasks may concern this one.
    if (taskId !== undefined && event.taskId !== taskId && event.taskId !== null) continue
    events.push(event)
    bytes += event.text.length
    if (bytes >= maxBytes) return { events, position: event.number }
  }
  return { events, position: page.at(-1)?.number ?? position }
}
