import { dialectOf } from '#store/dialects/dialect.ts'
import type { Db } from '#store/schema.ts'

interface Lockable<Query> {
  forUpdate(): Query
}

interface Skippable<Query> {
  forUpdate(): { skipLocked(): Query }
}

/** Locks the rows of a select until the transaction ends. A database of one process needs no lock: it runs one transaction at a time. */
export function lockRows<Query extends Lockable<Query>>(tx: Db, query: Query): Query {
  return dialectOf(tx).isShared ? query.forUpdate() : query
}

/** The same, without the rows that another transaction has locked. Waits for nothing. */
export function lockFreeRows<Query extends Skippable<Query>>(tx: Db, query: Query): Query {
  return dialectOf(tx).isShared ? query.forUpdate().skipLocked() : query
}
