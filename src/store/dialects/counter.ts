import { sql } from 'kysely'
import { prepare } from '#store/engine/prepare.ts'

/** `addToCounter` for databases with RETURNING. */
export const addReturning = prepare((db, args: { userId: number; count: number }) =>
  db
    .insertInto('counters')
    .values({ user_id: args.userId, changes: args.count })
    .onConflict((conflict) =>
      conflict.column('user_id').doUpdateSet({ changes: sql`counters.changes + excluded.changes` }),
    )
    .returning('changes'),
)
