import type { Selectable } from 'kysely'
import type { DeliveryState, Settlement } from '#core/delivery.ts'
import type { Notice } from '#core/notice.ts'
import type { Task } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { noticesByIds } from './notices.ts'
import { prepare } from './prepare.ts'
import type { Db, DeliveryTable } from './schema.ts'

/** A delivery as it stands in the ledger. Instants in ms since 1970. */
export interface Delivery {
  readonly id: string
  readonly noticeId: number
  readonly channelId: number
  readonly state: DeliveryState
  readonly attempts: number
  readonly nextAt: number | null
  readonly latencyMs: number | null
  readonly error: string | null
}

/** A delivery this process has in hand until its lease ends: the right to make attempt number `attempt`. */
export interface Claim {
  readonly id: string
  readonly channelId: number
  readonly attempt: number
  readonly leaseUntil: number
  readonly notice: Notice
  /** The task as it was when this was rung, and the store's edition by then: while that lasts, nobody has changed it. */
  readonly seen?: { readonly task: Task; readonly edition: number }
}

/** A delivery, and the attempt on it that somebody holds: who lost it finds no row. */
const claimColumns = ['notice_id', 'channel_id', 'attempts'] as const

/** Writes new deliveries; one with an `attempt` is claimed by us, one without is due at `nextAt`. */
export async function insertDeliveries(
  tx: Db,
  deliveries: readonly { id: string; channelId: number; notice: Notice; attempt: number; nextAt: number }[],
  now: number,
): Promise<void> {
  await dialectOf(tx).insertRows(
    tx,
    'deliveries',
    ['id', 'notice_id', 'owner_id', 'channel_id', 'state', 'attempts', 'claimed_at', 'next_at'],
    deliveries.map(({ id, channelId, notice, attempt, nextAt }) => [
      id,
      notice.id,
      notice.ownerId,
      channelId,
      'pending',
      attempt,
      attempt > 0 ? now : null,
      nextAt,
    ]),
    [],
  )
}

const selectNextDue = prepare((db, args: { channelId: number }) =>
  db
    .selectFrom('deliveries')
    .select('next_at')
    .where('channel_id', '=', args.channelId)
    .where('next_at', 'is not', null)
    .orderBy('next_at')
    .limit(1),
)

/** When the next attempt on a channel is due, in ms, or null. The end of a lease counts: whoever held it may be dead. */
export async function nextDueAt(db: Db, channelId: number): Promise<number | null> {
  return (await selectNextDue(db, { channelId })).rows[0]?.next_at ?? null
}

/** Takes what is due on a channel into hand, the longest due first, for the span of a lease. */
export async function claimDue(
  tx: Db,
  channelId: number,
  now: number,
  leaseMs: number,
  limit: number,
): Promise<Claim[]> {
  const due = tx
    .selectFrom('deliveries')
    .select(['id', 'notice_id', 'attempts'])
    .where('channel_id', '=', channelId)
    .where('next_at', '<=', now)
    .orderBy('next_at')
    .limit(limit)
  const rows = await (dialectOf(tx).isShared ? due.forUpdate().skipLocked() : due).execute()
  if (rows.length === 0) return []
  const leaseUntil = now + leaseMs
  await dialectOf(tx).updateRows(
    tx,
    'deliveries',
    claimColumns,
    ['attempts', 'claimed_at', 'next_at'],
    rows.map(({ notice_id, attempts }) => [notice_id, channelId, attempts, attempts + 1, now, leaseUntil]),
  )
  const notices = await noticesByIds(
    tx,
    rows.map(({ notice_id }) => notice_id),
  )
  const claims: Claim[] = []
  for (const { id, notice_id, attempts } of rows) {
    const notice = notices.get(notice_id)
    if (notice) claims.push({ id, channelId, attempt: attempts + 1, leaseUntil, notice })
  }
  return claims
}

export interface Settled extends Settlement {
  readonly claim: Claim
  /** ms from the start of the attempt to its outcome; null when none was made. */
  readonly latencyMs: number | null
}

/** Writes how attempts ended, each only if the claim is still ours. @returns how many were */
export async function settleDeliveries(tx: Db, settled: readonly Settled[], now: number): Promise<number> {
  // Most went well, and differ in how long it took alone.
  const isDone = ({ state, error, nextAt }: Settled) => state === 'sent' && error === null && nextAt === null
  const done = settled.filter(isDone)
  const others = settled.filter((one) => !isDone(one))
  const key = ({ claim }: Settled) => [claim.notice.id, claim.channelId, claim.attempt]
  const { updateRows } = dialectOf(tx)
  const found = await updateRows(
    tx,
    'deliveries',
    claimColumns,
    ['latency_ms'],
    done.map((one) => [...key(one), one.latencyMs]),
    { state: 'sent', next_at: null, error: null, claimed_at: null, settled_at: now },
  )
  const foundOthers = await updateRows(
    tx,
    'deliveries',
    claimColumns,
    ['state', 'next_at', 'error', 'latency_ms', 'settled_at'],
    others.map((one) => {
      const { state, nextAt, error, latencyMs } = one
      return [...key(one), state, nextAt, error, latencyMs, nextAt === null ? now : null]
    }),
    { claimed_at: null },
  )
  return found + foundOthers
}

/** Gives claims back as if they had never been taken: no attempt was made. */
export async function releaseClaims(tx: Db, claims: readonly Claim[], now: number): Promise<void> {
  await dialectOf(tx).updateRows(
    tx,
    'deliveries',
    claimColumns,
    ['attempts', 'claimed_at', 'next_at'],
    claims.map(({ notice, channelId, attempt }) => [notice.id, channelId, attempt, attempt - 1, null, now]),
  )
}

/** Makes every claim due at once. Only where the process knows that it is alone with its database. */
export async function freeAllClaims(tx: Db, now: number): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('deliveries')
    .set({ claimed_at: null, next_at: now })
    .where('next_at', 'is not', null)
    .where('claimed_at', 'is not', null)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/** A task came back to an expiry for which deliveries were dropped: they are true again. @returns how many */
export async function reviveDropped(tx: Db, taskId: number, expiryAt: number, now: number): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('deliveries')
    .set({ state: 'pending', next_at: now, error: null, settled_at: null })
    .where('state', '=', 'dropped')
    // Of a channel that is no more it would wait for ever.
    .where('channel_id', 'in', (eb) => eb.selectFrom('channels').select('channels.id').where('removed_at', 'is', null))
    .where('notice_id', 'in', (eb) =>
      eb.selectFrom('notices').select('notices.id').where('task_id', '=', taskId).where('expiry_at', '=', expiryAt),
    )
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/** What still waits for a channel that is no more is settled, with the reason. @returns how many */
export async function dropForChannel(tx: Db, channelId: number, reason: string, now: number): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('deliveries')
    .set({ state: 'dropped', next_at: null, claimed_at: null, error: reason, settled_at: now })
    .where('channel_id', '=', channelId)
    .where('next_at', 'is not', null)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/** The deliveries of some notices, by notice, in the order of the channels. */
export async function deliveriesOf(db: Db, noticeIds: readonly number[]): Promise<Map<number, Delivery[]>> {
  const rows = await db
    .selectFrom('deliveries')
    .selectAll()
    .where((eb) => dialectOf(db).among(eb.ref('notice_id'), noticeIds))
    .orderBy('channel_id')
    .execute()
  return Map.groupBy(rows.map(toDelivery), ({ noticeId }) => noticeId)
}

function toDelivery(row: Selectable<DeliveryTable>): Delivery {
  return {
    id: row.id,
    noticeId: row.notice_id,
    channelId: row.channel_id,
    state: row.state,
    attempts: row.attempts,
    nextAt: row.next_at,
    latencyMs: row.latency_ms,
    error: row.error,
  }
}
