import { dialectOf } from './dialects/dialect.ts'
import { isDamage } from './engine/storage.ts'
import { notificationsByIds } from './notifications.ts'
import type { Db } from './schema.ts'

/** Why a delivery is given up of which a part cannot be read. A person can ask for it again once the database is repaired. */
export const unreadableReason = 'the database is damaged: what was to be sent cannot be read'

export interface Readability {
  /** Notifications of deliveries that can be claimed. */
  readonly readable: number[]
  /** Those of deliveries that can be read, while the notification itself cannot. */
  readonly withoutNotification: number[]
}

/**
 * A channel's due deliveries, the longest due first: each is read by itself, since one on a damaged page fails a whole list.
 * @param without notifications that are passed over
 */
export async function sortByReadability(
  db: Db,
  channelId: number,
  now: number,
  limit: number,
  without: ReadonlySet<number>,
): Promise<Readability> {
  // The index has all of this: no row is read.
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

/** Gives up the deliveries of some notifications on a channel. Nobody is told by a change: whose they are cannot be read. */
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
