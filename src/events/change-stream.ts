import { setImmediate as turn } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { EventType } from '#api/schemas/event.ts'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { changesSince, lastChanges } from '#store/changes.ts'
import { channelKinds } from '#store/channels.ts'
import { deliveriesOf } from '#store/deliveries.ts'
import { notificationsByIds } from '#store/notifications.ts'
import type { Db } from '#store/schema.ts'
import { tasksByIds } from '#store/tasks.ts'
import { findUser } from '#store/users.ts'
import { toEvent } from '#wire/events.ts'
import { createFollowerLimits } from './follower-limits.ts'

/**
 * Who listens is told what happens, from the numbered list of changes. One loop a process:
 *
 *   our own commits ─ wake ─┐                          ┌─▶ those at the front: one page, read and written as JSON once
 *   a second has passed ────┴─▶ who is behind its list ┼─▶ those furthest back: one page
 *                                                      └─▶ nobody: sleep
 *
 * A listener is a position in the list, and what it is sent follows from that alone. Whoever is slow, comes back or begins in the
 * past is behind, no more: it is read for again from where it stands once it can take something, and nothing is kept for it
 * meanwhile. Two pages a turn, so that one who reads a week of the past keeps nobody at the front waiting.
 *
 * Not a copy of each event in a queue a listener: a thousand slow ones would hold a thousand queues. The loop reads only while
 * somebody listens, and knows nothing of HTTP.
 */
export interface ChangeStream {
  /** The lists of these users have grown. */
  wake(userIds: readonly number[]): void
  /**
   * From now on the sink is given what comes after `after`, until the answer is called.
   * @param credentialId of the token or session that asks; null where there is none
   * @throws Problem `unavailable` when too many listen already, `rate-limited` when too many of this credential or user do
   */
  listen(after: number, filter: Filter, sink: Subscriber, credentialId?: number | null): () => void
  /** Ends every sink. Nobody can listen any more. */
  stop(): void
}

export interface Filter {
  readonly userId: number
  /** All when absent. */
  readonly types?: readonly EventType[] | undefined
  readonly taskId?: number | undefined
}

export interface StreamEvent {
  readonly number: number
  readonly type: EventType
  readonly taskId: number | null
  /** The event as JSON, in one line. */
  readonly text: string
}

/** Where events go. */
export interface Subscriber {
  /** Whether it can take something now; if not, it says when it can by `wake`. */
  isReady(): boolean
  /**
   * Takes events, perhaps none, with which it has come to `position`. Those who are given the same are given one and the same
   * list, so that what is made of it can be made once.
   */
  take(events: readonly StreamEvent[], position: number): void
  /** What comes after its position is not kept any more: it is put forward to another. */
  reset(position: number): void
  /** Some time has passed. */
  beat(position: number): void
  /** The list could not be read just now. */
  fail(error: unknown): void
  end(): void
}

/** What another replica wrote is seen within this. */
const pollMs = 1_000
const beatMs = 15_000
const pageSize = 200
/** What a listener is given at once: the rest of a page follows when it has taken that. */
const maxBytes = 256 * 1024
/** A turn of the event loop spent on telling, in ms: a thousand listeners take about 20. */
const sliceMs = 5

interface Listener {
  position: number
  readonly filter: Filter
  /** Equal for equal filters. */
  readonly key: string
  readonly sink: Subscriber
}

export function startChangeStream({
  db,
  clock,
  log,
}: {
  db: Db
  clock: Clock
  log: Pick<Logger, 'error' | 'info'>
}): ChangeStream {
  const byUser = new Map<number, Set<Listener>>()
  const followers = createFollowerLimits()
  let count = 0
  let isStopped = false
  /** While somebody listens. */
  let running: AbortController | undefined
  let nap: AbortController | undefined
  let isWoken = false

  function wakeUp() {
    isWoken = true
    nap?.abort()
  }

  async function run(signal: AbortSignal) {
    let lastError: unknown
    while (!signal.aborted) {
      isWoken = false
      let hasMoved = false
      try {
        hasMoved = await tellAll()
        if (lastError !== undefined) log.info('events can be read again')
        lastError = undefined
      } catch (error) {
        if (signal.aborted) return // nobody wanted to know any more
        if (String(error) !== String(lastError)) log.error({ err: error }, 'events cannot be read; will try again')
        lastError = error
        for (const { sink } of everybody()) sink.fail(error)
      }
      if (!hasMoved && !isWoken && !signal.aborted) {
        const mine = new AbortController()
        nap = mine
        await clock.sleep(pollMs, mine.signal)
        if (nap === mine) nap = undefined
      }
      await turn() // whoever wrote is answered first, and others have something to do as well
    }
  }

  async function beat(signal: AbortSignal) {
    for (;;) {
      await clock.sleep(beatMs, signal)
      if (signal.aborted) return
      await inSlices(everybody(), ({ sink, position }) => sink.beat(position))
    }
  }

  const everybody = () => [...byUser.values()].flatMap((listeners) => [...listeners])

  /** Calls for each that still listens, a slice of them a turn of the event loop. */
  async function inSlices(listeners: readonly Listener[], call: (listener: Listener) => void) {
    let startedAt = performance.now()
    for (const listener of listeners) {
      if (!byUser.get(listener.filter.userId)?.has(listener)) continue
      call(listener)
      if (performance.now() - startedAt < sliceMs) continue
      await turn()
      startedAt = performance.now()
    }
  }

  /** @returns whether anybody was behind */
  async function tellAll(): Promise<boolean> {
    const lasts = await lastChanges(db, [...byUser.keys()])
    let wasBehind = false
    for (const [userId, listeners] of byUser) {
      const last = lasts.get(userId) ?? 0
      const behind = [...listeners].filter(({ position, sink }) => position < last && sink.isReady())
      if (behind.length === 0) continue
      wasBehind = true
      const [front, back] = ends(behind)
      await tell(behind, userId, front, last)
      if (back < front) await tell(behind, userId, back, last)
    }
    return wasBehind
  }

  /** Reads the page after a position, and gives it to all who stand there or within it. */
  async function tell(listeners: readonly Listener[], userId: number, from: number, last: number) {
    const page = await readEvents(db, userId, from, pageSize)
    const first = page[0]?.number ?? last + 1
    const end = page.at(-1)?.number ?? last
    const cuts = new Map<string, ReturnType<typeof cut>>()
    await inSlices(listeners, (listener) => {
      const { position, filter, key, sink } = listener
      if (position < from || position >= end) return
      if (position + 1 < first) {
        // Numbers have no gaps: what is missing is not kept any more.
        listener.position = last
        return sink.reset(last)
      }
      const mine = cuts.get(`${position} ${key}`) ?? cut(page, position, filter)
      cuts.set(`${position} ${key}`, mine)
      listener.position = mine.position
      sink.take(mine.events, mine.position)
    })
  }

  return {
    wake(userIds) {
      if (userIds.some((userId) => byUser.has(userId))) wakeUp()
    },
    listen(after, filter, sink, credentialId = null) {
      if (isStopped) throw new Problem('unavailable', 'The server is stopping.', { retryAfterMs: 1_000 })
      const { userId, types, taskId } = filter
      const leaveLimits = followers.enter({ userId: userId, credentialId })
      const listener = { position: after, filter, key: `${taskId} ${types?.toSorted()}`, sink }
      const listeners = byUser.get(userId) ?? new Set()
      byUser.set(userId, listeners.add(listener))
      if (count++ === 0) {
        running = new AbortController()
        run(running.signal)
        beat(running.signal)
      } else wakeUp()
      return () => {
        if (!listeners.delete(listener)) return
        leaveLimits()
        if (listeners.size === 0) byUser.delete(userId)
        if (--count > 0) return
        running?.abort()
        nap?.abort()
      }
    },
    stop() {
      isStopped = true
      for (const { sink } of everybody()) sink.end()
    },
  }
}

/** The highest position and the lowest. */
function ends(listeners: readonly Listener[]): [number, number] {
  let [front, back] = [0, Number.POSITIVE_INFINITY]
  for (const { position } of listeners) {
    front = Math.max(front, position)
    back = Math.min(back, position)
  }
  return [front, back]
}

/** What a listener is given of a page, and how far it comes by it. */
function cut(page: readonly StreamEvent[], position: number, { types, taskId }: Filter) {
  const events: StreamEvent[] = []
  let bytes = 0
  for (const event of page) {
    if (event.number <= position) continue
    if (types && !types.includes(event.type)) continue
    // What happened to many may have happened to this one.
    if (taskId !== undefined && event.taskId !== taskId && event.taskId !== null) continue
    events.push(event)
    bytes += event.text.length
    if (bytes >= maxBytes) return { events, position: event.number }
  }
  return { events, position: page.at(-1)?.number ?? position }
}

/** A page of a user's list, with what it speaks of as it is now. */
async function readEvents(db: Db, userId: number, after: number, limit: number): Promise<StreamEvent[]> {
  const changes = await changesSince(db, userId, after, limit)
  const among = (ids: (number | null | undefined)[]) => [...new Set(ids.filter((id) => id != null))]
  const taskIds = among(changes.map(({ taskId }) => taskId))
  const notificationIds = among(changes.map(({ notificationId }) => notificationId))
  const failedIds = among(changes.map(({ kind, notificationId }) => (kind === 'failed' ? notificationId : null)))
  const tasks = taskIds.length > 0 ? await tasksByIds(db, taskIds) : new Map<number, never>()
  const notifications =
    notificationIds.length > 0 ? await notificationsByIds(db, notificationIds) : new Map<number, never>()
  const deliveries = failedIds.length > 0 ? await deliveriesOf(db, failedIds) : new Map<number, never>()
  const kinds = failedIds.length > 0 ? await channelKinds(db, userId) : new Map<number, never>()
  const timeZone = notificationIds.length > 0 ? (await findUser(db, userId))?.defaults.timeZone : undefined
  return changes.map((change) => {
    const { number, taskId, notificationId = 0, channelId } = change
    const event = toEvent(
      change,
      {
        task: taskId === null ? undefined : tasks.get(taskId),
        notification: notifications.get(notificationId),
        delivery: deliveries.get(notificationId)?.find((one) => one.channelId === channelId),
        channelKinds: kinds,
      },
      timeZone,
    )
    return { number, taskId, type: event.type, text: JSON.stringify(event) }
  })
}
