import { type Compilable, CompiledQuery, type QueryResult } from 'kysely'
import { dialectOf } from '#store/dialects/dialect.ts'
import type { Db } from '#store/schema.ts'

class Placeholder {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/**
 * A statement built and compiled once a database, then run with other values. Kysely builds and compiles in 6 to 9 µs; a read
 * by id takes 3 µs. Worth it for what runs at every request or ring, and only there.
 *
 * Not the way of `sql.raw` with `?`: the builder keeps the types and each database's own parameter marks.
 */
export function prepare<Args extends object, Row>(
  build: (db: Db, args: Args) => Compilable<Row>,
): (db: Db, args: Args) => Promise<QueryResult<Row>> {
  const compiled = new WeakMap<object, CompiledQuery<Row>>()
  const placeholders = new Proxy({}, { get: (_, name) => new Placeholder(String(name)) }) as Args
  return async (db, args) => {
    const { adapter } = db.getExecutor()
    let query = compiled.get(adapter)
    if (!query) {
      query = build(db, placeholders).compile()
      compiled.set(adapter, query)
    }
    const parameters = query.parameters.map((value) =>
      value instanceof Placeholder ? (args as Record<string, unknown>)[value.name] : value,
    )
    const answer = dialectOf(db).runSync?.(query.sql, parameters, transactions.has(db))
    return (answer as QueryResult<Row> | undefined) ?? db.executeQuery({ ...query, parameters })
  }
}

/** Runs a statement given as text. */
export async function runStatement<Row>(
  db: Db,
  text: string,
  parameters: readonly unknown[],
): Promise<QueryResult<Row>> {
  const answer = dialectOf(db).runSync?.(text, parameters, transactions.has(db))
  return (
    (answer as QueryResult<Row> | undefined) ??
    db.executeQuery(CompiledQuery.raw(text, [...parameters]) as CompiledQuery<Row>)
  )
}

const transactions = new WeakSet<Db>()

/** For `transact` alone: this is a connection on which a transaction is open, so whatever runs on it belongs in that. */
export function markTransaction(connection: Db): void {
  transactions.add(connection)
}
