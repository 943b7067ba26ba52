import { dialectOf } from './dialects/dialect.ts'
import type { Db } from './schema.ts'

/** An expiry that is the same to its user, at another instant: a day in another zone, or a wall time after a change of the zone's rules. */
export interface MovedExpiry {
  readonly id: number
  readonly from: number
  readonly to: number
}

/**
 * Moves the notifications of such an expiry along. Otherwise their pending deliveries would be cancelled, and the reminders would fire again.
 * The tasks are locked.
 */
export async function moveNotifications(tx: Db, moved: readonly MovedExpiry[]): Promise<void> {
  const moves = new Map(moved.map((one) => [one.id, one]))
  if (moves.size === 0) return
  const rows = await tx
    .selectFrom('notifications')
    .select(['id', 'task_id', 'expiry_at', 'due_at'])
    .where((eb) => dialectOf(tx).among(eb.ref('task_id'), [...moves.keys()]))
    .execute()
  // A task may have had the other expiry before, with a reminder at the same instant. Then both notifications stay as they are.
  const taken = new Set(rows.map((row) => `${row.task_id} ${row.expiry_at} ${row.due_at}`))
  const values = rows.flatMap(({ id, task_id, expiry_at, due_at }) => {
    const { from, to } = moves.get(task_id) ?? { from: Number.NaN, to: 0 }
    return expiry_at === from && !taken.has(`${task_id} ${to} ${due_at}`) ? [[id, to]] : []
  })
  if (values.length > 0) await dialectOf(tx).updateRows(tx, 'notifications', ['id'], ['expiry_at'], values)
}

/** Saves moved expiries, with their notifications. The version grows, because clients see another `expiry_dt`. */
export async function moveExpiries(
  tx: Db,
  moved: readonly (MovedExpiry & { readonly version: number })[],
  now: number,
): Promise<void> {
  if (moved.length === 0) return
  await dialectOf(tx).updateRows(
    tx,
    'tasks',
    ['id'],
    ['expiry_at', 'version', 'updated_at'],
    moved.map(({ id, to, version }) => [id, to, version + 1, now]),
  )
  await moveNotifications(tx, moved)
}
