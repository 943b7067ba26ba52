import { Problem } from '#core/problem.ts'
import { type AlarmSettings, type AlarmTask, freshen, isArmed } from '#core/stale-alarm.ts'
import { recordChange } from '#store/changes.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { moveExpiries } from '#store/moved-expiries.ts'
import * as store from '#store/recompute.ts'
import type { Db } from '#store/schema.ts'
import { findUser, userInTransaction } from '#store/users.ts'
import { type DueSoonPlan, planDueSoon, readDueSoon } from './recompute-due-soon.ts'

/**
 * Alarms follow from tasks and the defaults of their user. After a change of the defaults, the alarms of the user are recomputed in bounded
 * chunks, a transaction each, while everything else goes on. Each chunk stores the progress, so a restart continues there.
 *
 *   tasks by expiry   … expired │ now ▶▶▶ done ▶▶▶ position │ not yet …    the walk; expired tasks come last
 *                               │                           │  x    x      before it: tasks that are due within ten minutes
 *
 * Until the walk reaches a task, its alarm is computed whenever the task is read: when it is due, changed or listed (`freshen`).
 */
export interface Walk {
  /** Whether a reminder that is due soon may still have a stale alarm. */
  isBehind(): boolean
  /** Does a bounded piece of work. Another process may run the same walk at the same time. */
  step(): Promise<WalkStep>
}

export interface WalkStep {
  /** The tasks of this step that follow the defaults. */
  readonly tasks: number
  /** The same count for all steps before the first step of this process. */
  readonly tasksBefore: number
  /** Tasks whose expiry is another instant now: days in another zone, and local times under other rules of their zone. */
  readonly moved: readonly number[]
  readonly isDone: boolean
}

export interface WalkDeps {
  readonly store: Pick<Store, 'db' | 'transact'>
  /** The maximum number of tasks that a step reads. */
  readonly limit: () => number
  /** Called after a commit with the earliest alarm that was moved, in ms since 1970. */
  readonly wake: (at: number) => void
}

/** Reminders that are due within this time by the new defaults are computed first. With 10,000,000 tasks that takes a sixth of this time. */
const horizonMs = 10 * 60_000

/** Opens the walk through the tasks of a user whose defaults have changed. It continues at the stored progress. */
export function openWalk(deps: WalkDeps, userId: number): Walk {
  const { db, transact } = deps.store
  let hasBegun = false
  let now = 0
  let staleSince: number | null = null
  let dueSoonUntil = Number.NEGATIVE_INFINITY
  let dueSoon: DueSoonPlan | undefined

  async function nextStep(): Promise<WalkStep> {
    const chunk = await transact((tx, at) => computeChunk(tx, userId, deps.limit(), at)).catch((error) => {
      if (!isDamage(db, error)) throw error
      return computeReadableChunk(deps.store, userId)
    })
    if (!chunk) return gone
    if (chunk.staleSince !== staleSince) dueSoonUntil = Number.NEGATIVE_INFINITY // after another change, other reminders are due soon
    now = chunk.now
    staleSince = chunk.staleSince
    if (chunk.earliestAt !== null) deps.wake(chunk.earliestAt)
    const isDone = chunk.isEnd && (await transact((tx) => store.markFresh(tx, userId, chunk.staleSince)))
    return { tasks: chunk.tasks, tasksBefore: hasBegun ? 0 : chunk.tasksBefore, moved: chunk.moved, isDone }
  }

  async function dueSoonStep(): Promise<WalkStep> {
    const user = await findUser(db, userId)
    if (!user || user.staleSince === null || user.staleSince !== staleSince) return nextStep()
    const plan =
      dueSoon ?? planDueSoon(user.defaults, Math.max(dueSoonUntil, Math.min(staleSince, now)), now + horizonMs)
    dueSoon = undefined
    const moved: number[] = []
    try {
      const { at, rest, earliestAt, ...computed } = await transact(async (tx, at) => {
        const { found, rest } = await readDueSoon(tx, userId, plan, deps.limit())
        return { at, rest, ...(await compute(tx, userId, found, at)) }
      })
      now = at
      dueSoon = rest
      moved.push(...computed.moved)
      if (earliestAt !== null) deps.wake(earliestAt)
    } catch (error) {
      if (!isDamage(db, error)) throw error // the walk skips damaged rows
    }
    if (!dueSoon) dueSoonUntil = plan.until
    return { tasks: 0, tasksBefore: 0, moved, isDone: false }
  }

  const isBehind = () => dueSoon !== undefined || dueSoonUntil < now + horizonMs / 2
  return {
    isBehind,
    async step() {
      try {
        // One chunk of the walk comes first: most users have no more.
        const step = await (hasBegun && isBehind() ? dueSoonStep() : nextStep())
        hasBegun = true
        return step
      } catch (error) {
        if (error instanceof Problem && error.kind === 'unauthorized') return gone // the user was deleted
        throw error
      }
    },
  }
}

const gone: WalkStep = { tasks: 0, tasksBefore: 0, moved: [], isDone: true }

interface Chunk {
  readonly now: number
  readonly staleSince: number
  readonly tasks: number
  readonly tasksBefore: number
  readonly moved: readonly number[]
  readonly earliestAt: number | null
  readonly isEnd: boolean
}

/** Computes the next chunk of the walk. Undefined when no alarm is stale. */
async function computeChunk(tx: Db, userId: number, limit: number, now: number): Promise<Chunk | undefined> {
  const progress = await store.lockProgress(tx, userId, now)
  if (!progress) return undefined
  const { staleSince } = progress
  const { found, next, isEnd } = await readChunk(
    progress,
    limit,
    (range, max) => store.nextByExpiry(tx, userId, range, max),
    positionOf,
  )
  const { tasks, earliestAt, present, moved } = await compute(tx, userId, found, now)
  const isSame = present.staleSince === staleSince
  if (isSame) await store.saveProgress(tx, userId, { ...next, tasks: progress.tasks + tasks })
  return { now, staleSince, tasks, tasksBefore: progress.tasks, moved, earliestAt, isEnd: isSame && isEnd }
}

/** Rows next to a damaged row are read one by one, each in its own transaction: 30 ms for all of them. */
const singleLimit = 100

/** The same when a page is damaged. Unreadable tasks are skipped, as firing skips them. */
async function computeReadableChunk({ db, transact }: WalkDeps['store'], userId: number): Promise<Chunk | undefined> {
  const { now, progress } = await transact(async (tx, now) => {
    return { now, progress: await store.lockProgress(tx, userId, now) }
  })
  if (!progress) return undefined
  const { staleSince } = progress
  const { found, next, isEnd } = await readChunk(
    progress,
    singleLimit,
    (range, max) => store.nextPositions(db, userId, range, max),
    (position) => position,
  )
  let tasks = 0
  const moved: number[] = []
  let earliestAt: number | null = null
  for (const position of found)
    try {
      await store.taskAt(db, position) // a damaged row fails here, outside of the transaction
      const computed = await transact(async (tx, at) => compute(tx, userId, await store.lockTaskAt(tx, position), at))
      tasks += computed.tasks
      moved.push(...computed.moved)
      earliestAt = earlier(earliestAt, computed.earliestAt)
    } catch (error) {
      if (!isDamage(db, error)) throw error
    }
  await transact((tx) => store.saveProgress(tx, userId, { ...next, tasks: progress.tasks + tasks }))
  return { now, staleSince, tasks, tasksBefore: progress.tasks, moved, earliestAt, isEnd }
}

const positionOf = ({ id, expiryAt }: AlarmTask): store.TaskPosition => ({ taskId: id, expiryAt: expiryAt ?? 0 })

/** Reads the tasks after the stored position: first those that expire later, then those that have expired. */
async function readChunk<T>(
  progress: store.Progress,
  limit: number,
  read: (range: store.ExpiryRange, limit: number) => Promise<readonly T[]>,
  positionOf: (one: T) => store.TaskPosition,
): Promise<{ found: T[]; next: store.Progress; isEnd: boolean }> {
  const found: T[] = []
  let next = progress
  for (;;) {
    const left = limit - found.length
    const before = next.isPast ? progress.begunAt : Number.MAX_SAFE_INTEGER
    const some = await read({ after: next, before }, left)
    found.push(...some)
    const last = some.at(-1)
    if (last !== undefined) next = { ...next, ...positionOf(last) }
    if (some.length === left || next.isPast) return { found, next, isEnd: some.length < left }
    next = { ...next, isPast: true, expiryAt: Number.MIN_SAFE_INTEGER, taskId: 0 }
  }
}

/** Computes and writes the alarms of locked tasks. The user is locked after the tasks: all writers keep this order. */
async function compute(tx: Db, userId: number, found: readonly AlarmTask[], now: number) {
  const present = await userInTransaction(tx, userId)
  const armed = found.filter(isArmed)
  const changed: AlarmTask[] = []
  const moved: Parameters<typeof moveExpiries>[1][number][] = []
  let earliestAt: number | null = null
  for (const task of armed) {
    const fresh = freshenReadable(task, present, now)
    const { id, version } = task
    if (task.expiryAt !== null && fresh.expiryAt !== null && fresh.expiryAt !== task.expiryAt)
      moved.push({ id, from: task.expiryAt, to: fresh.expiryAt, version })
    // `firedUntilAt` counts as well: without it, the next edit would fire reminders of the past.
    if (fresh.notifyAt === task.notifyAt && fresh.firedUntilAt === task.firedUntilAt) continue
    changed.push(fresh)
    earliestAt = earlier(earliestAt, fresh.notifyAt)
  }
  await store.setAlarms(tx, changed)
  await moveExpiries(tx, moved, now)
  for (const { id } of moved) recordChange(tx, { userId, taskId: id, kind: 'updated' })
  return { tasks: armed.length, earliestAt, present, moved: moved.map(({ id }) => id) }
}

/** A row with invalid values, changed by another program, stays as it is. Firing skips it, and logs it. */
function freshenReadable(task: AlarmTask, settings: AlarmSettings, now: number): AlarmTask {
  try {
    return freshen(task, settings, now)
  } catch {
    return task
  }
}

const earlier = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : Math.min(a, b))
