import { cancelReason } from '#core/notification.ts'
import { recordChange } from '#store/changes.ts'
import { type DeliveryResult, lockHeldClaims, recordResults } from '#store/claims.ts'
import type { Store } from '#store/engine/open.ts'
import { isDamage } from '#store/engine/storage.ts'
import type { Transact } from '#store/engine/transact.ts'
import type { Db } from '#store/schema.ts'
import { lockTasks } from '#store/tasks.ts'
import { waitForTrashed } from '#store/trash.ts'

/**
 * How attempts ended, on the way into the database: those of one turn of the event loop in one transaction, one transaction at a time.
 * What could not be written waits, and is written with the next.
 */
export interface Settling {
  add(settled: DeliveryResult): void
  /** Writes what waits. @returns how much @throws what the database said */
  write(): Promise<number>
  /** Something waits to be written. */
  isWaiting(): boolean
  /** Nothing waits, and nothing is being written. */
  isDone(): boolean
  /** Resolves when what is being written has been, or could not be. */
  end(): Promise<void>
}

/**
 * @param onWritten told what was handed in, once it is written, and when the first of it is due again (ms since 1970; infinity for never)
 * @param onFailed something could not be written and waits
 * @param onUnwritable one can never be written, since it lies on a damaged page; it waits no longer
 */
export function createSettling({
  store,
  onWritten,
  onFailed,
  onUnwritable,
}: {
  store: Pick<Store, 'db' | 'transactDeliveries' | 'transactFiring'>
  onWritten: (batch: readonly DeliveryResult[], dueAt: number) => Promise<void>
  onFailed: () => void
  onUnwritable: (settled: DeliveryResult) => void
}): Settling {
  const waiting: DeliveryResult[] = []
  let isWriteComing = false
  let isWriting = false
  let writing: Promise<number> = Promise.resolve(0)

  function write(): Promise<number> {
    writing = writing
      .catch(() => 0)
      .then(async () => {
        isWriteComing = false
        return waiting.length === 0 ? 0 : writeBatch(waiting.splice(0))
      })
    return writing
  }

  async function writeBatch(batch: readonly DeliveryResult[]): Promise<number> {
    const dead = batch.filter(({ state }) => state === 'failed')
    const others = batch.filter(({ state }) => state !== 'failed')
    isWriting = true
    const outcomes = await Promise.allSettled([
      settleAround(store.transactDeliveries, others, lookAgain),
      settleAround(store.transactFiring, dead, recordFailed),
    ])
    isWriting = false
    let dueAt = Number.POSITIVE_INFINITY
    const written: DeliveryResult[] = []
    for (const [i, outcome] of outcomes.entries()) {
      const part = i === 0 ? others : dead
      if (outcome.status === 'rejected') waiting.unshift(...part)
      else {
        written.push(...part)
        for (const { nextAt } of outcome.value) dueAt = Math.min(dueAt, nextAt ?? dueAt)
      }
    }
    if (written.length > 0) await onWritten(written, dueAt)
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed) throw failed.reason
    return batch.length
  }

  /** One by one where a batch meets a damaged page: the others must not wait for what can never be written. */
  async function settleAround(
    transact: Transact,
    batch: readonly DeliveryResult[],
    prepare: Prepare,
  ): Promise<readonly DeliveryResult[]> {
    try {
      return await settleAll(transact, batch, prepare)
    } catch (error) {
      if (!isDamage(store.db, error)) throw error
    }
    const written: DeliveryResult[] = []
    for (const one of batch)
      try {
        written.push(...(await settleAll(transact, [one], prepare)))
      } catch (error) {
        if (!isDamage(store.db, error)) throw error
        onUnwritable(one)
      }
    return written
  }

  return {
    add(settled) {
      waiting.push(settled)
      if (isWriteComing) return
      isWriteComing = true
      setImmediate(() => write().catch(onFailed))
    },
    write,
    isWaiting: () => waiting.length > 0,
    isDone: () => waiting.length === 0 && !isWriting,
    end: () => writing.then(ignore, ignore),
  }
}

const ignore = () => {}

/** A task can have become true again since the look: dropped now, nobody would revive its delivery. So it is due again. */
async function lookAgain(tx: Db, batch: readonly DeliveryResult[], now: number): Promise<DeliveryResult[]> {
  const ids = batch.filter(({ state }) => state === 'cancelled').map(({ claim }) => claim.notification.taskId)
  if (ids.length === 0) return [...batch]
  const found = await lockTasks(tx, ids)
  const gone = ids.filter((id) => !found.has(id))
  if (gone.length > 0) {
    // One on its way back from the trash cannot be seen yet, but its row there is locked: wait for that, and look once more.
    await waitForTrashed(tx, gone)
    for (const [id, task] of await lockTasks(tx, gone)) found.set(id, task)
  }
  return batch.map((settled) => {
    const { notification } = settled.claim
    if (settled.state !== 'cancelled' || cancelReason(notification, found.get(notification.taskId)) !== null)
      return settled
    return { ...settled, state: 'pending', nextAt: now, error: null }
  })
}

/** What is given up is told, as far as it is ours to give up: asked before it is settled, for then that cannot be told any more. */
async function recordFailed(tx: Db, batch: readonly DeliveryResult[]): Promise<readonly DeliveryResult[]> {
  const claims = batch.map(({ claim }) => claim)
  for (const { notification, channelId } of await lockHeldClaims(tx, claims)) {
    const { id: notificationId, userId, taskId } = notification
    recordChange(tx, { userId, taskId, kind: 'failed', notificationId, channelId })
  }
  return batch
}

type Prepare = (tx: Db, batch: readonly DeliveryResult[], now: number) => Promise<readonly DeliveryResult[]>

async function settleAll(
  transact: Transact,
  batch: readonly DeliveryResult[],
  prepare: Prepare,
): Promise<readonly DeliveryResult[]> {
  if (batch.length === 0) return batch
  return transact(async (tx, now) => {
    const settled = await prepare(tx, batch, now)
    await recordResults(tx, settled, now)
    return settled
  })
}
