import { dialectOf } from './dialects/dialect.ts'
import { isDamage } from './engine/storage.ts'
import { noticesByIds } from './notifications.ts'
import type { Db } from './schema.ts'

/** Why a delivery is given up of which a part cannot be read. A person can ask for it again once the database is repaired. */
export const unreadable = 'the database is damaged: what was to be sent cannot be read'

export interface Readability {
  /** Notices of deliveries that can be claimed. */
  readonly readable: number[]
  /** Those of deliveries that can be read, while the notice itself cannot. */
  readonly withoutNotice: number[]
}

/**
 * A channel's due deliveries, the longest due first: each is read by itself, since one on a damaged page fails a whole list.
 * @param without notices that are passed over
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
    .select('notice_id')
    .where('channel_id', '=', channelId)
    .where('next_at', '<=', now)
    .orderBy('next_at')
    .execute()
  const sorted: Readability = { readable: [], withoutNotice: [] }
  for (const { notice_id: id } of rows) {
    if (sorted.readable.length === limit) break
    if (without.has(id) || !(await canRead(db, () => readDelivery(db, channelId, id)))) continue
    const list = (await canRead(db, () => noticesByIds(db, [id]))) ? sorted.readable : sorted.withoutNotice
    list.push(id)
  }
  return sorted
}

const readDelivery = (db: Db, channelId: number, noticeId: number) =>
  db
    .selectFrom('deliveries')
    .selectAll()
    .where('notice_id', '=', noticeId)
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

/** Gives up the deliveries of some notices on a channel. Nobody is told by a change: whose they are cannot be read. */
export async function giveUpUnreadable(
  tx: Db,
  channelId: number,
  noticeIds: readonly number[],
  now: number,
): Promise<void> {
  if (noticeIds.length === 0) return
  await tx
    .updateTable('deliveries')
    .set({ state: 'dead', next_at: null, claimed_at: null, settled_at: now, error: unreadable })
    .where('channel_id', '=', channelId)
    .where((eb) => dialectOf(tx).among(eb.ref('notice_id'), noticeIds))
    .where('next_at', '<=', now)
    .execute()
}
