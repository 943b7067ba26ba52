import type { Task } from '#core/task.ts'
import { tokenize } from '#core/tokenize.ts'
import type { IndexEntry } from './dialects/dialect.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Db } from './schema.ts'

/**
 * The words of titles and descriptions, by which tasks are searched. Written in the transaction of the task, at its end and all at once: on
 * the embedded database a create costs 2 µs more so, and 14 where each is written by itself, since each savepoint makes FTS5
 * write out what it has gathered.
 *
 * It may hold too much and never too little: a search looks at every task that it names, and ids are not given twice. So whoever
 * deletes tasks that may come back under their ids leaves it alone; whoever deletes them for good calls `forgetTasks`.
 */
type Indexed = Pick<Task, 'id' | 'title' | 'description'>

const pending = new WeakMap<Db, IndexEntry[]>()

/** To be called for a task that is new, or has another title or description; it is written at the end of the transaction. */
export function indexTask(tx: Db, task: Indexed, { isNew = false } = {}): void {
  const entries = pending.get(tx)
  if (!entries) throw new Error('a task outside of transact')
  entries.push(toEntry(task, isNew))
}

export function toEntry({ id, title, description }: Indexed, isNew: boolean): IndexEntry {
  return { id, words: tokenize(title, description), isNew }
}

/** For `transact` alone, as `openChanges`. */
export function openIndex(tx: Db): { length(): number; dropFrom(length: number): void; write(): Promise<void> } {
  const entries: IndexEntry[] = []
  pending.set(tx, entries)
  return {
    length: () => entries.length,
    dropFrom: (length) => entries.splice(length),
    async write() {
      if (entries.length === 0) return
      // Of a task that was written twice in this transaction, the last.
      const last = new Map<number, IndexEntry>()
      for (const entry of entries) last.set(entry.id, last.get(entry.id)?.isNew ? { ...entry, isNew: true } : entry)
      await dialectOf(tx).search.write(tx, [...last.values()])
    },
  }
}

/** Takes the words of tasks out that are gone for good. */
export async function removeFromIndex(tx: Db, ids: readonly number[]): Promise<void> {
  if (ids.length > 0) await dialectOf(tx).search.remove(tx, ids)
}

/** More tasks than this are not looked up one by one, but met soon in any order. */
const maxCandidates = 10_000

/** The ids of all tasks that may have each of these words or one that begins so; undefined for very many. */
export async function findCandidates(db: Db, words: readonly string[]): Promise<number[] | undefined> {
  return dialectOf(db).search.find(db, words, maxCandidates)
}
