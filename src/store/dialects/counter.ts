import { sql } from 'kysely'
import { prepare } from '#store/engine/prepare.ts'

/** `addToCounter` where a statement can answer what it wrote. */
export const addReturning = prepare((db, args: { ownerId: number; count: number }) =>
  db
    .insertInto('counters')
    .values({ owner_id: args.ownerId, changes: args.count })
    .onConflict((conflict) =>
      conflict.column('owner_id').doUpdateSet({ changes: sql`counters.changes + excluded.changes` }),
    )
    .returning('changes'),
)
