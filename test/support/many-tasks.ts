import { randomUUID } from 'node:crypto'
import type { Insertable } from 'kysely'
import type { Store } from '#store/engine/open.ts'
import type { TaskTable } from '#store/schema.ts'

/** Inserts very many tasks, in a few statements and without an alarm. `more` are columns that all of them have. */
export async function insertMany(
  { transact, dialect }: Pick<Store, 'transact' | 'dialect'>,
  howMany: number,
  more: Partial<Insertable<TaskTable>> = {},
): Promise<void> {
  for (let i = 0; i < howMany; i += 1_000)
    await transact((tx, now) => {
      const same = { user_id: 1, title: 'One of many', tags: '[]', priority: 'none', version: 1, ...more }
      const rows = Array.from({ length: Math.min(1_000, howMany - i) }, () => {
        return { ...same, uid: randomUUID(), created_at: now, updated_at: now }
      })
      const columns = Object.keys(rows[0] ?? {}) as (keyof TaskTable)[]
      const values = rows.map((row) => columns.map((column) => row[column as keyof typeof row] ?? null))
      return dialect.insertRows(tx, 'tasks', columns, values, [])
    })
}
