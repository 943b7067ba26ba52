import type { Db } from './schema.ts'

/** A channel as the ledger knows it: where it goes is the configuration's business. */
export interface ChannelRecord {
  readonly id: number
  readonly name: string
  readonly kind: string
}

/** Makes the records of an owner match what is declared: new names get an id, missing ones are marked removed. */
export async function recordChannels(
  tx: Db,
  ownerId: number,
  declared: readonly { name: string; kind: string; source: 'built-in' | 'config' }[],
  now: number,
): Promise<{ present: ChannelRecord[]; removed: ChannelRecord[] }> {
  const known = await tx.selectFrom('channels').selectAll().where('owner_id', '=', ownerId).execute()
  const present: ChannelRecord[] = []
  for (const { name, kind, source } of declared) {
    const row = known.find((one) => one.name === name)
    if (!row) {
      await tx
        .insertInto('channels')
        .values({ owner_id: ownerId, name, kind, source, created_at: now, removed_at: null })
        .execute()
    } else if (row.kind !== kind || row.source !== source || row.removed_at !== null) {
      await tx.updateTable('channels').set({ kind, source, removed_at: null }).where('id', '=', row.id).execute()
    }
    const { id } = await tx
      .selectFrom('channels')
      .select('id')
      .where('owner_id', '=', ownerId)
      .where('name', '=', name)
      .executeTakeFirstOrThrow()
    present.push({ id, name, kind })
  }
  const removed = known.filter(
    ({ name, removed_at }) => removed_at === null && !declared.some((one) => one.name === name),
  )
  for (const { id } of removed) await tx.updateTable('channels').set({ removed_at: now }).where('id', '=', id).execute()
  return { present, removed }
}

/** The kind of each channel of an owner, removed ones too, by id. */
export async function channelKinds(db: Db, ownerId: number): Promise<Map<number, string>> {
  const rows = await db.selectFrom('channels').select(['id', 'kind']).where('owner_id', '=', ownerId).execute()
  return new Map(rows.map(({ id, kind }) => [id, kind]))
}
