import { dialectOf } from './dialects/dialect.ts'
import type { Db, Schema } from './schema.ts'
import { removeFromIndex } from './search.ts'

/** Deletes the data of a user. */

/** Tables whose rows have an id and a user, in the order of deletion: references before the rows that they refer to. */
const byId = ['tasks', 'trash', 'notifications', 'channels', 'tokens'] as const

/** Deletes rows of a user. @returns how many, at most `limit`; 0 when nothing is left */
export async function deleteUserRows(tx: Db, userId: number, limit: number): Promise<number> {
  for (const table of byId) {
    const rows = await tx.selectFrom(table).select('id').where('user_id', '=', userId).limit(limit).execute()
    const ids = rows.map(({ id }) => id)
    if (ids.length === 0) continue
    if (table === 'notifications')
      await tx
        .deleteFrom('deliveries')
        .where((eb) => dialectOf(tx).among(eb.ref('notification_id'), ids))
        .execute()
    // Tasks in the trash are still in the search index.
    if (table === 'tasks' || table === 'trash') await removeFromIndex(tx, ids)
    await tx
      .deleteFrom(table)
      .where((eb) => dialectOf(tx).among(eb.ref('id'), ids))
      .execute()
    return ids.length
  }
  return (
    (await deleteKeyed(tx, 'changes', 'number', userId, limit)) ||
    deleteKeyed(tx, 'idempotency_keys', 'key', userId, limit)
  )
}

async function deleteKeyed<T extends 'changes' | 'idempotency_keys'>(
  tx: Db,
  table: T,
  key: keyof Schema[T] & string,
  userId: number,
  limit: number,
): Promise<number> {
  const { ref } = tx.dynamic
  const rows = await tx
    .selectFrom(table as 'changes')
    .select(ref<'number'>(key))
    .where('user_id', '=', userId)
    .limit(limit)
    .execute()
  const keys = rows.map((row) => (row as unknown as Record<string, number | string>)[key] as number | string)
  if (keys.length > 0)
    await tx
      .deleteFrom(table as 'changes')
      .where('user_id', '=', userId)
      .where((eb) => dialectOf(tx).among(eb.ref(key as 'number'), keys))
      .execute()
  return keys.length
}
