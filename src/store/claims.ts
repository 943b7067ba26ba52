import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import type { AttemptResult } from '#core/delivery.ts'
import type { Notification } from '#core/notification.ts'
import type { Task } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockFreeRows, lockRows } from './engine/lock-rows.ts'
import { notificationsByIds } from './notifications.ts'
import type { Db } from './schema.ts'

/** A delivery that this process has claimed until its lease ends: the right to make attempt number `attempt`. */
export interface Claim {
  readonly id: string
  readonly channelId: number
  readonly attempt: number
  /** The attempt from which the back-off counts: 0, unless the user asked for another try. */
  readonly backoffFrom: number
  /** When the attempts began, in ms: the delivery fails a day later. Null before the first failed attempt. */
  readonly tryingSinceAt: number | null
  /** When this attempt was due, in ms. */
  readonly dueAt: number
  readonly leaseUntil: number
  readonly notification: Notification
  /** Deliveries with the same group id are sent as one message. */
  readonly groupId: string | null
  /** How many times it has been repeated: above 0 it was sent before. */
  readonly repeats: number
  /** The task when the reminder fired, and the commit sequence at that time. While that is the same, nothing has changed the task. */
  readonly seen?: { readonly task: Task; readonly commitSequence: number }
}

/** A delivery and its attempt. A process that has lost its claim finds no row by them. */
const claimColumns = ['notification_id', 'channel_id', 'attempts'] as const

/** When the group that gathers on a channel is sent, in ms; null when none does. @param withinMs from now */
export async function nextGroupAt(tx: Db, channelId: number, now: number, withinMs: number): Promise<number | null> {
  const row = await tx
    .selectFrom('deliveries')
    .select('next_at')
    .where('channel_id', '=', channelId)
    .where('next_at', '>', now)
    .where('next_at', '<=', now + withinMs)
    .where('attempts', '=', 0)
    .orderBy('next_at')
    .limit(1)
    .executeTakeFirst()
  return row?.next_at ?? null
}

/**
 * Claims due deliveries of a channel until the end of a lease, the longest due first.
 * @param isGrouping puts new deliveries into groups, which stay together from then on: an id under which a message may have arrived
 *   must not be used for another
 * @param only claims those of these notifications only, where others lie on a damaged page: a statement that reads one of those fails
 *   as a whole
 */
export async function claimDue(
  tx: Db,
  { id: channelId, isGrouping, only }: { id: number; isGrouping: boolean; only?: readonly number[] | undefined },
  now: number,
  leaseMs: number,
  limit: number,
): Promise<Claim[]> {
  const due = tx
    .selectFrom('deliveries')
    .select(['id', 'notification_id', 'attempts', 'next_at', 'backoff_from', 'trying_since_at', 'group_id', 'repeats'])
    .where((eb) =>
      only === undefined
        ? eb('channel_id', '=', channelId)
        : // By their keys, because the index on due deliveries leads to the rows of all.
          eb.and([
            dialectOf(tx).among(eb.ref('notification_id'), only),
            eb(sql<number>`channel_id + 0`, '=', channelId),
          ]),
    )
    .where('next_at', '<=', now)
    .orderBy('next_at')
  const lock = (query: typeof due) => lockFreeRows(tx, query)
  const rows = await lock(due.limit(limit)).execute()
  if (rows.length === 0) return []
  const last = rows.at(-1)?.group_id ?? null
  if (isGrouping && rows.length === limit && last !== null)
    for (const row of await lock(due.where('group_id', '=', last)).execute())
      if (!rows.some(({ id }) => id === row.id)) rows.push(row)
  if (isGrouping) await makeGroups(tx, channelId, rows)
  const leaseUntil = now + leaseMs
  await dialectOf(tx).updateRows(
    tx,
    'deliveries',
    claimColumns,
    ['attempts', 'claimed_at', 'next_at'],
    rows.map(({ notification_id, attempts }) => [notification_id, channelId, attempts, attempts + 1, now, leaseUntil]),
    { state: 'pending' }, // a repeat is `sent` until now
  )
  const notifications = await notificationsByIds(
    tx,
    rows.map(({ notification_id }) => notification_id),
  )
  const claims: Claim[] = []
  for (const row of rows) {
    const notification = notifications.get(row.notification_id)
    if (!notification) continue
    claims.push({
      id: row.id,
      channelId,
      attempt: row.attempts + 1,
      backoffFrom: row.backoff_from,
      tryingSinceAt: row.trying_since_at,
      dueAt: row.next_at ?? now,
      leaseUntil,
      notification,
      groupId: row.group_id,
      repeats: row.repeats,
    })
  }
  return claims
}

/** A message about more tasks would be a list, and no medium has room for it. */
const maxGroup = 50

async function makeGroups(
  tx: Db,
  channelId: number,
  rows: { notification_id: number; attempts: number; group_id: string | null }[],
): Promise<void> {
  const fresh = rows.filter(({ group_id, attempts }) => group_id === null && attempts === 0)
  for (let i = 0; i < fresh.length; i += maxGroup) {
    const group = fresh.slice(i, i + maxGroup)
    // Not the id of the first delivery: one that leaves the group is sent under its own id, which must be new to the receiver.
    const id = group.length > 1 ? randomUUIDv7() : null
    for (const row of group) row.group_id = id
  }
  await dialectOf(tx).updateRows(
    tx,
    'deliveries',
    claimColumns,
    ['group_id'],
    fresh.map(({ notification_id, attempts, group_id }) => [notification_id, channelId, attempts, group_id]),
  )
}

/** The claims that this process still holds. They are locked until the transaction ends. */
export async function lockHeldClaims(tx: Db, claims: readonly Claim[]): Promise<Claim[]> {
  if (claims.length === 0) return []
  const ids = claims.map(({ notification }) => notification.id)
  const query = tx
    .selectFrom('deliveries')
    .select(['id', 'attempts'])
    .where((eb) => dialectOf(tx).among(eb.ref('notification_id'), ids))
    .where('state', '=', 'pending')
  const rows = await lockRows(tx, query).execute()
  const attemptsOf = new Map(rows.map(({ id, attempts }) => [id, attempts]))
  return claims.filter(({ id, attempt }) => attemptsOf.get(id) === attempt)
}

export interface DeliveryResult extends AttemptResult {
  readonly claim: Claim
  /** Set when the notification is to be repeated at `nextAt`: the number of that repeat. */
  readonly repeats?: number
  /** Set when the attempt changed it: the attempt from which the back-off counts. */
  readonly backoffFrom?: number
  /** Set when the attempt changed it: when the attempts began. */
  readonly tryingSinceAt?: number | null
  /** ms from the start of the attempt to its outcome; null when none was made. */
  readonly latencyMs: number | null
}

/** Records the results of attempts, each only while the claim is still held. @returns how many were */
export async function recordResults(tx: Db, results: readonly DeliveryResult[], now: number): Promise<number> {
  // Most were sent, and differ in their latency only.
  const isDone = ({ state, error, nextAt }: DeliveryResult) => state === 'sent' && error === null && nextAt === null
  const done = results.filter(isDone)
  const others = results.filter((one) => !isDone(one))
  const key = ({ claim }: DeliveryResult) => [claim.notification.id, claim.channelId, claim.attempt]
  const { updateRows } = dialectOf(tx)
  const found = await updateRows(
    tx,
    'deliveries',
    claimColumns,
    ['latency_ms'],
    done.map((one) => [...key(one), one.latencyMs]),
    { state: 'sent', next_at: null, error: null, claimed_at: null, finished_at: now },
  )
  const foundOthers = await updateRows(
    tx,
    'deliveries',
    // A disabled channel has cancelled its deliveries. A `sent` result is recorded above all the same, but nothing is tried again.
    [...claimColumns, 'next_at'],
    ['state', 'next_at', 'error', 'latency_ms', 'finished_at', 'repeats', 'backoff_from', 'trying_since_at'],
    others.map((one) => {
      const { claim, state, nextAt, error, latencyMs, repeats = claim.repeats } = one
      const { backoffFrom = claim.backoffFrom, tryingSinceAt = claim.tryingSinceAt } = one
      const finishedAt = state === 'pending' ? null : now
      const result = [state, nextAt, error, latencyMs, finishedAt, repeats, backoffFrom, tryingSinceAt]
      return [...key(one), claim.leaseUntil, ...result]
    }),
    { claimed_at: null },
  )
  return found + foundOthers
}

/** Undoes claims: no attempt was made, and each delivery is due since the same instant as before. */
export async function releaseClaims(tx: Db, claims: readonly Claim[]): Promise<void> {
  await dialectOf(tx).updateRows(
    tx,
    'deliveries',
    claimColumns,
    ['attempts', 'claimed_at', 'next_at'],
    claims.map(({ notification, channelId, attempt, dueAt }) => [
      notification.id,
      channelId,
      attempt,
      attempt - 1,
      null,
      dueAt,
    ]),
  )
}

/** Makes every claim due at once. Only for a process that is alone with its database. */
export async function releaseAllClaims(tx: Db, now: number): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('deliveries')
    .set({ claimed_at: null, next_at: now })
    .where('next_at', 'is not', null)
    .where('claimed_at', 'is not', null)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}
