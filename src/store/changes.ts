import type { Selectable } from 'kysely'
import { type ChangeKind, type NotificationChangeKind, notificationChangeKinds } from '#core/change.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockRows } from './engine/lock-rows.ts'
import { prepare } from './engine/prepare.ts'
import type { Collector } from './engine/transact.ts'
import type { ChangeTable, Db } from './schema.ts'

/**
 * The numbered change log that clients follow. It promises that a number never becomes visible below one that is visible already.
 * So a reader that asks for everything above the last number it saw misses nothing.
 *
 *   work 1 ── recordChange ─┐
 *   work 2 ── recordChange ─┼─▶ at the end of the transaction, for each user:
 *   work 3 ── recordChange ─┘     1. counter += n     (locks the user's row until the COMMIT)
 *                                 2. n rows, numbered up to the counter
 *                                 3. COMMIT           (the next transaction gets its numbers now, above ours)
 *
 * A sequence or an auto-increment cannot promise that: it assigns numbers in the order of requests, and transactions commit in
 * another. See docs/decisions/0007.
 */
export interface Change {
  readonly userId: number
  /** Null for a change of many tasks at once. */
  readonly taskId: number | null
  readonly kind: ChangeKind
  /** For many tasks at once: their batch in the trash, and their number. A row for each would flood the readers. */
  readonly batch?: string
  readonly count?: number
  /** The notification that fired or failed, and the channel it failed on. */
  readonly notificationId?: number
  readonly channelId?: number
}

export interface NumberedChange extends Change {
  /** Counts a user's changes, from 1, without gaps. */
  readonly number: number
  /** ms since 1970. */
  readonly at: number
}

const pending = new WeakMap<Db, Change[]>()

/** Records a change made in this transaction. It is numbered and written at the end of the transaction. */
export function recordChange(tx: Db, change: Change): void {
  const changes = pending.get(tx)
  if (!changes) throw new Error('recordChange was called outside of transact')
  changes.push(change)
}

export interface ChangeHooks {
  /** Called directly before a COMMIT that changes tasks, not only their notifications. */
  readonly onTasksChanged: () => void
  /** Called after a COMMIT that wrote changes, with the ids of their users. */
  readonly onChangesCommitted: (userIds: readonly number[]) => void
}

/** Collects the changes of a transaction. It writes last, because it locks the counters of their users. */
export function collectChanges(tx: Db, { onTasksChanged, onChangesCommitted }: ChangeHooks): Collector {
  const changes: Change[] = []
  const isOfTask = ({ kind }: Change) => !notificationChangeKinds.includes(kind as NotificationChangeKind)
  let userIds: readonly number[] = []
  pending.set(tx, changes)
  return {
    length: () => changes.length,
    truncate: (length) => changes.splice(length),
    async write(now) {
      // In the order of the users: two transactions that touch the same two cannot deadlock.
      const byUser = [...Map.groupBy(changes, ({ userId }) => userId)].sort(([a], [b]) => a - b)
      for (const [userId, owned] of byUser) await writeChanges(tx, userId, owned, now)
      userIds = byUser.map(([userId]) => userId)
    },
    onCommit() {
      if (changes.some(isOfTask)) onTasksChanged()
    },
    onCommitted() {
      if (userIds.length > 0) onChangesCommitted(userIds)
    },
  }
}

async function writeChanges(tx: Db, userId: number, changes: readonly Change[], now: number): Promise<void> {
  const last = await dialectOf(tx).addToCounter(tx, userId, changes.length)
  const first = last - changes.length + 1
  await dialectOf(tx).insertRows(
    tx,
    'changes',
    ['user_id', 'number', 'task_id', 'kind', 'changed_at', 'batch', 'count', 'notification_id', 'channel_id'],
    changes.map(({ taskId, kind, batch = null, count = null, notificationId = null, channelId = null }, i) => [
      userId,
      first + i,
      taskId,
      kind,
      now,
      batch,
      count,
      notificationId,
      channelId,
    ]),
    [],
  )
  // A reader from before a change of many tasks cannot tell what it did: it must begin again.
  const many = changes.findLastIndex(({ taskId, count }) => taskId === null && count !== undefined)
  if (many >= 0) await markTrimmed(tx, userId, first + many)
}

const selectCounter = prepare((db, args: { userId: number }) =>
  db.selectFrom('counters').select(['changes', 'forgotten']).where('user_id', '=', args.userId),
)

/** The number of a user's last change, and of the last change that was trimmed from the log; 0 before the first. */
export async function changeCounter(db: Db, userId: number): Promise<{ last: number; forgotten: number }> {
  const row = (await selectCounter(db, { userId })).rows[0]
  return { last: row?.changes ?? 0, forgotten: row?.forgotten ?? 0 }
}

/** The number of a user's last change; 0 before the first. While it stays the same, nothing of the user's has changed. */
export async function lastChange(db: Db, userId: number): Promise<number> {
  return (await changeCounter(db, userId)).last
}

/**
 * The same as it will be when this transaction commits, if it records nothing more. The counter stays locked: no other change gets a
 * number before that. Call it last, because the counter is locked last; otherwise two transactions could deadlock.
 */
export async function lockLastChange(tx: Db, userId: number): Promise<number> {
  const counter = tx.selectFrom('counters').select('changes').where('user_id', '=', userId)
  const row = await lockRows(tx, counter).executeTakeFirst()
  const recorded = pending.get(tx)?.filter((change) => change.userId === userId).length ?? 0
  return (row?.changes ?? 0) + recorded
}

/** Readers that ask for changes from below this number must begin again. */
async function markTrimmed(tx: Db, userId: number, number: number): Promise<void> {
  await tx
    .updateTable('counters')
    .set({ forgotten: number })
    .where('user_id', '=', userId)
    .where('forgotten', '<', number)
    .execute()
}

/**
 * Deletes the oldest changes of a user: those before an instant, those more than `keep` behind the last, and those that readers may
 * no longer ask for. @returns how many, at most `limit`
 */
export async function trimChangeLog(
  tx: Db,
  userId: number,
  { before, keep, limit }: { before: number; keep: number; limit: number },
): Promise<number> {
  const counter = await tx
    .selectFrom('counters')
    .select(['changes', 'forgotten'])
    .where('user_id', '=', userId)
    .executeTakeFirst()
  if (!counter) return 0
  const oldest = await tx
    .selectFrom('changes')
    .select(['number', 'changed_at'])
    .where('user_id', '=', userId)
    .orderBy('number')
    .limit(limit)
    .execute()
  const staying = Math.max(counter.forgotten, counter.changes - keep)
  // Deletes up to the first that stays, whatever the times of those behind it: the clock may have been set back.
  const first = oldest.findIndex(({ number, changed_at }) => number > staying && changed_at >= before)
  const last = oldest.at(first === -1 ? -1 : first - 1)
  if (first === 0 || !last) return 0
  await markTrimmed(tx, userId, last.number) // first, because it locks: another replica that trims waits here
  const { numDeletedRows } = await tx
    .deleteFrom('changes')
    .where('user_id', '=', userId)
    .where('number', '<=', last.number)
    .executeTakeFirst()
  return Number(numDeletedRows)
}

export async function usersWithChanges(db: Db): Promise<number[]> {
  return (await db.selectFrom('counters').select('user_id').execute()).map(({ user_id }) => user_id)
}

/** The number of the last change of each of these users, without those that have none. */
export async function lastChanges(db: Db, userIds: readonly number[]): Promise<Map<number, number>> {
  const rows = await db
    .selectFrom('counters')
    .select(['user_id', 'changes'])
    .where((eb) => dialectOf(db).among(eb.ref('user_id'), userIds))
    .execute()
  return new Map(rows.map(({ user_id, changes }) => [user_id, changes]))
}

interface ChangeRange {
  readonly userId: number
  readonly number: number
  readonly limit: number
}

const above = (db: Db, { userId, number, limit }: ChangeRange) =>
  db
    .selectFrom('changes')
    .selectAll()
    .where('user_id', '=', userId)
    .where('number', '>', number)
    .orderBy('number')
    .limit(limit)

const selectAbove = prepare((db, span: ChangeRange) => above(db, span))
const selectTasksAbove = prepare((db, span: ChangeRange) =>
  above(db, span).where('kind', 'not in', notificationChangeKinds),
)

/** A user's changes above a number, in order. */
export async function changesSince(db: Db, userId: number, number: number, limit: number): Promise<NumberedChange[]> {
  return (await selectAbove(db, { userId, number, limit })).rows.map(toChange)
}

/** The same for tasks only, without notifications. The numbers then have gaps. */
export async function taskChangesSince(
  db: Db,
  userId: number,
  number: number,
  limit: number,
): Promise<NumberedChange[]> {
  return (await selectTasksAbove(db, { userId, number, limit })).rows.map(toChange)
}

function toChange(row: Selectable<ChangeTable>): NumberedChange {
  return {
    userId: row.user_id,
    number: row.number,
    taskId: row.task_id,
    kind: row.kind,
    at: row.changed_at,
    ...(row.batch !== null && { batch: row.batch }),
    ...(row.count !== null && { count: row.count }),
    ...(row.notification_id !== null && { notificationId: row.notification_id }),
    ...(row.channel_id !== null && { channelId: row.channel_id }),
  }
}
