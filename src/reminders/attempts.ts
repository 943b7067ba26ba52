import { setImmediate as turn } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Channel } from '#channels/channel.ts'
import type { Clock } from '#clock.ts'
import { repeatEndReason } from '#core/channel.ts'
import { attemptMs, type Outcome, thrownOutcome, timedOut } from '#core/delivery.ts'
import { cancelReason, kindAt, type Links, type Message, type Notification } from '#core/notification.ts'
import type { Claim, DeliveryResult } from '#store/claims.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { unreadableReason } from '#store/unreadable-deliveries.ts'
import { type ChannelQueue, isHeld } from './channel-queue.ts'
import type { ChannelRegistry } from './channel-registry.ts'
import { type ClaimedTasks, readClaimedTasks, readClaimedTasksOneByOne } from './claimed-tasks.ts'
import { type Live, toAttemptResult, toMessage, toMessages } from './messages.ts'

export interface DeliveryTimes {
  /** The lifetime of a claim. No attempt starts whose result might be recorded after it. */
  readonly leaseMs: number
  readonly sendTimeoutMs: number
  /**
   * The end of the lease, kept for recording the result. Without it, an attempt that took its whole time was repeated by another replica
   * while its result was on its way: at load 19 on two cores the slowest result took 0.6 s. It covers clocks that differ by a second too.
   */
  readonly recordMs: number
}

export const defaultTimes: DeliveryTimes = { leaseMs: 30_000, sendTimeoutMs: attemptMs, recordMs: 5_000 }

export interface AttemptEnd {
  readonly result: DeliveryResult
  readonly outcome: Outcome
  /** The end of the hold, where the outcome began one: in ms since 1970. */
  readonly heldUntilAt: number | undefined
}

export interface AttemptDeps {
  readonly store: Pick<Store, 'db' | 'commitSequence'>
  readonly clock: Clock
  readonly channels: ChannelRegistry
  readonly linksFor: (notification: Notification) => Links | null
  readonly times: DeliveryTimes
  readonly log: Logger
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal
  readonly release: (claims: readonly Claim[]) => void
  /** Called for a claim that ends without an attempt. */
  readonly onSkipped: (queue: ChannelQueue, result: DeliveryResult) => void
  readonly onEnded: (queue: ChannelQueue, end: AttemptEnd) => void
}

const recheckMs = 500
/** One turn of the event loop reads an answer from its socket, the next one ends the exchange. */
const turnsToRead = 2
/** An abort without a reason creates an error with a stack: 14 µs each. */
const over = 'over'

/** Turns the claims of a queue into outcomes. Notifications that are still true are sent; the others are cancelled or released. */
export class Attempts {
  readonly #deps: AttemptDeps

  constructor(deps: AttemptDeps) {
    this.#deps = deps
  }

  /**
   * Checks with one query which notifications are still true, and starts their attempts in the same turn of the event loop.
   * @returns resolves when the attempts have started; `onEnded` reports how they ended
   */
  async start(queue: ChannelQueue, claims: readonly Claim[]): Promise<void> {
    const { clock, stopping } = this.#deps
    let claimed: ClaimedTasks
    try {
      claimed = await this.#read(queue, claims)
    } catch {
      // The database is away, and the loop logs it. No attempt starts unchecked: the claims go back to the front of the queue.
      queue.inFlight -= claims.length
      queue.waiting.unshift(...claims)
      await clock.sleep(recheckMs, stopping)
      return
    }
    const now = clock.now()
    this.#send(queue, this.#select(queue, claimed, now), now)
  }

  /** Claims on a damaged page fail; the others go ahead. */
  async #read(queue: ChannelQueue, claims: readonly Claim[]): Promise<ClaimedTasks> {
    const { store, onSkipped } = this.#deps
    try {
      return await readClaimedTasks(store, claims)
    } catch (error) {
      if (!isDamage(store.db, error)) throw error
    }
    const { readable, damaged } = await readClaimedTasksOneByOne(store, claims)
    for (const claim of damaged) {
      queue.inFlight--
      const result = { claim, state: 'failed', nextAt: null, error: unreadableReason, latencyMs: null } as const
      this.#logFailed(queue.channel.record.name, result)
      onSkipped(queue, result)
    }
    return readable
  }

  /** @returns the claims whose notification is still true; the others leave the queue */
  #select(queue: ChannelQueue, { claims, tasks, acknowledged }: ClaimedTasks, now: number): Live[] {
    const { channels, linksFor, times, release, onSkipped } = this.#deps
    const live: Live[] = []
    for (const claim of claims) {
      const { notification } = claim
      const task = tasks.get(notification.taskId)
      const reason = cancelReason(notification, task)
      const isOver =
        claim.repeats > 0 && (reason ?? repeatEndReason(notification, task, acknowledged.has(notification.id))) !== null
      if (isOver || reason !== null || !task) {
        queue.inFlight--
        // A repeat that is no longer true is not sent, but the first message was: that delivery stays sent.
        const state = isOver ? 'sent' : 'cancelled'
        onSkipped(queue, { claim, state, nextAt: null, error: isOver ? null : reason, latencyMs: null })
      } else if (now + times.sendTimeoutMs + times.recordMs > claim.leaseUntil || isHeld(queue, now)) {
        // The claim waited too long: another process could take it before this attempt is recorded. It needs a fresh lease. This counts as no
        // attempt: a channel that hangs must not use up the attempts of notifications that it never received.
        queue.inFlight--
        release([claim])
      } else {
        const kind = kindAt(notification.reminder, notification.expiryAt, now)
        const timeZone = task.timeZone ?? channels.defaultsOf(task.userId).timeZone
        live.push({ claim, item: { notification, task, kind, timeZone, links: linksFor(notification) } })
      }
    }
    return live
  }

  #send(queue: ChannelQueue, live: readonly Live[], startedAt: number): void {
    const { clock, times } = this.#deps
    const { channel } = queue
    const finished = new AbortController()
    const timeout = new AbortController()
    const inFlight = new Set<readonly Live[]>()
    const end = (items: readonly Live[], outcome: Outcome) => {
      if (!inFlight.delete(items)) return // the outcome came after the time-out
      channel.release()
      this.#end(queue, items, outcome, startedAt)
      if (inFlight.size === 0) finished.abort(over)
    }
    for (const items of toMessages(live)) {
      inFlight.add(items)
      channel.retain()
      send(channel.channel, toMessage(items, startedAt), timeout.signal).then((outcome) => end(items, outcome))
    }
    if (inFlight.size === 0) return
    clock.sleep(times.sendTimeoutMs, finished.signal).then(async () => {
      if (inFlight.size === 0) return // all ended in time
      // After a suspend, or starved of processor time, Node runs timers before it reads the answers that wait in its sockets.
      for (let i = 0; i < turnsToRead && inFlight.size > 0; i++) await turn()
      if (inFlight.size === 0) return
      timeout.abort()
      // A channel that ignores the signal is not waited for.
      for (const items of inFlight) end(items, timedOut(times.sendTimeoutMs))
    })
  }

  #end(queue: ChannelQueue, items: readonly Live[], outcome: Outcome, startedAt: number): void {
    const { clock, onEnded } = this.#deps
    const { channel, rateLimit } = queue
    const endedAt = clock.now()
    const times = { startedAt, endedAt, chance: Math.random() }
    const heldUntilAt = rateLimit.record(outcome, times)
    for (const { claim } of items) {
      const result = { claim, ...toAttemptResult(channel, claim, outcome, times), latencyMs: endedAt - startedAt }
      if (result.state === 'failed') this.#logFailed(channel.record.name, result)
      onEnded(queue, { result, outcome, heldUntilAt })
    }
  }

  #logFailed(channel: string, { claim: { id, notification }, error: reason }: DeliveryResult): void {
    this.#deps.log.error({ channel, delivery: id, task: notification.taskId, reason }, 'notification delivery failed')
  }
}

async function send(channel: Channel, message: Message, signal: AbortSignal): Promise<Outcome> {
  try {
    return await channel.send(message, signal)
  } catch (error) {
    return thrownOutcome(error)
  }
}
