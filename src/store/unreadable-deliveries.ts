import { dialectOf } from './dialects/dialect.ts'
import { noticesByIds } from './notices.ts'
import type { Db } from './schema.ts'
import { isDamage } from './storage.ts'

/** Why a delivery is given up of which a part cannot be read. A person can ask for it again once the database is repaired. */
export const unreadable = 'the database is damaged: what was to be sent cannot be read'

/** Those of a channel's due deliveries whose notices lie on a damaged page: read one by one, since one fails a whole list. */
export async function findUnreadable(db: Db, channelId: number, now: number, limit: number): Promise<number[]> {
  const rows = await db
    .selectFrom('deliveries')
    .select('notice_id')
    .where('channel_id', '=', channelId)
    .where('next_at', '<=', now)
    .orderBy('next_at')
    .limit(limit)
    .execute()
  const found: number[] = []
  for (const { notice_id: id } of rows)
    try {
      await noticesByIds(db, [id])
    } catch (error) {
      if (!isDamage(db, error)) throw error
      found.push(id)
    }
  return found
}

/** Gives up the deliveries of some notices on a channel. Nobody is told by a change: whose they are cannot be read. */
export async function giveUpUnreadable(
  tx: Db,
  channelId: number,
  noticeIds: readonly number[],
  now: number,
): Promise<void> {
  await tx
    .updateTable('deliveries')
    .set({ state: 'dead', next_at: null, claimed_at: null, settled_at: now, error: unreadable })
    .where('channel_id', '=', channelId)
    .where((eb) => dialectOf(tx).among(eb.ref('notice_id'), noticeIds))
    .where('next_at', '<=', now)
    .execute()
}
