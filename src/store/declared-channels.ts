import type { ChannelRecord, ChannelSettings, ChannelSource } from '#core/channel.ts'
import { Problem } from '#core/problem.ts'
import { settingColumns } from './channels.ts'
import { bumpConfigVersion } from './config-version.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Db } from './schema.ts'

type Named = Pick<ChannelRecord, 'id' | 'name' | 'kind'>

export type DeclaredChannel = ChannelSettings & {
  readonly name: string
  readonly kind: string
  readonly source: Exclude<ChannelSource, 'api'>
}

/** The channel that every user has. It ignores quiet hours, because a line on the server's output wakes no user. */
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
 * Makes the channels of a user match the declared ones: new names get an id, missing ones are marked removed. Several replicas may do
 * so at once.
 * @returns the declared channels, and those that were declared before and no longer are
 * @throws Problem `conflict` when the user has made a channel of that name
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
    // They are marked removed until the comparison below, which finds out whether anything has to be written.
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
          `Channel «${one.name}» of the configuration file has the name of a channel that a user has made. Rename one of the two.`,
        )
      continue
    }
    if (!one) {
      removed.push({ id: row.id, name: row.name, kind: row.kind })
      if (row.removed_at !== null) continue
      await tx.updateTable('channels').set({ removed_at: now }).where('id', '=', row.id).execute()
    } else {
      present.push({ id: row.id, name: row.name, kind: one.kind })
      const wanted = { kind: one.kind, source: one.source, ...settingColumns(one), removed_at: null }
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
