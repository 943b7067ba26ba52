import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { attemptMs, type Outcome } from '#core/delivery.ts'
import type { Links, Notice } from '#core/notification.ts'
import { type Claim, type NextDue, nextDue, releaseClaims, type Settled } from '#store/deliveries.ts'
import type { Store } from '#store/engine/open.ts'
import { createAttempts } from './attempts.ts'
import type { Pace } from './batch-size.ts'
import { createChannelWatch } from './channel-health.ts'
import { changeChannel, isHeld, isHungry, type Lane, newLane, room, startable } from './channel-queues.ts'
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
 * more. Knows nothing of tasks beyond whether what a notice says of one is still true.
 */
export interface Deliveries {
  readonly leaseMs: number
  /** How many more claims of a channel can be taken now. */
  room(channelId: number): number
  /** Resolves when some channel has room for so many more claims, or after a few ms. */
  roomSoon(claims: number): Promise<void>
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

const usualTimes: DeliveryTimes = { leaseMs: 30_000, sendTimeoutMs: attemptMs }
/** Without a reason an abort makes an error with a stack. */
const ended = 'ended'

/** Turns of the event loop that the ring waits for room: 2 to 5 ms. Counted, not timed: turns pass while a test holds the clock. */
const mostTurns = 1_000

export function startDeliveries({
  store,
  clock,
  channels,
  pace,
  linksFor,
  wakeRing,
  log,
  times: { leaseMs, sendTimeoutMs } = usualTimes,
  onEnded,
}: {
  store: Store
  clock: Clock
  channels: ChannelSet
  pace: Pace
  /** Where a person can act on what a notice says. */
  linksFor: (notice: Notice) => Links | null
  /** Something is to ring. */
  wakeRing: (at: number) => void
  log: Logger
  times?: DeliveryTimes | undefined
  /** Told of each attempt that has ended, and of what is dropped before one. */
  onEnded?: (settled: Settled, at: number) => void
}): Deliveries {
  const lanes = new Map<number, Lane>()
  let open: readonly OpenChannel[] = []
  const watch = createChannelWatch({ store, log, wakeRing })
  const unwanted: Claim[] = []
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
        const lane = lanes.get(id)
        if (!lane) continue
        if (heldUntilAt !== null) hold(lane, heldUntilAt, now)
        const startsAt = Math.max(at, lane.rateLimit.heldUntil(now), lane.damagedUntil)
        lane.hasMore = startsAt <= now && !isHungry(lane, now)
        if (!lane.hasMore && (next === null || startsAt < next)) next = startsAt
      }
      return settling.isWaiting() || unwanted.length > 0 ? Math.min(next ?? clock.now(), clock.now()) : next
    },
    async work() {
      // What is already sent must be written before anything is claimed, or it could be claimed and sent again.
      let done = (await settling.write()) + (await release())
      for (const [id, { at }] of due) {
        const lane = lanes.get(id)
        const now = clock.now()
        // Of a thousand channels a handful have something: a transaction for each of the others would delay these.
        if (!lane || Math.max(at, lane.damagedUntil) > now || !isHungry(lane, now)) continue
        done += await claim(lane)
      }
      return done
    },
  })

  const claim = createClaiming({ store, clock, pace, leaseMs, log, accept, giveBack })

  /** Attempts that have ended and are not written yet. */
  const placeOf = new Map<Settled, Lane>()
  const settling = createSettling({
    store,
    async onWritten(batch, dueAt) {
      for (const settled of batch) leave(settled)
      if (dueAt < Number.POSITIVE_INFINITY) loop.wake(dueAt)
      await watch.write()
      announceQuiet()
    },
    onFailed: () => loop.wake(clock.now()), // the loop tries again, and says what is wrong
    onUnwritable({ claim: { channelId, notice } }) {
      lanes.get(channelId)?.unwritable.add(notice.id)
      log.error(
        { channel: channelId, notice: notice.id },
        'the result of a delivery cannot be stored, since the database is damaged; it is not sent again before a restart',
      )
    },
  })

  /** An attempt that is written down makes room for the next. */
  function leave(settled: Settled) {
    const lane = placeOf.get(settled)
    if (!lane) return
    placeOf.delete(settled)
    lane.underway--
    if (lane.queue.length > 0) pumpSoon(lane)
    else askForMore(lane)
  }

  /** Nothing begins before the receiver of a channel wants it. What waits here would only outlive its lease. */
  function hold(lane: Lane, until: number, now: number) {
    lane.rateLimit.holdUntil(until, now)
    if (isHeld(lane, now)) giveBack(lane.queue.splice(0))
  }

  /** Lanes as there are channels. What a lane held whose channel is gone has been dropped with it, in the database. */
  async function refresh() {
    const list = await channels.open(store.db)
    if (list === open) return
    open = list
    const byId = new Map(list.map((channel) => [channel.record.id, channel]))
    for (const [id, lane] of lanes)
      if (!byId.has(id)) {
        lane.queue.length = 0
        lanes.delete(id)
      }
    for (const [id, channel] of byId) {
      const lane = lanes.get(id)
      if (lane) changeChannel(lane, channel)
      else lanes.set(id, newLane(channel, clock.now()))
    }
    announceQuiet()
  }

  function accept(claims: readonly Claim[]) {
    const homeless: Claim[] = []
    // Not each lane there is: with 3,000 channels that was 27 ms of every ring.
    const fed = new Set<Lane>()
    const now = clock.now()
    for (const claim of claims) {
      const lane = lanes.get(claim.channelId)
      if (lane && !isHeld(lane, now)) {
        lane.queue.push(claim)
        fed.add(lane)
      } else homeless.push(claim)
    }
    giveBack(homeless)
    for (const lane of fed) pump(lane)
  }

  function giveBack(claims: readonly Claim[]) {
    if (claims.length === 0) return
    unwanted.push(...claims)
    loop.wake(clock.now())
  }

  /** @returns how many claims were given back */
  async function release(): Promise<number> {
    const batch = unwanted.slice()
    if (batch.length > 0) await store.transactBell((tx) => releaseClaims(tx, batch))
    unwanted.splice(0, batch.length)
    return batch.length
  }

  /** Starts as many attempts as the lane may have underway. */
  async function pump(lane: Lane) {
    if (lane.isPumping) return
    lane.isPumping = true
    try {
      while (lane.queue.length > 0 && startable(lane) > 0 && !stopping.signal.aborted) {
        const claims = takeWhole(lane.queue, startable(lane))
        lane.underway += claims.length
        await attempts.start(lane, claims)
      }
    } finally {
      lane.isPumping = false
    }
    askForMore(lane)
    announceQuiet()
  }

  /** A lane that is empty asks only where the last look left something behind: each of a thousand would wake the loop otherwise. */
  function askForMore(lane: Lane) {
    if (!lane.hasMore || lane.queue.length > 0 || !isHungry(lane, clock.now())) return
    lane.hasMore = false
    loop.wake(clock.now())
  }

  /** What ends in one turn of the event loop is followed by one look and not by many. */
  function pumpSoon(lane: Lane) {
    if (lane.isPumpingSoon) return
    lane.isPumpingSoon = true
    setImmediate(() => {
      lane.isPumpingSoon = false
      pump(lane)
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
    onEnded(lane, { settled, outcome, heldUntilAt }) {
      placeOf.set(settled, lane)
      record(lane, settled, outcome)
      if (heldUntilAt === undefined) return
      giveBack(lane.queue.splice(0))
      watch.noteHold(lane.channel.record, heldUntilAt, clock.now())
      loop.wake(heldUntilAt)
    },
  })

  function record({ channel, rateLimit }: Lane, settled: Settled, outcome?: Outcome) {
    settling.add(settled)
    const attempt = { now: clock.now(), holdsInARow: rateLimit.holdsInARow() }
    if (outcome !== undefined) watch.note(channel.record, settled, outcome, attempt)
    // What need not be told again was no attempt.
    if (outcome !== undefined || settled.state === 'dropped') onEnded?.(settled, clock.now())
  }

  const isQuiet = () =>
    settling.isDone() && lanes.values().every(({ queue, underway }) => queue.length === 0 && underway === 0)

  function announceQuiet() {
    if (whenQuiet.length === 0 || !isQuiet()) return
    for (const resolve of whenQuiet) resolve()
    whenQuiet = []
  }

  const quiet = () => (isQuiet() ? Promise.resolve() : new Promise<void>((resolve) => whenQuiet.push(resolve)))

  return {
    leaseMs,
    room(channelId) {
      const lane = lanes.get(channelId)
      return lane ? room(lane, clock.now()) : 0
    },
    async roomSoon(claims) {
      const now = clock.now()
      for (let turn = 0; turn < mostTurns; turn++) {
        if (lanes.size === 0 || lanes.values().some((lane) => room(lane, now) >= claims)) return
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
      const waiting = [...unwanted.splice(0), ...[...lanes.values()].flatMap(({ queue }) => queue.splice(0))]
      const grace = new AbortController()
      await Promise.race([quiet(), clock.sleep(graceMs, grace.signal)])
      grace.abort(ended)
      await settling.write().catch((error) => log.error({ err: error }, 'what was sent could not be written down'))
      if (waiting.length > 0)
        await store
          .transactBell((tx) => releaseClaims(tx, waiting))
          .catch((error) => log.error({ err: error }, 'claims could not be given back; they end with their lease'))
    },
  }
}
