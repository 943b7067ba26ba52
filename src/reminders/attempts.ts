import type { Logger } from 'pino'
import type { Channel } from '#channels/channel.ts'
import type { Clock } from '#clock.ts'
import { repeatEndReason } from '#core/channel.ts'
import { type Outcome, thrownOutcome, timedOut } from '#core/delivery.ts'
import { cancelReason, kindAt, type Links, type Message, type Notification } from '#core/notification.ts'
import type { Task } from '#core/task.ts'
import type { Claim, DeliveryResult } from '#store/claims.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { notificationsByIds } from '#store/notifications.ts'
import { tasksByIds } from '#store/tasks.ts'
import { unreadableReason } from '#store/unreadable-deliveries.ts'
import { type ChannelQueue, isHeld } from './channel-queues.ts'
import type { ChannelSet } from './channel-registry.ts'
import { type Live, toAttemptResult, toMessage, toMessages } from './messages.ts'

/** From claims of a lane to outcomes: what is still true is sent, the rest is dropped or given back. */
export interface Attempts {
  /** Resolves when the attempts have started; how they ended is told later. */
  start(queue: ChannelQueue, claims: readonly Claim[]): Promise<void>
}

export interface AttemptEnd {
  readonly settled: DeliveryResult
  readonly outcome: Outcome
  /** The end of the hold, where the outcome began one: in ms since 1970. */
  readonly heldUntilAt: number | undefined
}

interface Seen {
  readonly claims: readonly Claim[]
  /** Their tasks, by id. */
  readonly found: ReadonlyMap<number, Task>
  /** The notifications that somebody has acknowledged. */
  readonly seen: ReadonlySet<number>
}

const lookAgainMs = 500
/** Why a timer is not needed any more. Without a reason an abort makes an error, with a stack, of its own: 14 µs each. */
const over = 'over'

export function createAttempts(deps: {
  store: Store
  clock: Clock
  channels: ChannelSet
  linksFor: (notification: Notification) => Links | null
  sendTimeoutMs: number
  log: Logger
  /** Aborted when the server stops. */
  stopping: AbortSignal
  giveBack: (claims: readonly Claim[]) => void
  onDropped: (queue: ChannelQueue, settled: DeliveryResult) => void
  onEnded: (queue: ChannelQueue, end: AttemptEnd) => void
}): Attempts {
  const { store, clock, channels, linksFor, sendTimeoutMs, log, stopping } = deps

  /** The tasks of some claims, by id, as they are now. What was seen in this edition of the store is not read again. */
  async function look(claims: readonly Claim[]): Promise<ReadonlyMap<number, Task>> {
    const commitSequence = store.commitSequence()
    const found = new Map<number, Task>()
    const unseen = new Set<number>()
    for (const { notification, seen } of claims)
      if (seen?.commitSequence === commitSequence) found.set(notification.taskId, seen.task)
      else unseen.add(notification.taskId)
    if (unseen.size > 0) for (const [id, task] of await tasksByIds(store.db, [...unseen])) found.set(id, task)
    return found
  }

  /** Of what is told again: which somebody has seen. */
  async function acknowledged(claims: readonly Claim[]): Promise<ReadonlySet<number>> {
    const ids = claims.filter(({ repeats }) => repeats > 0).map(({ notification }) => notification.id)
    if (ids.length === 0) return new Set()
    const notifications = await notificationsByIds(store.db, ids)
    return new Set(ids.filter((id) => (notifications.get(id)?.acknowledgedAt ?? null) !== null))
  }

  /** What is known of some claims, in two queries. */
  async function lookAtAll(claims: readonly Claim[]): Promise<Seen> {
    const found = await look(claims)
    return { claims, found, seen: await acknowledged(claims) }
  }

  /** The same claim by claim, where one lies on a damaged page: it is given up, and the others go. */
  async function lookOneByOne(queue: ChannelQueue, claims: readonly Claim[]): Promise<Seen> {
    const readable: Claim[] = []
    const found = new Map<number, Task>()
    const seen = new Set<number>()
    for (const claim of claims)
      try {
        const one = await lookAtAll([claim])
        readable.push(claim)
        for (const [id, task] of one.found) found.set(id, task)
        for (const id of one.seen) seen.add(id)
      } catch (error) {
        if (!isDamage(store.db, error)) throw error
        queue.inFlight--
        const settled = { claim, state: 'failed', nextAt: null, error: unreadableReason, latencyMs: null } as const
        notifyFailed(queue.channel.record.name, settled)
        deps.onDropped(queue, settled)
      }
    return { claims: readable, found, seen }
  }

  /** Those of the claims that are still true; the others leave the lane. */
  function sift(queue: ChannelQueue, { claims, found, seen }: Seen, now: number): Live[] {
    const live: Live[] = []
    for (const claim of claims) {
      const { notification } = claim
      const task = found.get(notification.taskId)
      const reason = cancelReason(notification, task)
      const isOver =
        claim.repeats > 0 && (reason ?? repeatEndReason(notification, task, seen.has(notification.id))) !== null
      if (isOver || reason !== null || !task) {
        queue.inFlight--
        // Nothing is told again of what is no longer true; that it was told once stays true.
        const state = isOver ? 'sent' : 'cancelled'
        deps.onDropped(queue, { claim, state, nextAt: null, error: isOver ? null : reason, latencyMs: null })
      } else if (now + sendTimeoutMs > claim.leaseUntil || isHeld(queue, now)) {
        // Waited too long in the queue: somebody may have it by the time this attempt would end. With a fresh lease it may go, and
        // this was no attempt: a channel that hangs must not use up those of notifications that it has never been given.
        queue.inFlight--
        deps.giveBack([claim])
      } else {
        const kind = kindAt(notification.reminder, notification.expiryAt, now)
        const timeZone = task.timeZone ?? channels.defaultsOf(task.userId).timeZone
        live.push({ claim, item: { notification, task, kind, timeZone, links: linksFor(notification) } })
      }
    }
    return live
  }

  function send(queue: ChannelQueue, live: readonly Live[], startedAt: number) {
    const finished = new AbortController()
    const timeout = new AbortController()
    const inFlight = new Set<readonly Live[]>()
    const { channel } = queue
    const end = (told: readonly Live[], outcome: Outcome) => {
      if (!inFlight.delete(told)) return // it came after its time-out
      channel.release()
      const endedAt = clock.now()
      const times = { startedAt, endedAt, chance: Math.random() }
      const heldUntilAt = queue.rateLimit.record(outcome, times)
      for (const { claim } of told) {
        const settled = { claim, ...toAttemptResult(channel, claim, outcome, times), latencyMs: endedAt - startedAt }
        if (settled.state === 'failed') notifyFailed(channel.record.name, settled)
        deps.onEnded(queue, { settled, outcome, heldUntilAt })
      }
      if (inFlight.size === 0) finished.abort(over)
    }
    for (const told of toMessages(live)) {
      inFlight.add(told)
      channel.hold()
      say(channel.channel, toMessage(told, startedAt), timeout.signal).then((outcome) => end(told, outcome))
    }
    if (inFlight.size === 0) return
    clock.sleep(sendTimeoutMs, finished.signal).then(() => {
      // After the end of all, nobody listens any more.
      if (inFlight.size === 0) return
      timeout.abort()
      // A channel that does not heed the signal is left behind.
      for (const told of inFlight) end(told, timedOut(sendTimeoutMs))
    })
  }

  function notifyFailed(channel: string, { claim: { id, notification }, error: reason }: DeliveryResult) {
    log.error(
      { channel, delivery: id, task: notification.taskId, reason },
      'given up: a notification could not be delivered',
    )
  }

  return {
    /** Looks whether each is still true, in one query, and starts those that are, in the same turn of the event loop. */
    async start(queue, claims) {
      let known: Seen
      try {
        known = await lookAtAll(claims).catch((error) => {
          if (!isDamage(store.db, error)) throw error
          return lookOneByOne(queue, claims)
        })
      } catch {
        // The database is away; the loop says so. Nothing is begun unseen: back to the front, and looked at again.
        queue.inFlight -= claims.length
        queue.queue.unshift(...claims)
        await clock.sleep(lookAgainMs, stopping)
        return
      }
      const now = clock.now()
      send(queue, sift(queue, known, now), now)
    },
  }
}

async function say(channel: Channel, message: Message, signal: AbortSignal): Promise<Outcome> {
  try {
    return await channel.send(message, signal)
  } catch (error) {
    return thrownOutcome(error)
  }
}
