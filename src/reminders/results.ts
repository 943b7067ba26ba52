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
 * Stores delivery results: those of one turn of the event loop in one transaction, and one transaction at a time. Results that could not
 * be stored wait for the next one.
 */
export interface ResultWriter {
  add(result: DeliveryResult): void
  /** Stores the waiting results. @returns how many @throws the error of the database */
  write(): Promise<number>
  /** Whether results wait to be stored. */
  isWaiting(): boolean
  /** Whether no result waits or is being stored. */
  isDone(): boolean
  /** Resolves when the current write has succeeded or failed. */
  flushed(): Promise<void>
}

interface ResultWriterDeps {
  readonly store: Pick<Store, 'db' | 'transactDeliveries' | 'transactFiring'>
  /** @param dueAt when the first of the results is due again (ms since 1970; infinity for never) */
  readonly onWritten: (batch: readonly DeliveryResult[], dueAt: number) => Promise<void>
  /** Called when results could not be stored, and wait. */
  readonly onFailed: () => void
  /** Called for a result that can never be stored, since it lies on a damaged page. It does not wait any longer. */
  readonly onUnwritable: (result: DeliveryResult) => void
}

export function createResultWriter({ store, onWritten, onFailed, onUnwritable }: ResultWriterDeps): ResultWriter {
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
    const failed = batch.filter(({ state }) => state === 'failed')
    const others = batch.filter(({ state }) => state !== 'failed')
    isWriting = true
    const outcomes = await Promise.allSettled([
      storeReadable(store.db, { transact: store.transactDeliveries, prepare: recheckCancelled, onUnwritable }, others),
      storeReadable(store.db, { transact: store.transactFiring, prepare: recordFailed, onUnwritable }, failed),
    ])
    isWriting = false
    let dueAt = Number.POSITIVE_INFINITY
    const written: DeliveryResult[] = []
    for (const [i, outcome] of outcomes.entries()) {
      const part = i === 0 ? others : failed
      if (outcome.status === 'rejected') waiting.unshift(...part)
      else {
        written.push(...part)
        for (const { nextAt } of outcome.value) dueAt = Math.min(dueAt, nextAt ?? dueAt)
      }
    }
    if (written.length > 0) await onWritten(written, dueAt)
    const rejected = outcomes.find((outcome) => outcome.status === 'rejected')
    if (rejected) throw rejected.reason
    return batch.length
  }

  return {
    add(result) {
      waiting.push(result)
      if (isWriteComing) return
      isWriteComing = true
      setImmediate(() => write().catch(onFailed))
    },
    write,
    isWaiting: () => waiting.length > 0,
    isDone: () => waiting.length === 0 && !isWriting,
    flushed: () => writing.then(ignore, ignore),
  }
}

const ignore = () => {}

type Prepare = (tx: Db, batch: readonly DeliveryResult[], now: number) => Promise<readonly DeliveryResult[]>

interface StoreOptions {
  readonly transact: Transact
  readonly prepare: Prepare
  readonly onUnwritable: (result: DeliveryResult) => void
}

/** Stores a batch; one by one if it meets a damaged page, so that the others do not wait for a result that can never be stored. */
async function storeReadable(
  db: Db,
  options: StoreOptions,
  batch: readonly DeliveryResult[],
): Promise<readonly DeliveryResult[]> {
  try {
    return await storeBatch(options, batch)
  } catch (error) {
    if (!isDamage(db, error)) throw error
  }
  const written: DeliveryResult[] = []
  for (const one of batch)
    try {
      written.push(...(await storeBatch(options, [one])))
    } catch (error) {
      if (!isDamage(db, error)) throw error
      options.onUnwritable(one)
    }
  return written
}

async function storeBatch(
  { transact, prepare }: StoreOptions,
  batch: readonly DeliveryResult[],
): Promise<readonly DeliveryResult[]> {
  if (batch.length === 0) return batch
  return transact(async (tx, now) => {
    const results = await prepare(tx, batch, now)
    await recordResults(tx, results, now)
    return results
  })
}

/** A task may have become true again since the check. Its delivery becomes due again: once cancelled, nothing would revive it. */
async function recheckCancelled(tx: Db, batch: readonly DeliveryResult[], now: number): Promise<DeliveryResult[]> {
  const ids = batch.filter(({ state }) => state === 'cancelled').map(({ claim }) => claim.notification.taskId)
  if (ids.length === 0) return [...batch]
  const found = await lockTasks(tx, ids)
  const missing = ids.filter((id) => !found.has(id))
  if (missing.length > 0) {
    // A task that is being restored is not visible yet, but its row in the trash is locked: wait for that, then read again.
    await waitForTrashed(tx, missing)
    for (const [id, task] of await lockTasks(tx, missing)) found.set(id, task)
  }
  return batch.map((result) => {
    const { notification } = result.claim
    if (result.state !== 'cancelled' || cancelReason(notification, found.get(notification.taskId)) !== null)
      return result
    return { ...result, state: 'pending', nextAt: now, error: null }
  })
}

/** Records a change for each failed delivery that this process still holds. Once the results are stored, no claim shows that any more. */
async function recordFailed(tx: Db, batch: readonly DeliveryResult[]): Promise<readonly DeliveryResult[]> {
  const claims = batch.map(({ claim }) => claim)
  for (const { notification, channelId } of await lockHeldClaims(tx, claims)) {
    const { id: notificationId, userId, taskId } = notification
    recordChange(tx, { userId, taskId, kind: 'failed', notificationId, channelId })
  }
  return batch
}
