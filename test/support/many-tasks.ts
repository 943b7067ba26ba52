import { randomUUID } from 'node:crypto'
import type { Store } from '#store/open.ts'

/** Very many tasks, in a few statements; without an alarm. `more` are columns that all of them have. */
export async function insertMany(
  { transact, dialect }: Store,
  howMany: number,
  more: { expiry_at?: number; notify_at?: number } = {},
): Promise<void> {
  const columns = ['owner_id', 'uid', 'title', 'tags', 'priority', 'created_at', 'updated_at', 'version'] as const
  const { expiry_at = null, notify_at = null } = more
  for (let i = 0; i < howMany; i += 1_000)
    await transact((tx, now) =>
      dialect.insertRows(
        tx,
        'tasks',
        [...columns, 'expiry_at', 'notify_at'],
        Array.from({ length: Math.min(1_000, howMany - i) }, () => {
          return [1, randomUUID(), 'One of many', '[]', 'none', now, now, 1, expiry_at, notify_at]
        }),
        [],
      ),
    )
}
