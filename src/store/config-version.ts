import { dialectOf } from './dialects/dialect.ts'
import { prepare } from './engine/prepare.ts'
import type { Db } from './schema.ts'

/**
 * A number that grows with each change of a channel or a user, in the same transaction. A cache of these in memory compares it. It is
 * stored as the counter of a user id that no user has.
 */
const configVersionCounter = 0

const selectConfigVersion = prepare((db, _: object) =>
  db.selectFrom('counters').select('changes').where('user_id', '=', configVersionCounter),
)

export async function configVersion(db: Db): Promise<number> {
  return (await selectConfigVersion(db, {})).rows[0]?.changes ?? 0
}

/** Every write of a channel or a user calls this, except for a channel's health. */
export async function bumpConfigVersion(tx: Db): Promise<void> {
  await dialectOf(tx).addToCounter(tx, configVersionCounter, 1)
}
