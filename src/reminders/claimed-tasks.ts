import type { Task } from '#core/task.ts'
import type { Claim } from '#store/claims.ts'
import { isDamage } from '#store/engine/storage.ts'
import { notificationsByIds } from '#store/notifications.ts'
import type { Db } from '#store/schema.ts'
import { tasksByIds } from '#store/tasks.ts'

/** The current state of some claims, by which an attempt decides whether its notification is still true. */
export interface ClaimedTasks {
  readonly claims: readonly Claim[]
  /** Their tasks, by id. */
  readonly tasks: ReadonlyMap<number, Task>
  /** Ids of the notifications that the user has acknowledged. */
  readonly acknowledged: ReadonlySet<number>
}

/** Reads the state of some claims with two queries at most. */
export async function readClaimedTasks(db: Db, claims: readonly Claim[]): Promise<ClaimedTasks> {
  const taskIds = new Set(claims.map(({ notification }) => notification.taskId))
  const tasks = await tasksByIds(db, [...taskIds])
  return { claims, tasks, acknowledged: await readAcknowledged(db, claims) }
}

/** The same claim by claim, for a batch that meets a damaged page: the readable claims can still be sent. */
export async function readClaimedTasksOneByOne(
  db: Db,
  claims: readonly Claim[],
): Promise<{ readable: ClaimedTasks; damaged: readonly Claim[] }> {
  const readable: Claim[] = []
  const damaged: Claim[] = []
  const tasks = new Map<number, Task>()
  const acknowledged = new Set<number>()
  for (const claim of claims)
    try {
      const one = await readClaimedTasks(db, [claim])
      readable.push(claim)
      for (const [id, task] of one.tasks) tasks.set(id, task)
      for (const id of one.acknowledged) acknowledged.add(id)
    } catch (error) {
      if (!isDamage(db, error)) throw error
      damaged.push(claim)
    }
  return { readable: { claims: readable, tasks, acknowledged }, damaged }
}

/** Acknowledgements end repeats, so only the notifications of repeats are read. */
async function readAcknowledged(db: Db, claims: readonly Claim[]): Promise<ReadonlySet<number>> {
  const ids = claims.filter(({ repeats }) => repeats > 0).map(({ notification }) => notification.id)
  if (ids.length === 0) return new Set()
  const notifications = await notificationsByIds(db, ids)
  return new Set(ids.filter((id) => (notifications.get(id)?.acknowledgedAt ?? null) !== null))
}
