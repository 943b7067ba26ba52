import { sql } from 'kysely'
import type { Db } from './schema.ts'
import { isTagged } from './task-list.ts'
import { parseList } from './tasks.ts'

/** A tag, and how many tasks with it are open; those that have expired are open as well. */
export interface TagCount {
  readonly name: string
  readonly open: number
  readonly expired: number
}

/** The tags of an owner's tasks by their names. Lists of tags are few and counted by the database, and taken apart here. */
export async function countTags(db: Db, ownerId: number, now: number): Promise<TagCount[]> {
  const rows = await db
    .selectFrom('tasks')
    .select([
      'tags',
      sql<number>`sum(case when completed_at is null then 1 else 0 end)`.as('open'),
      sql<number>`sum(case when completed_at is null and expiry_at <= ${now} then 1 else 0 end)`.as('expired'),
    ])
    .where('owner_id', '=', ownerId)
    .where(isTagged)
    .groupBy('tags')
    .execute()
  const counts = new Map<string, { open: number; expired: number }>()
  for (const { tags, open, expired } of rows)
    for (const name of parseList<string>(tags)) {
      const count = counts.get(name) ?? { open: 0, expired: 0 }
      counts.set(name, { open: count.open + Number(open), expired: count.expired + Number(expired) })
    }
  return [...counts].map(([name, count]) => ({ name, ...count })).sort((a, b) => (a.name < b.name ? -1 : 1))
}
