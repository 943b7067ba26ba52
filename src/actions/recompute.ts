import { Problem } from '#core/problem.ts'
import { type AlarmSettings, type AlarmTask, followsDefaults, freshen } from '#core/stale-alarm.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import * as store from '#store/recompute.ts'
import type { Db } from '#store/schema.ts'
import { findUser, userInTransaction } from '#store/users.ts'
import { type Ahead, planAhead, readAhead } from './recompute-ahead.ts'

/**
 * Alarms follow from tasks and their user's defaults. Where those change, the alarms of the user are computed anew, a bounded chunk a
 * transaction, while everything else goes on. How far that has come is stored with each chunk, and a restart goes on there.
 *
 *   tasks by expiry   … expired │ now ▶▶▶ done ▶▶▶ place │ not yet …    the walk; what has expired comes last
 *                               │                        │  x    x      ahead of it: what is due within ten minutes
 *
 * Until it is there an alarm is computed whenever its task is read: as it is due, changed or listed (`freshen`).
 */
export interface Walk {
  /** Whether something that is due soon may not have been computed yet. */
  isBehind(): boolean
  /** A bounded piece of work. Safe beside the same walk of another process. */
  step(): Promise<WalkStep>
}

export interface WalkStep {
  /** How many tasks this step has brought the walk on that go by the defaults. */
  readonly tasks: number
  /** The same of all steps before the first one of this process. */
  readonly tasksBefore: number
  readonly isDone: boolean
}

export interface WalkDeps {
  readonly store: Pick<Store, 'db' | 'transact'>
  /** How many tasks a step may read. */
  readonly limit: () => number
  /** Called after a commit with the earliest of the alarms that were moved. */
  readonly wake: (at: number) => void
}

/** What is due within this by the new defaults is computed before all else. 10,000,000 tasks take a sixth of it. */
const horizonMs = 10 * 60_000

/** The walk through the tasks of a user whose defaults have changed, or what is left of it. */
export function openWalk(deps: WalkDeps, userId: number): Walk {
  const { db, transact } = deps.store
  let hasBegun = false
  let now = 0
  let staleSince: number | null = null
  let aheadUntil = Number.NEGATIVE_INFINITY
  let ahead: Ahead | undefined

  async function goOn(): Promise<WalkStep> {
    const chunk = await transact((tx, at) => walkOn(tx, userId, deps.limit(), at)).catch((error) => {
      if (!isDamage(db, error)) throw error
      return passDamage(deps.store, userId)
    })
    if (!chunk) return gone
    if (chunk.staleSince !== staleSince) aheadUntil = Number.NEGATIVE_INFINITY // another change: something else is due soon
    now = chunk.now
    staleSince = chunk.staleSince
    if (chunk.earliestAt !== null) deps.wake(chunk.earliestAt)
    const isDone = chunk.isEnd && (await transact((tx) => store.markFresh(tx, userId, chunk.staleSince)))
    return { tasks: chunk.tasks, tasksBefore: hasBegun ? 0 : chunk.tasksBefore, isDone }
  }

  async function goAhead(): Promise<WalkStep> {
    const user = await findUser(db, userId)
    if (!user || user.staleSince === null || user.staleSince !== staleSince) return goOn()
    const plan = ahead ?? planAhead(user.defaults, Math.max(aheadUntil, Math.min(staleSince, now)), now + horizonMs)
    ahead = undefined
    try {
      const { at, rest, earliestAt } = await transact(async (tx, at) => {
        const { found, rest } = await readAhead(tx, userId, plan, deps.limit())
        return { at, rest, ...(await compute(tx, userId, found, at)) }
      })
      now = at
      ahead = rest
      if (earliestAt !== null) deps.wake(earliestAt)
    } catch (error) {
      if (!isDamage(db, error)) throw error // the walk passes over what cannot be read
    }
    if (!ahead) aheadUntil = plan.until
    return { tasks: 0, tasksBefore: 0, isDone: false }
  }

  const isBehind = () => ahead !== undefined || aheadUntil < now + horizonMs / 2
  return {
    isBehind,
    async step() {
      try {
        // A chunk of the walk first: it is all that most users have.
        const step = await (hasBegun && isBehind() ? goAhead() : goOn())
        hasBegun = true
        return step
      } catch (error) {
        if (error instanceof Problem && error.kind === 'unauthorized') return gone // deleted meanwhile
        throw error
      }
    },
  }
}

const gone: WalkStep = { tasks: 0, tasksBefore: 0, isDone: true }

interface Chunk {
  readonly now: number
  readonly staleSince: number
  readonly tasks: number
  readonly tasksBefore: number
  readonly earliestAt: number | null
  readonly isEnd: boolean
}

/** The next chunk of the walk, or undefined where no alarm is stale any more. */
async function walkOn(tx: Db, userId: number, limit: number, now: number): Promise<Chunk | undefined> {
  const progress = await store.lockProgress(tx, userId, now)
  if (!progress) return undefined
  const { staleSince } = progress
  const { found, next, isEnd } = await readOn(
    progress,
    limit,
    (stretch, max) => store.nextByExpiry(tx, userId, stretch, max),
    placeOf,
  )
  const { tasks, earliestAt, present } = await compute(tx, userId, found, now)
  const isSame = present.staleSince === staleSince
  if (isSame) await store.saveProgress(tx, userId, { ...next, tasks: progress.tasks + tasks })
  return { now, staleSince, tasks, tasksBefore: progress.tasks, earliestAt, isEnd: isSame && isEnd }
}

/** Rows beside a damaged one are read one by one, each in a transaction of its own: 30 ms. */
const singleLimit = 100

/** The same where a page is damaged. Tasks that cannot be read are passed over; the bell sets them aside as well. */
async function passDamage({ db, transact }: WalkDeps['store'], userId: number): Promise<Chunk | undefined> {
  const { now, progress } = await transact(async (tx, now) => {
    return { now, progress: await store.lockProgress(tx, userId, now) }
  })
  if (!progress) return undefined
  const { staleSince } = progress
  const { found, next, isEnd } = await readOn(
    progress,
    singleLimit,
    (stretch, max) => store.nextPlaces(db, userId, stretch, max),
    (place) => place,
  )
  let tasks = 0
  let earliestAt: number | null = null
  for (const place of found)
    try {
      await store.taskAt(db, place) // fails here where it fails, and not in a transaction
      const computed = await transact(async (tx, at) => compute(tx, userId, await store.lockTaskAt(tx, place), at))
      tasks += computed.tasks
      earliestAt = earlier(earliestAt, computed.earliestAt)
    } catch (error) {
      if (!isDamage(db, error)) throw error
    }
  await transact((tx) => store.saveProgress(tx, userId, { ...next, tasks: progress.tasks + tasks }))
  return { now, staleSince, tasks, tasksBefore: progress.tasks, earliestAt, isEnd }
}

const placeOf = ({ id, expiryAt }: AlarmTask): store.Place => ({ taskId: id, expiryAt: expiryAt ?? 0 })

/** What comes behind a place: what expires later and, where that is all, what has expired. */
async function readOn<T>(
  progress: store.Progress,
  limit: number,
  read: (stretch: store.Stretch, limit: number) => Promise<readonly T[]>,
  placeOf: (one: T) => store.Place,
): Promise<{ found: T[]; next: store.Progress; isEnd: boolean }> {
  const found: T[] = []
  let next = progress
  for (;;) {
    const wanted = limit - found.length
    const before = next.isPast ? progress.begunAt : Number.MAX_SAFE_INTEGER
    const some = await read({ after: next, before }, wanted)
    found.push(...some)
    const last = some.at(-1)
    if (last !== undefined) next = { ...next, ...placeOf(last) }
    if (some.length === wanted || next.isPast) return { found, next, isEnd: some.length < wanted }
    next = { ...next, isPast: true, expiryAt: Number.MIN_SAFE_INTEGER, taskId: 0 }
  }
}

/** Writes the alarms that follow now of tasks that are locked. The user is read after them, as everybody does who writes tasks. */
async function compute(tx: Db, userId: number, found: readonly AlarmTask[], now: number) {
  const present = await userInTransaction(tx, userId)
  const following = found.filter(followsDefaults)
  const moved: AlarmTask[] = []
  let earliestAt: number | null = null
  for (const task of following) {
    const fresh = freshenReadable(task, present, now)
    // What has fired counts as well: where only that moved on, the next edit would ring what is past.
    if (fresh.notifyAt === task.notifyAt && fresh.firedUntilAt === task.firedUntilAt) continue
    moved.push(fresh)
    earliestAt = earlier(earliestAt, fresh.notifyAt)
  }
  await store.setAlarms(tx, moved)
  return { tasks: following.length, earliestAt, present }
}

/** A row that another hand has changed stays as it is. The bell sets it aside, and says so. */
function freshenReadable(task: AlarmTask, settings: AlarmSettings, now: number): AlarmTask {
  try {
    return freshen(task, settings, now)
  } catch {
    return task
  }
}

const earlier = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : Math.min(a, b))
