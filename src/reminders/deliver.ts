import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { attemptMs, type Outcome } from '#core/delivery.ts'
import type { Links, Notification } from '#core/notification.ts'
import { type Claim, type DeliveryResult, releaseClaims } from '#store/claims.ts'
import type { Store } from '#store/engine/open.ts'
import { type NextDue, nextDue } from '#store/next-due.ts'
import { createAttempts } from './attempts.ts'
import type { BatchSize } from './batch-size.ts'
import { createChannelWatch } from './channel-health.ts'
import { type ChannelQueue, changeChannel, isHeld, newQueue, room, startable, wantsMore } from './channel-queues.ts'
import type { ChannelSet, OpenChannel } from './channel-registry.ts'
import { createClaiming } from './claiming.ts'
import { startLoop } from './loop.ts'
import { takeWhole } from './messages.ts'
import { createSettling } from './results.ts'

/**
 * Due deliveries go to their channels. Each channel has a lane of its own, so that a slow one delays no other:
 *
 *   ring ────── claims ─────┐
 *                           ▼
 *   database ── claim ──▶ queue ──▶ look ──▶ send ──▶ settle, many in one transaction
 *              (as far as it has room)  └─▶ dropped
 *
 * A lane holds a bounded number of claims; what does not fit waits in the database. An attempt keeps its place until its outcome is
 * written, so that a kill repeats no more on a channel than may be underway on it: left when it was answered, it was up to half as many
 * more. Knows nothing of tasks beyond whether what a notification says of one is still true.
 */
export interface Deliveries {
  readonly leaseMs: number
  /** How many more claims of a channel can be taken now. */
  room(channelId: number): number
  /** Resolves when some channel has room for so many more claims, or after a few ms. */
  capacitySoon(claims: number): Promise<void>
  /** Takes over claims that were made for this process. */
  accept(claims: readonly Claim[]): void
  /** Makes claims due again at once, as far as they are ours: for those that nobody will act on. */
  giveBack(claims: readonly Claim[]): void
  wake(at: number): void
  idle(): Promise<void>
  health(): { lookedAt: number; error: unknown }
  /** Ends what is underway, at most after `graceMs`, and gives the rest back. */
  stop(graceMs: number): Promise<void>
}

export interface DeliveryTimes {
  /** A claim is ours for this long. An attempt that could outlast it is not begun. */
  readonly leaseMs: number
  readonly sendTimeoutMs: number
}

const defaultTimes: DeliveryTimes = { leaseMs: 30_000, sendTimeoutMs: attemptMs }
/** Without a reason an abort makes an error with a stack. */
const ended = 'ended'

/** Turns of the event loop that the ring waits for room: 2 to 5 ms. Counted, not timed: turns pass while a test holds the clock. */
const maxTurns = 1_000

export function startDeliveries({
  store,
  clock,
  channels,
  batchSize,
  linksFor,
  wakeFiring,
  log,
  times: { leaseMs, sendTimeoutMs } = defaultTimes,
  onEnded,
}: {
  store: Store
  clock: Clock
  channels: ChannelSet
  batchSize: BatchSize
  /** Where a person can act on what a notification says. */
  linksFor: (notification: Notification) => Links | null
  /** Something is to ring. */
  wakeFiring: (at: number) => void
  log: Logger
  times?: DeliveryTimes | undefined
  /** Told of each attempt that has ended, and of what is dropped before one. */
  onEnded?: (settled: DeliveryResult, at: number) => void
}): Deliveries {
  const queues = new Map<number, ChannelQueue>()
  let open: readonly OpenChannel[] = []
  const watch = createChannelWatch({ store, log, wakeFiring })
  const toRelease: Claim[] = []
  const stopping = new AbortController()
  let whenQuiet: (() => void)[] = []

  /** Of the last look. */
  let due: ReadonlyMap<number, NextDue> = new Map()

  const loop = startLoop('deliver', {
    clock,
    log,
    async nextAt() {
      await refresh()
      await watch.write() // what somebody else had in hand when it was to be written
      due = await nextDue(store.db)
      let next: number | null = null
      const now = clock.now()
      for (const [id, { at, heldUntilAt }] of due) {
        const queue = queues.get(id)
        if (!queue) continue
        if (heldUntilAt !== null) hold(queue, heldUntilAt, now)
        const startsAt = Math.max(at, queue.rateLimit.heldUntil(now), queue.damagedUntil)
        queue.hasMore = startsAt <= now && !wantsMore(queue, now)
        if (!queue.hasMore && (next === null || startsAt < next)) next = startsAt
      }
      return settling.isWaiting() || toRelease.length > 0 ? Math.min(next ?? clock.now(), clock.now()) : next
    },
    async work() {
      // What is already sent must be written before anything is claimed, or it could be claimed and sent again.
      let done = (await settling.write()) + (await release())
      for (const [id, { at }] of due) {
        const queue = queues.get(id)
        const now = clock.now()
        // Of a thousand channels a handful have something: a transaction for each of the others would delay these.
        if (!queue || Math.max(at, queue.damagedUntil) > now || !wantsMore(queue, now)) continue
        done += await claim(queue)
      }
      return done
    },
  })

  const claim = createClaiming({ store, clock, batchSize, leaseMs, log, accept, giveBack })

  /** Attempts that have ended and are not written yet. */
  const placeOf = new Map<DeliveryResult, ChannelQueue>()
  const settling = createSettling({
    store,
    async onWritten(batch, dueAt) {
      for (const settled of batch) leave(settled)
      if (dueAt < Number.POSITIVE_INFINITY) loop.wake(dueAt)
      await watch.write()
      announceQuiet()
    },
    onFailed: () => loop.wake(clock.now()), // the loop tries again, and says what is wrong
    onUnwritable({ claim: { channelId, notification } }) {
      queues.get(channelId)?.unwritable.add(notification.id)
      log.error(
        { channel: channelId, notification: notification.id },
        'the result of a delivery cannot be stored, since the database is damaged; it is not sent again before a restart',
      )
    },
  })

  /** An attempt that is written down makes room for the next. */
  function leave(settled: DeliveryResult) {
    const queue = placeOf.get(settled)
    if (!queue) return
    placeOf.delete(settled)
    queue.inFlight--
    if (queue.queue.length > 0) fillSoon(queue)
    else askForMore(queue)
  }

  /** Nothing begins before the receiver of a channel wants it. What waits here would only outlive its lease. */
  function hold(queue: ChannelQueue, until: number, now: number) {
    queue.rateLimit.holdUntil(until, now)
    if (isHeld(queue, now)) giveBack(queue.queue.splice(0))
  }

  /** Lanes as there are channels. What a lane held whose channel is gone has been dropped with it, in the database. */
  async function refresh() {
    const list = await channels.open(store.db)
    if (list === open) return
    open = list
    const byId = new Map(list.map((channel) => [channel.record.id, channel]))
    for (const [id, queue] of queues)
      if (!byId.has(id)) {
        queue.queue.length = 0
        queues.delete(id)
      }
    for (const [id, channel] of byId) {
      const queue = queues.get(id)
      if (queue) changeChannel(queue, channel)
      else queues.set(id, newQueue(channel, clock.now()))
    }
    announceQuiet()
  }

  function accept(claims: readonly Claim[]) {
    const orphaned: Claim[] = []
    // Not each lane there is: with 3,000 channels that was 27 ms of every ring.
    const fed = new Set<ChannelQueue>()
    const now = clock.now()
    for (const claim of claims) {
      const queue = queues.get(claim.channelId)
      if (queue && !isHeld(queue, now)) {
        queue.queue.push(claim)
        fed.add(queue)
      } else orphaned.push(claim)
    }
    giveBack(orphaned)
    for (const queue of fed) fill(queue)
  }

  function giveBack(claims: readonly Claim[]) {
    if (claims.length === 0) return
    toRelease.push(...claims)
    loop.wake(clock.now())
  }

  /** @returns how many claims were given back */
  async function release(): Promise<number> {
    const batch = toRelease.slice()
    if (batch.length > 0) await store.transactDeliveries((tx) => releaseClaims(tx, batch))
    toRelease.splice(0, batch.length)
    return batch.length
  }

  /** Starts as many attempts as the lane may have underway. */
  async function fill(queue: ChannelQueue) {
    if (queue.isFilling) return
    queue.isFilling = true
    try {
      while (queue.queue.length > 0 && startable(queue) > 0 && !stopping.signal.aborted) {
        const claims = takeWhole(queue.queue, startable(queue))
        queue.inFlight += claims.length
        await attempts.start(queue, claims)
      }
    } finally {
      queue.isFilling = false
    }
    askForMore(queue)
    announceQuiet()
  }

  /** A lane that is empty asks only where the last look left something behind: each of a thousand would wake the loop otherwise. */
  function askForMore(queue: ChannelQueue) {
    if (!queue.hasMore || queue.queue.length > 0 || !wantsMore(queue, clock.now())) return
    queue.hasMore = false
    loop.wake(clock.now())
  }

  /** What ends in one turn of the event loop is followed by one look and not by many. */
  function fillSoon(queue: ChannelQueue) {
    if (queue.willFill) return
    queue.willFill = true
    setImmediate(() => {
      queue.willFill = false
      fill(queue)
    })
  }

  const attempts = createAttempts({
    store,
    clock,
    channels,
    linksFor,
    sendTimeoutMs,
    log,
    stopping: stopping.signal,
    giveBack,
    onDropped: record,
    onEnded(queue, { settled, outcome, heldUntilAt }) {
      placeOf.set(settled, queue)
      record(queue, settled, outcome)
      if (heldUntilAt === undefined) return
      giveBack(queue.queue.splice(0))
      watch.noteHold(queue.channel.record, heldUntilAt, clock.now())
      loop.wake(heldUntilAt)
    },
  })

  function record({ channel, rateLimit }: ChannelQueue, settled: DeliveryResult, outcome?: Outcome) {
    settling.add(settled)
    const attempt = { now: clock.now(), holdsInARow: rateLimit.holdsInARow() }
    if (outcome !== undefined) watch.note(channel.record, settled, outcome, attempt)
    // What need not be told again was no attempt.
    if (outcome !== undefined || settled.state === 'cancelled') onEnded?.(settled, clock.now())
  }

  const isQuiet = () =>
    settling.isDone() && queues.values().every(({ queue, inFlight }) => queue.length === 0 && inFlight === 0)

  function announceQuiet() {
    if (whenQuiet.length === 0 || !isQuiet()) return
    for (const resolve of whenQuiet) resolve()
    whenQuiet = []
  }

  const quiet = () => (isQuiet() ? Promise.resolve() : new Promise<void>((resolve) => whenQuiet.push(resolve)))

  return {
    leaseMs,
    room(channelId) {
      const queue = queues.get(channelId)
      return queue ? room(queue, clock.now()) : 0
    },
    async capacitySoon(claims) {
      const now = clock.now()
      for (let turn = 0; turn < maxTurns; turn++) {
        if (queues.size === 0 || queues.values().some((queue) => room(queue, now) >= claims)) return
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    accept,
    giveBack,
    wake: loop.wake,
    async idle() {
      do {
        await quiet()
        await settling.end()
        await loop.idle()
      } while (!isQuiet())
    },
    health: loop.health,
    async stop(graceMs) {
      stopping.abort(ended)
      await loop.stop()
      const waiting = [...toRelease.splice(0), ...[...queues.values()].flatMap(({ queue }) => queue.splice(0))]
      const grace = new AbortController()
      await Promise.race([quiet(), clock.sleep(graceMs, grace.signal)])
      grace.abort(ended)
      await settling.write().catch((error) => log.error({ err: error }, 'what was sent could not be written down'))
      if (waiting.length > 0)
        await store
          .transactDeliveries((tx) => releaseClaims(tx, waiting))
          .catch((error) => log.error({ err: error }, 'claims could not be given back; they end with their lease'))
    },
  }
}
