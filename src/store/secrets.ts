import { dialectOf } from './dialects/dialect.ts'
import type { Store } from './engine/open.ts'
import type { Db } from './schema.ts'

/**
 * A secret that all replicas share, created by the first that needs it.
 * @param make called only when there is none yet: most starts write nothing
 */
export async function sharedSecret(
  { db, transact }: Pick<Store, 'db' | 'transact'>,
  name: string,
  make: () => string,
): Promise<string> {
  const known = await selectSecret(db, name).executeTakeFirst()
  if (known) return known.value
  return transact(async (tx) => {
    await dialectOf(tx).insertRows(tx, 'secrets', ['name', 'value'], [[name, make()]], [])
    // When two replicas insert at once, both read the first one's.
    return (await selectSecret(tx, name).executeTakeFirstOrThrow()).value
  })
}

const selectSecret = (db: Db, name: string) => db.selectFrom('secrets').select('value').where('name', '=', name)
