import { randomUUIDv7 } from 'node:crypto'
import { type ExpressionBuilder, type Selectable, sql, type UpdateObject } from 'kysely'
import type { AttemptResult, DeliveryState } from '#core/delivery.ts'
import type { Notification } from '#core/notification.ts'
import type { Task } from '#core/task.ts'
import { dialectOf } from './dialects/dialect.ts'
import { prepare } from './engine/prepare.ts'
import { notificationsByIds } from './notifications.ts'
import type { Db, DeliveryTable, Schema } from './schema.ts'

/** A delivery as it stands in the ledger. Instants in ms since 1970. */
export interface Delivery {
  readonly id: string
  readonly notificationId: number
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
  /** The attempt from which the back-off counts: 0, unless a person asked for it anew. */
  readonly backoffFrom: number
  /** The instant from which the time until it is given up counts, in ms; null before the first failed attempt. */
  readonly tryingSinceAt: number | null
  /** When this attempt was due, in ms. */
  readonly dueAt: number
  readonly leaseUntil: number
  readonly notification: Notification
  /** Told in one message with the others that have the same. */
  readonly groupId: string | null
  /** Above 0 it is told again, for the so many-th time. */
  readonly repeats: number
  /** The task as it was when this was fired, and the store's edition by then: while that lasts, nobody has changed it. */
  readonly seen?: { readonly task: Task; readonly commitSequence: number }
}

/** A delivery, and the attempt on it that somebody holds: who lost it finds no row. */
const claimColumns = ['notification_id', 'channel_id', 'attempts'] as const

/** Writes new deliveries; one with an `attempt` is claimed by us, one without is due at `nextAt`, which may lie ahead. */
export async function insertDeliveries(
  tx: Db,
  deliveries: readonly { id: string; channelId: number; notification: Notification; attempt: number; nextAt: number }[],
  now: number,
): Promise<void> {
  await dialectOf(tx).insertRows(
    tx,
    'deliveries',
    ['id', 'notification_id', 'user_id', 'channel_id', 'state', 'attempts', 'claimed_at', 'next_at'],
    deliveries.map(({ id, channelId, notification, attempt, nextAt }) => [
      id,
      notification.id,
      notification.userId,
      channelId,
      'pending',
      attempt,
      attempt > 0 ? now : null,
      nextAt,
    ]),
    [],
  )
}

/** Writes deliveries that nobody will attempt, each with the reason: what is not told is not passed over in silence. */
export async function insertCancelled(
  tx: Db,
  dropped: readonly { id: string; channelId: number; notification: Notification; reason: string }[],
  now: number,
): Promise<void> {
  await dialectOf(tx).insertRows(
    tx,
    'deliveries',
    ['id', 'notification_id', 'user_id', 'channel_id', 'state', 'attempts', 'error', 'finished_at'],
    dropped.map(({ id, channelId, notification, reason }) => {
      return [id, notification.id, notification.userId, channelId, 'cancelled', 0, reason, now]
    }),
    [],
  )
}

/** When what waits on a channel to be told with others goes out, in ms; null when nothing waits. @param withinMs from now */
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

/** A look into the index for one channel. min() instead of the first would be read by MySQL over all that wait. */
const firstOf = (eb: ExpressionBuilder<Schema, 'channels'>) =>
  eb
    .selectFrom('deliveries')
    .select('next_at')
    .whereRef('deliveries.channel_id', '=', 'channels.id')
    .where('next_at', 'is not', null)
    .orderBy('next_at')
    .limit(1)

const selectNextDue = prepare((db, _: object) =>
  db
    .selectFrom('channels')
    .select((eb) => ['id', 'held_until_at', firstOf(eb).as('next_at')])
    .where('removed_at', 'is', null)
    .where('enabled', '=', 1),
)

/**
 * The same where the index holds only deliveries that wait: it is read from channel to channel, and so costs nothing for a channel without
 * any. With 5,000 users of two channels each and nothing due: 0.03 instead of 15 ms of SQLite's time, which stops this process.
 */
const selectNextDueOfFew = prepare((db, _: object) =>
  db
    .withRecursive('waiting(channel_id)', (cte) =>
      cte
        .selectNoFrom((eb) =>
          eb
            .selectFrom('deliveries')
            .select('channel_id')
            .where('next_at', 'is not', null)
            .orderBy('channel_id')
            .limit(1)
            .as('channel_id'),
        )
        .unionAll(
          cte
            .selectFrom('waiting')
            .select((eb) =>
              eb
                .selectFrom('deliveries')
                .select('deliveries.channel_id')
                .where('next_at', 'is not', null)
                .whereRef('deliveries.channel_id', '>', 'waiting.channel_id')
                .orderBy('deliveries.channel_id')
                .limit(1)
                .as('channel_id'),
            )
            .where('waiting.channel_id', 'is not', null),
        ),
    )
    .selectFrom('waiting')
    .innerJoin('channels', 'channels.id', 'waiting.channel_id')
    .select((eb) => [
      'channels.id',
      'channels.held_until_at',
      firstOf(eb as unknown as ExpressionBuilder<Schema, 'channels'>).as('next_at'),
    ])
    .where('channels.removed_at', 'is', null)
    .where('channels.enabled', '=', 1),
)

export interface NextDue {
  /** When the next attempt is due, in ms. The end of a lease counts: whoever held it may be dead. */
  readonly at: number
  /** No attempt before this instant, in ms: the receiver has asked for that. */
  readonly heldUntilAt: number | null
}

/** Of each channel on which something waits. In one statement, however many channels there are. */
export async function nextDue(db: Db): Promise<Map<number, NextDue>> {
  const select = dialectOf(db).columnSyntax().partialIndexes ? selectNextDueOfFew : selectNextDue
  const { rows } = await select(db, {})
  return new Map(
    rows.flatMap(({ id, next_at: at, held_until_at: heldUntilAt }) =>
      at === null ? [] : [[id, { at, heldUntilAt }] as const],
    ),
  )
}

/**
 * Takes what is due on a channel into hand, the longest due first, for the span of a lease.
 * @param isGrouping what is taken for the first time is put into groups, which stay together from then on: under the id of a message
 *   that may have arrived, nothing else may be said
 * @param only of these notifications, where others lie on a damaged page: a statement that reads one fails as a whole
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
        : // By their keys: the index on what is due leads to the rows of all.
          eb.and([
            dialectOf(tx).among(eb.ref('notification_id'), only),
            eb(sql<number>`channel_id + 0`, '=', channelId),
          ]),
    )
    .where('next_at', '<=', now)
    .orderBy('next_at')
  const lock = (query: typeof due) => (dialectOf(tx).isShared ? query.forUpdate().skipLocked() : query)
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
    { state: 'pending' }, // what is told again was sent before
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

/** Tasks in one message: more is no message but a list, and no medium has room for it. */
const maxGroup = 50

async function makeGroups(
  tx: Db,
  channelId: number,
  rows: { notification_id: number; attempts: number; group_id: string | null }[],
): Promise<void> {
  const fresh = rows.filter(({ group_id, attempts }) => group_id === null && attempts === 0)
  for (let i = 0; i < fresh.length; i += maxGroup) {
    const group = fresh.slice(i, i + maxGroup)
    // An id of its own, not that of the first: one that leaves the group is told by its own id, and that must be new to the receiver.
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

/** Those of some claims that are still ours, and nobody takes them from us before this transaction ends. */
export async function lockHeldClaims(tx: Db, claims: readonly Claim[]): Promise<Claim[]> {
  if (claims.length === 0) return []
  const ids = claims.map(({ notification }) => notification.id)
  const query = tx
    .selectFrom('deliveries')
    .select(['id', 'attempts'])
    .where((eb) => dialectOf(tx).among(eb.ref('notification_id'), ids))
    .where('state', '=', 'pending')
  const rows = await (dialectOf(tx).isShared ? query.forUpdate() : query).execute()
  const attemptsOf = new Map(rows.map(({ id, attempts }) => [id, attempts]))
  return claims.filter(({ id, attempt }) => attemptsOf.get(id) === attempt)
}

export interface DeliveryResult extends AttemptResult {
  readonly claim: Claim
  /** Set where it is to be told again, at `nextAt`: for the so many-th time. */
  readonly repeats?: number
  /** Set where the attempt changed it: the attempt from which the back-off counts. */
  readonly backoffFrom?: number
  /** Set where the attempt changed it: the instant from which the time until it is given up counts. */
  readonly tryingSinceAt?: number | null
  /** ms from the start of the attempt to its outcome; null when none was made. */
  readonly latencyMs: number | null
}

/** Writes how attempts ended, each only if the claim is still ours. @returns how many were */
export async function recordResults(tx: Db, settled: readonly DeliveryResult[], now: number): Promise<number> {
  // Most went well, and differ in how long it took alone.
  const isDone = ({ state, error, nextAt }: DeliveryResult) => state === 'sent' && error === null && nextAt === null
  const done = settled.filter(isDone)
  const others = settled.filter((one) => !isDone(one))
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
    // A channel that was switched off has dropped them: what was sent nevertheless is told above, but nothing is tried again.
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

/** Gives claims back as if they had never been taken: no attempt was made, and each is due since when it was due. */
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

/** Makes every claim due at once. Only where the process knows that it is alone with its database. */
export async function releaseAllClaims(tx: Db, now: number): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('deliveries')
    .set({ claimed_at: null, next_at: now })
    .where('next_at', 'is not', null)
    .where('claimed_at', 'is not', null)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/** Tasks came back to an expiry for which deliveries were dropped: those are true again. @returns how many */
export async function reviveCancelled(
  tx: Db,
  tasks: readonly { readonly id: number; readonly expiryAt: number | null }[],
  now: number,
): Promise<number> {
  // Two statements: MariaDB would run a subquery of the UPDATE for each delivery there is.
  const rows = await tx
    .selectFrom('notifications')
    .select(['id', 'task_id', 'expiry_at'])
    .where((eb) =>
      dialectOf(tx).among(
        eb.ref('task_id'),
        tasks.map(({ id }) => id),
      ),
    )
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('deliveries')
          .select('deliveries.id')
          .whereRef('notification_id', '=', 'notifications.id')
          .where('state', '=', 'cancelled'),
      ),
    )
    .execute()
  const expiries = new Map(tasks.map(({ id, expiryAt }) => [id, expiryAt]))
  const ids = rows.filter((row) => expiries.get(row.task_id) === row.expiry_at).map(({ id }) => id)
  return makeDue(tx, ids, 'cancelled', { error: null, finished_at: null, ...anew }, now)
}

/** Attempts go on counting: they are what a claim is known by. Back-off and time begin anew. */
const anew = { backoff_from: sql<number>`attempts`, trying_since_at: null }

/** A person asks for another try of what was given up. What went wrong the last time stays to be read. @returns how many */
export async function retryFailed(
  tx: Db,
  notificationIds: readonly number[],
  only: { readonly deliveryId?: string | undefined; readonly channelId?: number },
  now: number,
): Promise<number> {
  return makeDue(tx, notificationIds, 'failed', { finished_at: null, ...anew }, now, only)
}

async function makeDue(
  tx: Db,
  notificationIds: readonly number[],
  state: DeliveryState,
  set: UpdateObject<Schema, 'deliveries'>,
  now: number,
  { deliveryId, channelId }: { readonly deliveryId?: string | undefined; readonly channelId?: number } = {},
): Promise<number> {
  if (notificationIds.length === 0) return 0
  // Out of its group, if it was in one: under that id others may have been told, and nothing more is heard.
  let query = tx
    .updateTable('deliveries')
    .set({ state: 'pending', next_at: now, group_id: null, ...set })
    .where((eb) => dialectOf(tx).among(eb.ref('notification_id'), notificationIds))
    .where('state', '=', state)
    // Of a channel that is no more, or switched off, it would wait for ever.
    .where('channel_id', 'in', (eb) =>
      eb.selectFrom('channels').select('channels.id').where('removed_at', 'is', null).where('enabled', '=', 1),
    )
  if (deliveryId !== undefined) query = query.where('deliveries.id', '=', deliveryId)
  if (channelId !== undefined) query = query.where('deliveries.channel_id', '=', channelId)
  const { numUpdatedRows } = await query.executeTakeFirst()
  return Number(numUpdatedRows)
}

/** What still waits for a channel that is no more is settled, with the reason. @returns how many */
export async function cancelForChannel(tx: Db, channelId: number, reason: string, now: number): Promise<number> {
  const { numUpdatedRows } = await tx
    .updateTable('deliveries')
    .set({ state: 'cancelled', next_at: null, claimed_at: null, error: reason, finished_at: now })
    .where('channel_id', '=', channelId)
    .where('next_at', 'is not', null)
    .where('state', '=', 'pending')
    .executeTakeFirst()
  // What was sent and waits to be told again was sent.
  await tx
    .updateTable('deliveries')
    .set({ next_at: null })
    .where('channel_id', '=', channelId)
    .where('next_at', 'is not', null)
    .execute()
  return Number(numUpdatedRows)
}

/** What somebody has seen is not told again. */
export async function endRepeats(tx: Db, notificationIds: readonly number[]): Promise<void> {
  await tx
    .updateTable('deliveries')
    .set({ next_at: null })
    .where((eb) => dialectOf(tx).among(eb.ref('notification_id'), notificationIds))
    .where('state', '=', 'sent')
    .where('next_at', 'is not', null)
    .execute()
}

/** The deliveries of some notifications, by notification, in the order of the channels. */
export async function deliveriesOf(db: Db, notificationIds: readonly number[]): Promise<Map<number, Delivery[]>> {
  const rows = await db
    .selectFrom('deliveries')
    .selectAll()
    .where((eb) => dialectOf(db).among(eb.ref('notification_id'), notificationIds))
    .orderBy('channel_id')
    .execute()
  return Map.groupBy(rows.map(toDelivery), ({ notificationId }) => notificationId)
}

function toDelivery(row: Selectable<DeliveryTable>): Delivery {
  return {
    id: row.id,
    notificationId: row.notification_id,
    channelId: row.channel_id,
    state: row.state,
    attempts: row.attempts,
    nextAt: row.next_at,
    latencyMs: row.latency_ms,
    error: row.error,
  }
}
