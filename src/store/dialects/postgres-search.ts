import { sql } from 'kysely'
import { runStatement } from '#store/engine/prepare.ts'
import type { SearchIndex } from './dialect.ts'

/** PostgreSQL: GIN over a tsvector of our words, without its parsers and dictionaries. */
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
  async remove(tx, ids) {
    await runStatement(tx, 'delete from search where task_id = any($1::bigint[])', [ids])
  },
  async find(db, words, max) {
    const text = 'select task_id from search where words @@ $1::tsquery limit $2'
    const { rows } = await runStatement(db, text, [words.map((word) => `'${word}':*`).join(' & '), max + 1])
    return rows.length > max ? undefined : (rows as { task_id: number }[]).map(({ task_id }) => task_id)
  },
}
