import type { Selectable } from 'kysely'
import { type ChangeKind, type NotificationChangeKind, notificationChangeKinds } from '#core/change.ts'
import { dialectOf } from './dialects/dialect.ts'
import { prepare } from './engine/prepare.ts'
import type { ChangeTable, Db } from './schema.ts'

/**
 * The numbered list of what changed, for readers that follow it. Its promise: a number never becomes visible below one that is
 * visible already. So a reader that asks for everything above the last number it saw misses nothing.
 *
 *   wish 1 ── recordChange ─┐
 *   wish 2 ── recordChange ─┼─▶ at the end of the transaction, for each user:
 *   wish 3 ── recordChange ─┘     1. counter += n     (locks the user's row until the COMMIT)
 *                                 2. n rows, numbered up to the counter
 *                                 3. COMMIT           (the next in line gets its numbers now, above ours)
 *
 * A sequence or an auto-increment cannot promise it: it gives numbers in the order of asking, and transactions end in another. See
 * docs/decisions/0007.
 */
export interface Change {
  readonly userId: number
  /** Null for many of the user's at once. */
  readonly taskId: number | null
  readonly kind: ChangeKind
  /** Of many tasks at once: their batch in the trash, and how many. A row each would be more than anybody wants to follow. */
  readonly batch?: string
  readonly count?: number
  /** What rang, or could not be delivered, and over which channel. */
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

/** Takes note of a change made in this transaction; it is numbered and written at its end. */
export function recordChange(tx: Db, change: Change): void {
  const changes = pending.get(tx)
  if (!changes) throw new Error('a change outside of transact')
  changes.push(change)
}

/** For `transact` alone: opens the list of a transaction. The answer drops what was noted after a point, for a wish that failed. */
export function openChanges(tx: Db): {
  length(): number
  /** Whether one of them is of a task, and not of a bell. */
  haveTasks(): boolean
  dropFrom(length: number): void
  /** @returns whose changes they were */
  write(now: number): Promise<number[]>
} {
  const changes: Change[] = []
  pending.set(tx, changes)
  return {
    length: () => changes.length,
    haveTasks: () => changes.some(({ kind }) => !notificationChangeKinds.includes(kind as NotificationChangeKind)),
    dropFrom: (length) => changes.splice(length),
    async write(now) {
      // Users in order, so that two transactions that touch the same two wait for each other one way only.
      const byUser = [...Map.groupBy(changes, ({ userId }) => userId)].sort(([a], [b]) => a - b)
      for (const [userId, owned] of byUser) {
        const last = await dialectOf(tx).addToCounter(tx, userId, owned.length)
        const first = last - owned.length + 1
        await dialectOf(tx).insertRows(
          tx,
          'changes',
          ['user_id', 'number', 'task_id', 'kind', 'changed_at', 'batch', 'count', 'notification_id', 'channel_id'],
          owned.map(({ taskId, kind, batch = null, count = null, notificationId = null, channelId = null }, i) => [
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
        // Nobody who comes from before it can tell from the list what it did: they begin again.
        const many = owned.findLastIndex(({ taskId, count }) => taskId === null && count !== undefined)
        if (many >= 0) await markTrimmed(tx, userId, first + many)
      }
      return byUser.map(([userId]) => userId)
    },
  }
}

const selectCounter = prepare((db, args: { userId: number }) =>
  db.selectFrom('counters').select(['changes', 'forgotten']).where('user_id', '=', args.userId),
)

/** The number of a user's last change, and of the last that is not in the list any more; 0 before the first. */
export async function changeCounter(db: Db, userId: number): Promise<{ last: number; forgotten: number }> {
  const row = (await selectCounter(db, { userId })).rows[0]
  return { last: row?.changes ?? 0, forgotten: row?.forgotten ?? 0 }
}

/** The number of a user's last change; 0 before the first. What it is the same for, nothing of the user's has changed. */
export async function lastChange(db: Db, userId: number): Promise<number> {
  return (await changeCounter(db, userId)).last
}

/**
 * The same as it will be when this transaction ends, if it notes nothing more: nobody else's changes get a number before that. To be
 * asked last, as the counter is bumped last, or two transactions could wait for each other.
 */
export async function lockLastChange(tx: Db, userId: number): Promise<number> {
  const counter = tx.selectFrom('counters').select('changes').where('user_id', '=', userId)
  const row = await (dialectOf(tx).isShared ? counter.forUpdate() : counter).executeTakeFirst()
  const noted = pending.get(tx)?.filter((change) => change.userId === userId).length ?? 0
  return (row?.changes ?? 0) + noted
}

/** Whoever asks for changes from below this number must begin again: they are not in the list any more. */
async function markTrimmed(tx: Db, userId: number, number: number): Promise<void> {
  await tx
    .updateTable('counters')
    .set({ forgotten: number })
    .where('user_id', '=', userId)
    .where('forgotten', '<', number)
    .execute()
}

/**
 * Takes changes out of a user's list from its beginning: those before an instant, those that are more than `keep` behind the last, and
 * those that nobody may ask for any more. @returns how many, at most `limit`
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
  // The list must begin somewhere: up to the first that stays, whatever a clock that was set back says of those behind it.
  const first = oldest.findIndex(({ number, changed_at }) => number > staying && changed_at >= before)
  const last = oldest.at(first === -1 ? -1 : first - 1)
  if (first === 0 || !last) return 0
  await markTrimmed(tx, userId, last.number) // first, since it locks: another replica that does the same waits here
  const { numDeletedRows } = await tx
    .deleteFrom('changes')
    .where('user_id', '=', userId)
    .where('number', '<=', last.number)
    .executeTakeFirst()
  return Number(numDeletedRows)
}

/** The users that have changes. */
export async function usersWithChanges(db: Db): Promise<number[]> {
  return (await db.selectFrom('counters').select('user_id').execute()).map(({ user_id }) => user_id)
}

/** The number of the last change of each of some users; those that have none are left out. */
export async function lastChanges(db: Db, userIds: readonly number[]): Promise<Map<number, number>> {
  const rows = await db
    .selectFrom('counters')
    .select(['user_id', 'changes'])
    .where((eb) => dialectOf(db).among(eb.ref('user_id'), userIds))
    .execute()
  return new Map(rows.map(({ user_id, changes }) => [user_id, changes]))
}

interface Span {
  readonly userId: number
  readonly number: number
  readonly limit: number
}

const above = (db: Db, { userId, number, limit }: Span) =>
  db
    .selectFrom('changes')
    .selectAll()
    .where('user_id', '=', userId)
    .where('number', '>', number)
    .orderBy('number')
    .limit(limit)

const selectAbove = prepare((db, span: Span) => above(db, span))
const selectTasksAbove = prepare((db, span: Span) => above(db, span).where('kind', 'not in', notificationChangeKinds))

/** A user's changes above a number, in order. */
export async function changesSince(db: Db, userId: number, number: number, limit: number): Promise<NumberedChange[]> {
  return (await selectAbove(db, { userId, number, limit })).rows.map(toChange)
}

/** The same without what rang: of tasks alone. The numbers then have gaps. */
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
