import { sql } from 'kysely'
import { runStatement } from '#store/engine/prepare.ts'
import type { SearchIndex } from './dialect.ts'
import { findByRarestWord, prefixEnd } from './search.ts'

/** Rows in one statement: at most 1.4 MB of them. */
const maxRows = 5_000

/**
 * MySQL and MariaDB: a table of words. FULLTEXT finds all matches before it returns the first: 1.5 s for a word that 200,000 tasks
 * have, and with a million it is past the statement timeout. It would also need our words in ASCII, of 84 letters at most.
 * @param tableEnd appended to the columns of a table
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
    for (let i = 0; i < rows.length; i += maxRows)
      await runStatement(tx, 'insert into search (task_id, word) values ?', [rows.slice(i, i + maxRows)])
  },
  async remove(tx, ids) {
    await runStatement(tx, 'delete from search where task_id in (?)', [ids])
  },
  find: (db, words, max) =>
    findByRarestWord(
      async (_, word, limit) => {
        const text = 'select task_id from search where word >= ? and word < ? limit ?'
        const { rows } = await runStatement(db, text, [word, prefixEnd(word), limit])
        return (rows as { task_id: number }[]).map(({ task_id }) => task_id)
      },
      db,
      words,
      max,
    ),
})
