import { dialectOf } from './dialects/dialect.ts'
import type { Db } from './schema.ts'

/** A channel as the ledger knows it: where it goes is the configuration's business. */
export interface ChannelRecord {
  readonly id: number
  readonly name: string
  readonly kind: string
}

/**
 * Makes the records of an owner match what is declared: new names get an id, missing ones are marked removed. Several replicas may
 * do so at once.
 */
export async function recordChannels(
  tx: Db,
  ownerId: number,
  declared: readonly { name: string; kind: string; source: 'built-in' | 'config' }[],
  now: number,
): Promise<{ present: ChannelRecord[]; removed: ChannelRecord[] }> {
  await dialectOf(tx).insertRows(
    tx,
    'channels',
    ['owner_id', 'name', 'kind', 'source', 'created_at'],
    declared.map(({ name, kind, source }) => [ownerId, name, kind, source, now]),
    [],
  )
  const known = await tx.selectFrom('channels').selectAll().where('owner_id', '=', ownerId).orderBy('id').execute()
  const present: ChannelRecord[] = []
  const removed: ChannelRecord[] = []
  for (const { id, name, kind: formerKind, removed_at } of known) {
    const one = declared.find((channel) => channel.name === name)
    if (one) present.push({ id, name, kind: one.kind })
    else removed.push({ id, name, kind: formerKind })
    if (one && (formerKind !== one.kind || removed_at !== null))
      await tx
        .updateTable('channels')
        .set({ kind: one.kind, source: one.source, removed_at: null })
        .where('id', '=', id)
        .execute()
    if (!one && removed_at === null)
      await tx.updateTable('channels').set({ removed_at: now }).where('id', '=', id).execute()
  }
  return { present, removed }
}

/** The channels of an owner that are in the configuration. */
export async function presentChannels(db: Db, ownerId: number): Promise<ChannelRecord[]> {
  return db
    .selectFrom('channels')
    .select(['id', 'name', 'kind'])
    .where('owner_id', '=', ownerId)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .execute()
}

/** The kind of each channel of an owner, removed ones too, by id. */
export async function channelKinds(db: Db, ownerId: number): Promise<Map<number, string>> {
  const rows = await db.selectFrom('channels').select(['id', 'kind']).where('owner_id', '=', ownerId).execute()
  return new Map(rows.map(({ id, kind }) => [id, kind]))
}
