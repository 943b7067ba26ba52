import { whyDropped } from '#core/notice.ts'
import { recordChange } from '#store/changes.ts'
import { claimsInHand, type Settled, settleDeliveries } from '#store/deliveries.ts'
import type { Db } from '#store/schema.ts'
import { lockTasks } from '#store/tasks.ts'
import type { Transact } from '#store/transact.ts'
import { awaitTrashed } from '#store/trash.ts'

/** How attempts are written down once they have ended, many in one transaction; when is `deliver.ts`'s business. */

/** A task can have become true again since the look: dropped now, nobody would revive its delivery. So it is due again. */
export async function lookAgain(tx: Db, batch: readonly Settled[], now: number): Promise<Settled[]> {
  const ids = batch.filter(({ state }) => state === 'dropped').map(({ claim }) => claim.notice.taskId)
  if (ids.length === 0) return [...batch]
  const found = await lockTasks(tx, ids)
  const gone = ids.filter((id) => !found.has(id))
  if (gone.length > 0) {
    // One on its way back from the trash cannot be seen yet, but its row there is locked: wait for that, and look once more.
    await awaitTrashed(tx, gone)
    for (const [id, task] of await lockTasks(tx, gone)) found.set(id, task)
  }
  return batch.map((settled) => {
    const { notice } = settled.claim
    if (settled.state !== 'dropped' || whyDropped(notice, found.get(notice.taskId)) !== null) return settled
    return { ...settled, state: 'pending', nextAt: now, error: null }
  })
}

/** What is given up is told, as far as it is ours to give up: asked before it is settled, for then that cannot be told any more. */
export async function recordDead(tx: Db, batch: readonly Settled[]): Promise<readonly Settled[]> {
  const claims = batch.map(({ claim }) => claim)
  for (const { notice, channelId } of await claimsInHand(tx, claims)) {
    const { id: noticeId, ownerId, taskId } = notice
    recordChange(tx, { ownerId, taskId, kind: 'failed', noticeId, channelId })
  }
  return batch
}

export async function settleAll(
  transact: Transact,
  batch: readonly Settled[],
  prepare: (tx: Db, batch: readonly Settled[], now: number) => Promise<readonly Settled[]>,
): Promise<readonly Settled[]> {
  if (batch.length === 0) return batch
  return transact(async (tx, now) => {
    const settled = await prepare(tx, batch, now)
    await settleDeliveries(tx, settled, now)
    return settled
  })
}
