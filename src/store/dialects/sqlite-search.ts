import { sql } from 'kysely'
import { runStatement } from '#store/engine/prepare.ts'
import type { SearchIndex } from './dialect.ts'
import { findByRarestWord, prefixEnd } from './search.ts'

/**
 * SQLite: FTS5 without the texts (contentless), without positions, and with a tokenizer that accepts our words as they are: it folds
 * ASCII, which is folded already, and treats all else as letters. Words are read from its vocabulary, row by row, up to a bound: `match
 * 'renew*'` would first merge all words with that prefix, 85 to 200 ms among a million tasks, which blocks the reminders. A plain table
 * of (word, task) was rejected: each word is then another page of a tree, and a create writes 35 kB more instead of 2.
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
  async remove(tx, ids) {
    await runStatement(tx, 'delete from search where rowid in (select value from json_each(?))', [JSON.stringify(ids)])
  },
  find: (db, words, max) =>
    findByRarestWord(
      async (_, word, limit) => {
        const text = 'select doc from search_words where term >= ? and term < ? limit ?'
        const { rows } = await runStatement(db, text, [word, prefixEnd(word), limit])
        return (rows as { doc: number }[]).map(({ doc }) => doc)
      },
      db,
      words,
      max,
    ),
}
