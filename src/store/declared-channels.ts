import type { ChannelRecord, ChannelSource } from '#core/channel.ts'
import { Problem } from '#core/problem.ts'
import { type ChannelSettings, toChannelSettings } from './channels.ts'
import { bumpConfigVersion } from './config-version.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Db } from './schema.ts'

type Named = Pick<ChannelRecord, 'id' | 'name' | 'kind'>

export type DeclaredChannel = ChannelSettings & {
  readonly name: string
  readonly kind: string
  readonly source: Exclude<ChannelSource, 'api'>
}

/** What every user has. Nobody is woken by a line on the server's own output. */
export const builtInChannel: DeclaredChannel = {
  name: 'console',
  kind: 'console',
  source: 'built-in',
  tags: [],
  notifications: [],
  groupWaitMs: null,
  repeat: null,
  ignoresQuietHours: true,
}

/**
 * Makes the records of a user match what is declared: new names get an id, missing ones are marked removed. Several replicas may
 * do so at once.
 * @returns those that are declared, and those that were there before and are declared no more
 * @throws Problem `conflict` when a person has made a channel of that name
 */
export async function recordChannels(
  tx: Db,
  userId: number,
  declared: readonly DeclaredChannel[],
  now: number,
): Promise<{ present: Named[]; removed: Named[] }> {
  await dialectOf(tx).insertRows(
    tx,
    'channels',
    ['user_id', 'name', 'kind', 'source', 'created_at', 'updated_at', 'ignores_quiet_hours', 'removed_at'],
    // Removed, until the comparison below has seen it: that also tells whether anything is to be written.
    declared.map(({ name, kind, source }) => [userId, name, kind, source, now, now, 0, now]),
    [],
  )
  const known = await tx.selectFrom('channels').selectAll().where('user_id', '=', userId).orderBy('id').execute()
  const present: Named[] = []
  const removed: Named[] = []
  let hasChanged = false
  for (const row of known) {
    const one = declared.find((channel) => channel.name === row.name)
    if (row.source === 'api') {
      if (one)
        throw new Problem(
          'conflict',
          `Channel «${one.name}» of the configuration file: a person has made one of that name. Give one of the two another.`,
        )
      continue
    }
    if (!one) {
      removed.push({ id: row.id, name: row.name, kind: row.kind })
      if (row.removed_at !== null) continue
      await tx.updateTable('channels').set({ removed_at: now }).where('id', '=', row.id).execute()
    } else {
      present.push({ id: row.id, name: row.name, kind: one.kind })
      const wanted = { kind: one.kind, source: one.source, ...toChannelSettings(one), removed_at: null }
      if (Object.entries(wanted).every(([column, value]) => row[column as keyof typeof row] === value)) continue
      await tx
        .updateTable('channels')
        .set({ ...wanted, updated_at: now })
        .where('id', '=', row.id)
        .execute()
    }
    hasChanged = true
  }
  if (hasChanged) await bumpConfigVersion(tx)
  return { present, removed }
}
