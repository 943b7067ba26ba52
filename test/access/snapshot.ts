import type { Dialect } from 'kysely'
import { type Db, type Schema, tables } from '#store/schema.ts'
import { wrapConnections } from '#support/failing-database.ts'

/** Every row of the database, by table and user: `tasks of 2`. */
export type Snapshot = ReadonlyMap<string, string>

/** Without rows that every request writes: the audit log, and the time a token was last used. */
export async function takeSnapshot(db: Db): Promise<Snapshot> {
  const found = new Map<string, string[]>()
  for (const table of Object.keys(tables) as (keyof Schema)[]) {
    if (table === 'audit') continue
    for (const row of await db.selectFrom(table).selectAll().execute()) {
      const { last_used_at: _, ...rest } = row as Record<string, unknown>
      const place = `${table} of ${rest.user_id ?? (table === 'users' ? rest.id : 'the server')}`
      const rows = found.get(place)
      const text = JSON.stringify(rest)
      if (rows) rows.push(text)
      else found.set(place, [text])
    }
  }
  return new Map([...found].map(([place, rows]) => [place, rows.sort().join('\n')]))
}

/** The places where two snapshots differ. @param user only rows of this user, if given */
export function differences(before: Snapshot, after: Snapshot, user?: number): string[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((place) => before.get(place) !== after.get(place))
    .filter((place) => user === undefined || place.endsWith(` of ${user}`))
}

/** For `wrapDatabase`: records writes, so that no new snapshot is needed if there were none. */
export function watchWrites(): { wrap: (dialect: Dialect) => Dialect; take: () => boolean } {
  let hasWritten = true
  return {
    wrap: (dialect) =>
      wrapConnections(dialect, (text, run) => {
        hasWritten ||= !/^(?:select|begin|start|commit|rollback|savepoint|release)\b/i.test(text)
        return run()
      }),
    take() {
      const taken = hasWritten
      hasWritten = false
      return taken
    },
  }
}
