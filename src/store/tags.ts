import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Db } from './schema.ts'
import { parseList } from './tables/rows.ts'
import { isTagged } from './task-list.ts'

/** A tag, and the number of its open tasks, expired ones included. */
export interface TagCount {
  readonly name: string
  readonly open: number
  readonly expired: number
}

/** Tasks read in one statement. Reading 100,000 at once would block the reminders for 0.4 s on SQLite. */
const maxRead = 2_000

/** The tags of a user's tasks, by name. Few different lists of tags exist, and each is parsed once. */
export async function countTags(db: Db, userId: number, now: number): Promise<TagCount[]> {
  const byList = new Map<string, { open: number; expired: number }>()
  for (let after = 0; ; ) {
    const rows = await db
      .selectFrom('tasks')
      .select(['id', 'tags', 'completed_at', 'expiry_at'])
      .where('user_id', '=', userId)
      .where('id', '>', after)
      .where(isTagged)
      .orderBy('id')
      .limit(maxRead)
      .execute()
    for (const { tags, completed_at, expiry_at } of rows) {
      const count = entry(byList, tags)
      if (completed_at !== null) continue
      count.open++
      if (expiry_at !== null && expiry_at <= now) count.expired++
    }
    if (rows.length < maxRead) break
    after = rows.at(-1)?.id ?? after
    await nextTurn()
  }
  const byName = new Map<string, { open: number; expired: number }>()
  for (const [list, { open, expired }] of byList)
    for (const name of parseList<string>(list)) {
      const count = entry(byName, name)
      count.open += open
      count.expired += expired
    }
  return [...byName].map(([name, count]) => ({ name, ...count })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function entry(counts: Map<string, { open: number; expired: number }>, name: string) {
  const count = counts.get(name) ?? { open: 0, expired: 0 }
  counts.set(name, count)
  return count
}
