import type { Task } from '#core/task.ts'
import type { Claim } from '#store/claims.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import { notificationsByIds } from '#store/notifications.ts'
import { tasksByIds } from '#store/tasks.ts'

/** The current state of some claims, by which an attempt decides whether its notification is still true. */
export interface ClaimedTasks {
  readonly claims: readonly Claim[]
  /** Their tasks, by id. */
  readonly tasks: ReadonlyMap<number, Task>
  /** Ids of the notifications that the user has acknowledged. */
  readonly acknowledged: ReadonlySet<number>
}

type ReadStore = Pick<Store, 'db' | 'commitSequence'>

/** Reads the state of some claims with two queries at most. */
export async function readClaimedTasks(store: ReadStore, claims: readonly Claim[]): Promise<ClaimedTasks> {
  const tasks = await readTasks(store, claims)
  return { claims, tasks, acknowledged: await readAcknowledged(store, claims) }
}

/** The same claim by claim, for a batch that meets a damaged page: the readable claims can still be sent. */
export async function readClaimedTasksOneByOne(
  store: ReadStore,
  claims: readonly Claim[],
): Promise<{ readable: ClaimedTasks; damaged: readonly Claim[] }> {
  const readable: Claim[] = []
  const damaged: Claim[] = []
  const tasks = new Map<number, Task>()
  const acknowledged = new Set<number>()
  for (const claim of claims)
    try {
      const one = await readClaimedTasks(store, [claim])
      readable.push(claim)
      for (const [id, task] of one.tasks) tasks.set(id, task)
      for (const id of one.acknowledged) acknowledged.add(id)
    } catch (error) {
      if (!isDamage(store.db, error)) throw error
      damaged.push(claim)
    }
  return { readable: { claims: readable, tasks, acknowledged }, damaged }
}

/** The tasks of some claims, by id. A task that was read at the store's present commit sequence is not read again. */
async function readTasks(store: ReadStore, claims: readonly Claim[]): Promise<ReadonlyMap<number, Task>> {
  const commitSequence = store.commitSequence()
  const tasks = new Map<number, Task>()
  const unread = new Set<number>()
  for (const { notification, seen } of claims)
    if (seen?.commitSequence === commitSequence) tasks.set(notification.taskId, seen.task)
    else unread.add(notification.taskId)
  if (unread.size > 0) for (const [id, task] of await tasksByIds(store.db, [...unread])) tasks.set(id, task)
  return tasks
}

/** Acknowledgements end repeats, so only the notifications of repeats are read. */
async function readAcknowledged({ db }: ReadStore, claims: readonly Claim[]): Promise<ReadonlySet<number>> {
  const ids = claims.filter(({ repeats }) => repeats > 0).map(({ notification }) => notification.id)
  if (ids.length === 0) return new Set()
  const notifications = await notificationsByIds(db, ids)
  return new Set(ids.filter((id) => (notifications.get(id)?.acknowledgedAt ?? null) !== null))
}
