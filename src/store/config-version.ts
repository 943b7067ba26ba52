import { dialectOf } from './dialects/dialect.ts'
import { prepare } from './engine/prepare.ts'
import type { Db } from './schema.ts'

/**
 * The channels. Whoever holds some of this in memory compares a number: it grows with each change of a channel or of a user, in
 * the same transaction. One more counter in the table of those, under a user that nobody is.
 */
const configVersionCounter = 0

const selectConfigVersion = prepare((db, _: object) =>
  db.selectFrom('counters').select('changes').where('user_id', '=', configVersionCounter),
)

export async function configVersion(db: Db): Promise<number> {
  return (await selectConfigVersion(db, {})).rows[0]?.changes ?? 0
}

/** To be called by every write here that is more than a channel's health. */
export async function bumpConfigVersion(tx: Db): Promise<void> {
  await dialectOf(tx).addToCounter(tx, configVersionCounter, 1)
}
