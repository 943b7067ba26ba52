import type { Logger } from 'pino'
import type { Channel } from '#channels/channel.ts'
import type { Clock } from '#clock.ts'
import { whySettled } from '#core/channel.ts'
import { attemptMs, type Outcome, thrown, timedOut } from '#core/delivery.ts'
import { kindAt, type Links, type Message, type Notice, whyDropped } from '#core/notice.ts'
import type { Task } from '#core/task.ts'
import { type Claim, claimDue, nextDue, releaseClaims, type Settled } from '#store/deliveries.ts'
import { noticesByIds } from '#store/notices.ts'
import type { Store } from '#store/open.ts'
import { tasksByIds } from '#store/tasks.ts'
import { createChannelWatch } from './channel-health.ts'
import type { ChannelSet, OpenChannel } from './channel-set.ts'
import { startLoop } from './loop.ts'
import { type Live, takeWhole, toMessage, toMessages, toSettlement } from './messages.ts'
import type { Pace } from './pace.ts'
import { createSettling } from './settle.ts'

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
const lookAgainMs = 500
/** Why a timer is not needed any more. Without a reason an abort makes an error, with a stack, of its own: 14 µs each. */
const over = 'over'
/** Claims in a lane: at 1 kB each, 2 MB. Two batches of the ring, so that one is sent while the next is rung. */
const laneCapacity = 2_000

/** Turns of the event loop that the ring waits for room: 2 to 5 ms. Counted, not timed: turns pass while a test holds the clock. */
const mostTurns = 1_000

interface Lane {
  channel: OpenChannel
  readonly queue: Claim[]
  underway: number
  isPumping: boolean
  isPumpingSoon: boolean
}

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

  const room = ({ queue, underway }: Lane) => Math.max(0, laneCapacity - queue.length - underway)
  // A lane asks the database only once it is half empty: claims in handfuls would cost a transaction each.
  const hungry = (lane: Lane) => room(lane) >= laneCapacity / 2

  const loop = startLoop('deliver', {
    clock,
    log,
    async nextAt() {
      await refresh()
      await watch.write() // what somebody else had in hand when it was to be written
      let next: number | null = null
      for (const [id, at] of await nextDue(store.db)) {
        const lane = lanes.get(id)
        if (lane && hungry(lane) && (next === null || at < next)) next = at
      }
      return settling.isWaiting() || unwanted.length > 0 ? Math.min(next ?? clock.now(), clock.now()) : next
    },
    async work() {
      // What is already sent must be written before anything is claimed, or it could be claimed and sent again.
      let done = (await settling.write()) + (await release())
      for (const [id, at] of await nextDue(store.db)) {
        const lane = lanes.get(id)
        // Of a thousand channels a handful have something: a transaction for each of the others would delay these.
        if (!lane || !hungry(lane) || at > clock.now()) continue
        let claims: Claim[] = []
        try {
          await store.transactBell(async (tx, now) => {
            const { groupWaitMs } = lane.channel.record
            const most = Math.min(room(lane), pace.mostAtOnce())
            claims = await claimDue(tx, { id, isGrouping: groupWaitMs !== null }, now, leaseMs, most)
          })
        } catch (error) {
          giveBack(claims) // the answer to the COMMIT may be all that was lost
          throw error
        }
        accept(claims)
        done += claims.length
      }
      return done
    },
  })

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
  })

  /** An attempt that is written down makes room for the next. */
  function leave(settled: Settled) {
    const lane = placeOf.get(settled)
    if (!lane) return
    placeOf.delete(settled)
    lane.underway--
    if (lane.queue.length > 0) pumpSoon(lane)
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
      if (lane) lane.channel = channel
      else lanes.set(id, { channel, queue: [], underway: 0, isPumping: false, isPumpingSoon: false })
    }
    announceQuiet()
  }

  function accept(claims: readonly Claim[]) {
    const homeless: Claim[] = []
    for (const claim of claims) (lanes.get(claim.channelId)?.queue ?? homeless).push(claim)
    giveBack(homeless)
    for (const lane of lanes.values()) pump(lane)
  }

  function giveBack(claims: readonly Claim[]) {
    if (claims.length === 0) return
    unwanted.push(...claims)
    loop.wake(clock.now())
  }

  /** @returns how many claims were given back */
  async function release(): Promise<number> {
    const batch = unwanted.slice()
    if (batch.length > 0) await store.transactBell((tx, now) => releaseClaims(tx, batch, now))
    unwanted.splice(0, batch.length)
    return batch.length
  }

  /** Starts as many attempts as the lane may have underway. */
  async function pump(lane: Lane) {
    if (lane.isPumping) return
    lane.isPumping = true
    try {
      while (lane.queue.length > 0 && lane.underway < lane.channel.concurrency && !stopping.signal.aborted) {
        const claims = takeWhole(lane.queue, lane.channel.concurrency - lane.underway)
        lane.underway += claims.length
        await attempt(lane, claims)
      }
    } finally {
      lane.isPumping = false
    }
    if (lane.queue.length === 0) loop.wake(clock.now())
    announceQuiet()
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

  /** The tasks of some claims, by id, as they are now. What was seen in this edition of the store is not read again. */
  async function look(claims: readonly Claim[]): Promise<Map<number, Task>> {
    const edition = store.edition()
    const found = new Map<number, Task>()
    const unseen = new Set<number>()
    for (const { notice, seen } of claims)
      if (seen?.edition === edition) found.set(notice.taskId, seen.task)
      else unseen.add(notice.taskId)
    if (unseen.size > 0) for (const [id, task] of await tasksByIds(store.db, [...unseen])) found.set(id, task)
    return found
  }

  /** Of what is told again: which somebody has seen. */
  async function acknowledged(claims: readonly Claim[]): Promise<ReadonlySet<number>> {
    const ids = claims.filter(({ repeats }) => repeats > 0).map(({ notice }) => notice.id)
    if (ids.length === 0) return new Set()
    const notices = await noticesByIds(store.db, ids)
    return new Set(ids.filter((id) => (notices.get(id)?.acknowledgedAt ?? null) !== null))
  }

  /** Looks whether each is still true, in one query, and starts those that are, in the same turn of the event loop. */
  async function attempt(lane: Lane, claims: readonly Claim[]) {
    let found: Map<number, Task>
    let seen: ReadonlySet<number>
    try {
      found = await look(claims)
      seen = await acknowledged(claims)
    } catch {
      // The database is away; the loop says so. Nothing is begun unseen: back to the front, and looked at again.
      lane.underway -= claims.length
      lane.queue.unshift(...claims)
      await clock.sleep(lookAgainMs, stopping.signal)
      return
    }
    const startedAt = clock.now()
    const live: Live[] = []
    for (const claim of claims) {
      const { notice } = claim
      const task = found.get(notice.taskId)
      const reason = whyDropped(notice, task)
      const isOver = claim.repeats > 0 && (reason ?? whySettled(notice, task, seen.has(notice.id))) !== null
      if (isOver || reason !== null || !task) {
        lane.underway--
        // Nothing is told again of what is no longer true; that it was told once stays true.
        const state = isOver ? 'sent' : 'dropped'
        record(lane, { claim, state, nextAt: null, error: isOver ? null : reason, latencyMs: null })
      } else if (startedAt + sendTimeoutMs > claim.leaseUntil) {
        // Waited too long in the queue: somebody may have it by the time this attempt would end. With a fresh lease it may go, and
        // this was no attempt: a channel that hangs must not use up those of notices that it has never been given.
        lane.underway--
        giveBack([claim])
      } else {
        const kind = kindAt(notice.reminder, notice.expiryAt, startedAt)
        const timeZone = task.timeZone ?? channels.defaultsOf(task.ownerId).timeZone
        live.push({ claim, item: { notice, task, kind, timeZone, links: linksFor(notice) } })
      }
    }
    const finished = new AbortController()
    const timeout = new AbortController()
    const underway = new Set<readonly Live[]>()
    const { channel } = lane
    const end = (told: readonly Live[], outcome: Outcome) => {
      if (!underway.delete(told)) return // it came after its time-out
      channel.release()
      const endedAt = clock.now()
      const chance = Math.random()
      for (const { claim } of told) {
        const settled = toSettlement(channel, claim, outcome, endedAt, chance)
        if (settled.state === 'dead') tellDead(channel.record.name, claim, settled.error)
        const attempted = { claim, ...settled, latencyMs: endedAt - startedAt }
        placeOf.set(attempted, lane)
        record(lane, attempted, outcome)
      }
      if (underway.size === 0) finished.abort(over)
    }
    for (const told of toMessages(live)) {
      underway.add(told)
      channel.hold()
      say(channel.channel, toMessage(told, startedAt), timeout.signal).then((outcome) => end(told, outcome))
    }
    if (underway.size === 0) return
    clock.sleep(sendTimeoutMs, finished.signal).then(() => {
      timeout.abort()
      // A channel that does not heed the signal is left behind.
      for (const told of underway) end(told, timedOut(sendTimeoutMs))
    })
  }

  function tellDead(channel: string, { id, notice }: Claim, reason: string | null) {
    log.error({ channel, delivery: id, task: notice.taskId, reason }, 'given up: a notice could not be delivered')
  }

  function record({ channel }: Lane, settled: Settled, outcome?: Outcome) {
    settling.add(settled)
    if (outcome !== undefined) watch.note(channel.record, settled, outcome, clock.now())
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
      return lane ? room(lane) : 0
    },
    async roomSoon(claims) {
      for (let turn = 0; turn < mostTurns; turn++) {
        if (lanes.size === 0 || lanes.values().some((lane) => room(lane) >= claims)) return
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
      stopping.abort()
      await loop.stop()
      const waiting = [...unwanted.splice(0), ...[...lanes.values()].flatMap(({ queue }) => queue.splice(0))]
      const grace = new AbortController()
      await Promise.race([quiet(), clock.sleep(graceMs, grace.signal)])
      grace.abort()
      await settling.write().catch((error) => log.error({ err: error }, 'what was sent could not be written down'))
      if (waiting.length > 0)
        await store
          .transactBell((tx, now) => releaseClaims(tx, waiting, now))
          .catch((error) => log.error({ err: error }, 'claims could not be given back; they end with their lease'))
    },
  }
}

async function say(channel: Channel, message: Message, signal: AbortSignal): Promise<Outcome> {
  try {
    return await channel.send(message, signal)
  } catch (error) {
    return thrown(error)
  }
}
