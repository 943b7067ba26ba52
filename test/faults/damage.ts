import { closeSync, openSync, writeSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/** Overwrites pages of a closed SQLite file, as a failing disk does. */

export interface Damage {
  /** The bytes of one page, for restoring it. */
  readonly pageSize: number
  /** The leaf pages of a table or an index, in the order of their keys. */
  readonly leaves: readonly number[]
}

/** The pages of a table or an index: by the virtual table dbstat (sqlite.org/dbstat.html). */
export function pagesOf(path: string, name: string): Damage {
  using database = new DatabaseSync(path)
  // Moves the content of the log into the file.
  database.exec('pragma wal_checkpoint(truncate)')
  const rows = database
    .prepare("select pageno from dbstat where name = ? and pagetype = 'leaf' order by path")
    .all(name)
  const pageSize = Number(Object.values(database.prepare('pragma page_size').get() ?? {})[0])
  return { pageSize, leaves: rows.map(({ pageno }) => Number(pageno)) }
}

export function overwritePage(path: string, page: number, pageSize: number): void {
  const fd = openSync(path, 'r+')
  try {
    writeSync(fd, Buffer.alloc(pageSize, 0xa5), 0, pageSize, (page - 1) * pageSize)
  } finally {
    closeSync(fd)
  }
}

/** The keys with readable rows, found by trying each. */
export function readableKeys(path: string, table: string, column: string, keys: readonly number[]): number[] {
  using database = new DatabaseSync(path)
  const rows = database.prepare(`select * from ${table} where ${column} = ?`)
  return keys.filter((key) => {
    try {
      return rows.all(key).length > 0
    } catch {
      return false
    }
  })
}
