import { dialectOf } from './dialects/dialect.ts'
import type { Db } from './schema.ts'

/** A secret that all replicas share, made by whoever asks first. @param fresh used when there is none */
export async function sharedSecret(tx: Db, name: string, fresh: string): Promise<string> {
  await dialectOf(tx).insertRows(tx, 'secrets', ['name', 'value'], [[name, fresh]], [])
  const { value } = await tx.selectFrom('secrets').select('value').where('name', '=', name).executeTakeFirstOrThrow()
  return value
}
