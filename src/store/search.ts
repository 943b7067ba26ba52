import type { Task } from '#core/task.ts'
import { tokenize } from '#core/tokenize.ts'
import type { IndexEntry } from './dialects/dialect.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Collector } from './engine/transact.ts'
import type { Db } from './schema.ts'

/**
 * The search index: the words of titles and descriptions. It is written in the transaction of the task, at its end and in one statement.
 * On SQLite a create then costs 2 µs more. Written one by one it costs 14, because each savepoint makes FTS5 write out what it has
 * gathered.
 *
 * The index may hold too much and never too little: a search checks every task that it names, and ids are not reused. So tasks that
 * go to the trash stay in it, and tasks that are deleted for good are removed by `removeFromIndex`.
 */
type Indexed = Pick<Task, 'id' | 'title' | 'description'>

const pending = new WeakMap<Db, IndexEntry[]>()

/** Indexes a new task, or one with a changed title or description, at the end of the transaction. */
export function indexTask(tx: Db, task: Indexed, { isNew = false } = {}): void {
  const entries = pending.get(tx)
  if (!entries) throw new Error('indexTask was called outside of transact')
  entries.push(toEntry(task, isNew))
}

export function toEntry({ id, title, description }: Indexed, isNew: boolean): IndexEntry {
  return { id, words: tokenize(title, description), isNew }
}

/** Collects the index entries of a transaction. */
export function collectIndexEntries(tx: Db): Collector {
  const entries: IndexEntry[] = []
  pending.set(tx, entries)
  return {
    length: () => entries.length,
    truncate: (length) => entries.splice(length),
    async write() {
      if (entries.length === 0) return
      // A task that was written twice in this transaction is indexed by its last version.
      const last = new Map<number, IndexEntry>()
      for (const entry of entries) last.set(entry.id, last.get(entry.id)?.isNew ? { ...entry, isNew: true } : entry)
      await dialectOf(tx).search.write(tx, [...last.values()])
    },
  }
}

/** Removes tasks that are deleted for good. */
export async function removeFromIndex(tx: Db, ids: readonly number[]): Promise<void> {
  if (ids.length > 0) await dialectOf(tx).search.remove(tx, ids)
}

/** A search with more candidates than this scans the tasks in their order: it soon finds enough of them. */
const maxCandidates = 10_000

/** The ids of all tasks that may have words with each of these prefixes, or undefined for very many. */
export async function findCandidates(db: Db, words: readonly string[]): Promise<number[] | undefined> {
  return dialectOf(db).search.find(db, words, maxCandidates)
}
