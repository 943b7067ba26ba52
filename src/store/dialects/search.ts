import { type Kysely, sql } from 'kysely'
import { runStatement } from '#store/engine/prepare.ts'
import type { Db } from '#store/schema.ts'

/**
 * An index from words to the tasks that have them, in what each database does best. It narrows a search down and no more: it may name
 * a task too many, which was deleted or is another owner's, and must name none too few. What is found is looked at (store/task-list.ts),
 * so that the same words find the same on all three.
 */
export interface SearchIndex {
  /** Makes it, where it is not there yet. */
  // biome-ignore lint/suspicious/noExplicitAny: as migrations have it
  create(db: Kysely<any>): Promise<void>
  /** Takes the place of what was there of these tasks; each of them once. */
  write(tx: Db, entries: readonly IndexEntry[]): Promise<void>
  forget(tx: Db, ids: readonly number[]): Promise<void>
  /**
   * The ids of tasks that have a word beginning so, for each of `words` or for the rarest of them; undefined when those are more than
   * `most`. What it costs is bounded by `most`, however many tasks there are.
   */
  find(db: Db, words: readonly string[], most: number): Promise<number[] | undefined>
}

export interface IndexEntry {
  readonly id: number
  readonly words: readonly string[]
  /** Nothing is there of it. */
  readonly isNew: boolean
}

/** Above every word that begins so: no letter is as high as that. */
const end = (start: string) => `${start}\u{10ffff}`

/** Words of a query that are looked up, the longest first: they are the rarest as a rule. */
const mostLookups = 8
/** Most are rarer than this: none of the common ones has to be read further than that on the way to the rare one. */
const firstBound = 200

type Lookup = (db: Db, word: string, most: number) => Promise<number[]>

async function ofRarest(lookUp: Lookup, db: Db, words: readonly string[], most: number): Promise<number[] | undefined> {
  const longest = words.toSorted((a, b) => b.length - a.length).slice(0, mostLookups)
  for (const bound of [firstBound, most])
    for (const word of longest) {
      const ids = await lookUp(db, word, bound + 1)
      if (ids.length <= bound) return [...new Set(ids)]
    }
  return undefined
}

/**
 * SQLite: FTS5, without the texts (contentless), without positions, and with a tokenizer that takes our words as they are: it folds
 * ASCII, which is folded already, and takes all else for letters. Words are read from its vocabulary, row by row, up to a bound:
 * `match 'renew*'` first merges all that begin so, for 85 to 200 ms among a million tasks, in which no bell rings.
 *
 * Not a plain table of (word, task): each word is another page of a tree then, 35 kB more to write for a create where this takes 2.
 */
export const fts5: SearchIndex = {
  async create(db) {
    await sql`create virtual table if not exists search using fts5
      (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii')`.execute(db)
    await sql`create virtual table if not exists search_words using fts5vocab (search, instance)`.execute(db)
  },
  async write(tx, entries) {
    let i = 0
    for (const size of [20, 1])
      for (; entries.length - i >= size; i += size) {
        const rows = entries.slice(i, i + size)
        const text = `insert or replace into search (rowid, words) values ${Array(size).fill('(?, ?)').join(', ')}`
        await runStatement(
          tx,
          text,
          rows.flatMap(({ id, words }) => [id, words.join(' ')]),
        )
      }
  },
  async forget(tx, ids) {
    await runStatement(tx, 'delete from search where rowid in (select value from json_each(?))', [JSON.stringify(ids)])
  },
  find: (db, words, most) =>
    ofRarest(
      async (_, word, limit) => {
        const text = 'select doc from search_words where term >= ? and term < ? limit ?'
        const { rows } = await runStatement(db, text, [word, end(word), limit])
        return (rows as { doc: number }[]).map(({ doc }) => doc)
      },
      db,
      words,
      most,
    ),
}

/** PostgreSQL: GIN over a tsvector that is made of our words, without its parsers and dictionaries. */
export const gin: SearchIndex = {
  async create(db) {
    await sql`create table if not exists search (task_id bigint primary key, words tsvector not null)`.execute(db)
    await sql`create index if not exists search_words on search using gin (words)`.execute(db)
  },
  async write(tx, entries) {
    const text =
      'insert into search (task_id, words)' +
      " select id, array_to_tsvector(string_to_array(words, ' ')) from unnest($1::bigint[], $2::text[]) as r(id, words)" +
      ' on conflict (task_id) do update set words = excluded.words'
    await runStatement(tx, text, [entries.map(({ id }) => id), entries.map(({ words }) => words.join(' '))])
  },
  async forget(tx, ids) {
    await runStatement(tx, 'delete from search where task_id = any($1::bigint[])', [ids])
  },
  async find(db, words, most) {
    const text = 'select task_id from search where words @@ $1::tsquery limit $2'
    const { rows } = await runStatement(db, text, [words.map((word) => `'${word}':*`).join(' & '), most + 1])
    return rows.length > most ? undefined : (rows as { task_id: number }[]).map(({ task_id }) => task_id)
  },
}

/** Rows in one statement: at most 1.4 MB of them. */
const mostRows = 5_000

/**
 * MySQL and MariaDB: a table of words. FULLTEXT finds all before it answers the first: 1.5 s for a word that 200,000 tasks have, and
 * with a million of them it is past what a statement may take. It would also need our words spelled in ASCII, of 84 letters at most.
 * @param tableEnd what stands behind a table's columns
 */
export const wordTable = (tableEnd: () => ReturnType<typeof sql>): SearchIndex => ({
  async create(db) {
    await sql`create table if not exists search (task_id bigint not null, word varchar(60) not null,
      primary key (task_id, word), key search_word (word, task_id)) ${tableEnd()}`.execute(db)
  },
  async write(tx, entries) {
    const changed = entries.filter(({ isNew }) => !isNew).map(({ id }) => id)
    if (changed.length > 0) await runStatement(tx, 'delete from search where task_id in (?)', [changed])
    const rows = entries.flatMap(({ id, words }) => words.map((word) => [id, word]))
    for (let i = 0; i < rows.length; i += mostRows)
      await runStatement(tx, 'insert into search (task_id, word) values ?', [rows.slice(i, i + mostRows)])
  },
  async forget(tx, ids) {
    await runStatement(tx, 'delete from search where task_id in (?)', [ids])
  },
  find: (db, words, most) =>
    ofRarest(
      async (_, word, limit) => {
        const text = 'select task_id from search where word >= ? and word < ? limit ?'
        const { rows } = await runStatement(db, text, [word, end(word), limit])
        return (rows as { task_id: number }[]).map(({ task_id }) => task_id)
      },
      db,
      words,
      most,
    ),
})
