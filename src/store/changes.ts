import { dialectOf } from './dialects/dialect.ts'
import { prepare } from './prepare.ts'
import type { Db } from './schema.ts'

/**
 * The numbered list of what changed, for readers that follow it. Its promise: a number never becomes visible below one that is
 * visible already. So a reader that asks for everything above the last number it saw misses nothing.
 *
 *   wish 1 ── recordChange ─┐
 *   wish 2 ── recordChange ─┼─▶ at the end of the transaction, for each owner:
 *   wish 3 ── recordChange ─┘     1. counter += n     (locks the owner's row until the COMMIT)
 *                                 2. n rows, numbered up to the counter
 *                                 3. COMMIT           (the next in line gets its numbers now, above ours)
 *
 * A sequence or an auto-increment cannot promise it: it gives numbers in the order of asking, and transactions end in another. See
 * docs/decisions/0007.
 */
export const changeKinds = ['created', 'updated', 'completed', 'reopened', 'snoozed', 'deleted', 'cleared'] as const
export type ChangeKind = (typeof changeKinds)[number]

export interface Change {
  readonly ownerId: number
  /** Null for all of the owner's at once. */
  readonly taskId: number | null
  readonly kind: ChangeKind
}

export interface NumberedChange extends Change {
  /** Counts an owner's changes, from 1, without gaps. */
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
  dropFrom(length: number): void
  write(now: number): Promise<void>
} {
  const changes: Change[] = []
  pending.set(tx, changes)
  return {
    length: () => changes.length,
    dropFrom: (length) => changes.splice(length),
    async write(now) {
      // Owners in order, so that two transactions that touch the same two wait for each other one way only.
      const byOwner = [...Map.groupBy(changes, ({ ownerId }) => ownerId)].sort(([a], [b]) => a - b)
      for (const [ownerId, owned] of byOwner) {
        const last = await dialectOf(tx).addToCounter(tx, ownerId, owned.length)
        const first = last - owned.length + 1
        await dialectOf(tx).insertRows(
          tx,
          'changes',
          ['owner_id', 'number', 'task_id', 'kind', 'changed_at'],
          owned.map(({ taskId, kind }, i) => [ownerId, first + i, taskId, kind, now]),
          [],
        )
      }
    },
  }
}

const selectLast = prepare((db, args: { ownerId: number }) =>
  db.selectFrom('counters').select('changes').where('owner_id', '=', args.ownerId),
)

/** The number of an owner's last change; 0 before the first. What it is the same for, nothing of the owner's has changed. */
export async function lastChange(db: Db, ownerId: number): Promise<number> {
  return (await selectLast(db, { ownerId })).rows[0]?.changes ?? 0
}

/** An owner's changes above a number, in order. */
export async function changesSince(db: Db, ownerId: number, number: number, limit: number): Promise<NumberedChange[]> {
  const rows = await db
    .selectFrom('changes')
    .selectAll()
    .where('owner_id', '=', ownerId)
    .where('number', '>', number)
    .orderBy('number')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    ownerId: row.owner_id,
    number: row.number,
    taskId: row.task_id,
    kind: row.kind,
    at: row.changed_at,
  }))
}
