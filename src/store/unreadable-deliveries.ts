import { dialectOf } from './dialects/dialect.ts'
import { isDamage } from './engine/storage.ts'
import { notificationsByIds } from './notifications.ts'
import type { Db } from './schema.ts'

/** The reason of a failed delivery that cannot be read completely. The user can retry it after the database is repaired. */
export const unreadableReason = 'the database is damaged: what was to be sent cannot be read'

export interface Readability {
  /** The notifications of deliveries that can be claimed. */
  readonly readable: number[]
  /** The notifications that cannot be read themselves, while their deliveries can. */
  readonly withoutNotification: number[]
}

/**
 * Sorts the due deliveries of a channel, the longest due first. Each is read by itself, because one on a damaged page fails a whole
 * list.
 * @param without notifications to skip
 */
export async function sortByReadability(
  db: Db,
  channelId: number,
  now: number,
  limit: number,
  without: ReadonlySet<number>,
): Promise<Readability> {
  // The index holds all of this: no row is read.
  const rows = await db
    .selectFrom('deliveries')
    .select('notification_id')
    .where('channel_id', '=', channelId)
    .where('next_at', '<=', now)
    .orderBy('next_at')
    .execute()
  const sorted: Readability = { readable: [], withoutNotification: [] }
  for (const { notification_id: id } of rows) {
    if (sorted.readable.length === limit) break
    if (without.has(id) || !(await canRead(db, () => readDelivery(db, channelId, id)))) continue
    const list = (await canRead(db, () => notificationsByIds(db, [id]))) ? sorted.readable : sorted.withoutNotification
    list.push(id)
  }
  return sorted
}

const readDelivery = (db: Db, channelId: number, notificationId: number) =>
  db
    .selectFrom('deliveries')
    .selectAll()
    .where('notification_id', '=', notificationId)
    .where('channel_id', '=', channelId)
    .execute()

async function canRead(db: Db, read: () => Promise<unknown>): Promise<boolean> {
  try {
    await read()
    return true
  } catch (error) {
    if (!isDamage(db, error)) throw error
    return false
  }
}

/** Fails the deliveries of these notifications on a channel. It records no change, because their users cannot be read. */
export async function giveUpUnreadable(
  tx: Db,
  channelId: number,
  notificationIds: readonly number[],
  now: number,
): Promise<void> {
  if (notificationIds.length === 0) return
  await tx
    .updateTable('deliveries')
    .set({ state: 'failed', next_at: null, claimed_at: null, finished_at: now, error: unreadableReason })
    .where('channel_id', '=', channelId)
    .where((eb) => dialectOf(tx).among(eb.ref('notification_id'), notificationIds))
    .where('next_at', '<=', now)
    .execute()
}
