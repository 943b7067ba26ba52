import type { Selectable } from 'kysely'
import type { ChannelRecord, ChannelSettings } from '#core/channel.ts'
import type { NotificationKind } from '#core/notification.ts'
import { Problem } from '#core/problem.ts'
import { toHealth } from './channel-health.ts'
import { bumpConfigVersion } from './config-version.ts'
import { dialectOf } from './dialects/dialect.ts'
import { lockRows } from './engine/lock-rows.ts'
import type { ChannelTable, Db } from './schema.ts'

/** All channels that are not removed, enabled or not, by id. Channels of users who are being deleted are left out. */
export async function allChannels(db: Db): Promise<ChannelRecord[]> {
  const rows = await db
    .selectFrom('channels')
    .selectAll()
    .where('removed_at', 'is', null)
    .where('user_id', 'not in', (eb) => eb.selectFrom('users').select('id').where('removed_at', 'is not', null))
    .orderBy('id')
    .execute()
  return rows.map(toChannel)
}

export async function channelsOfUser(db: Db, userId: number): Promise<ChannelRecord[]> {
  const rows = await db
    .selectFrom('channels')
    .selectAll()
    .where('user_id', '=', userId)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .execute()
  return rows.map(toChannel)
}

/** @throws Problem `not-found` */
export async function getChannel(db: Db, userId: number, id: number, isToChange = false): Promise<ChannelRecord> {
  const query = db
    .selectFrom('channels')
    .selectAll()
    .where('user_id', '=', userId)
    .where('id', '=', id)
    .where('removed_at', 'is', null)
  const row = await (isToChange ? lockRows(db, query) : query).executeTakeFirst()
  if (!row) throw new Problem('not-found', `There is no channel ${id}.`)
  return toChannel(row)
}

/** The kind of each channel of a user, removed ones too, by id. */
export async function channelKinds(db: Db, userId: number): Promise<Map<number, string>> {
  const rows = await db.selectFrom('channels').select(['id', 'kind']).where('user_id', '=', userId).execute()
  return new Map(rows.map(({ id, kind }) => [id, kind]))
}

export type NewChannel = Omit<ChannelRecord, 'id' | 'health'>

/** @returns its id. @throws Problem `conflict` when the name is taken */
export async function insertChannel(tx: Db, channel: NewChannel): Promise<number> {
  const columns = ['user_id', 'name', 'kind', 'source', 'created_at', 'updated_at'] as const
  const { userId, name, kind, source, createdAt } = channel
  const values = [userId, name, kind, source, createdAt, createdAt]
  await requireFreeName(tx, userId, name)
  const [row] = await dialectOf(tx).insertRows(tx, 'channels', columns, [values], ['id', 'created_at'])
  if (!row) throw nameIsTaken(name)
  await saveChannel(tx, { ...channel, id: row.id })
  return row.id
}

/** @throws Problem `conflict` when the name is taken */
export async function renameChannel(tx: Db, { userId, id }: ChannelRecord, name: string): Promise<void> {
  await requireFreeName(tx, userId, name)
  await tx.updateTable('channels').set({ name }).where('id', '=', id).execute()
}

async function requireFreeName(tx: Db, userId: number, name: string) {
  const taken = tx.selectFrom('channels').select('id').where('user_id', '=', userId).where('name', '=', name)
  if (await taken.executeTakeFirst()) throw nameIsTaken(name)
}

function nameIsTaken(name: string): Problem {
  return new Problem('conflict', `There is a channel «${name}» already.`, {
    faults: [{ at: { pointer: '/name' }, detail: 'is taken' }],
  })
}

/** Saves the settings of a channel, except for its name. Its health stays. */
export async function saveChannel(tx: Db, channel: Omit<ChannelRecord, 'health'>): Promise<void> {
  await tx
    .updateTable('channels')
    .set({
      options: JSON.stringify(channel.options),
      enabled: Number(channel.isEnabled),
      disabled_reason: channel.disabledReason,
      ...settingColumns(channel),
      updated_at: channel.updatedAt,
      version: channel.version,
      // The pause was asked for by a receiver that may be another now.
      held_until_at: null,
    })
    .where('id', '=', channel.id)
    .execute()
  await bumpConfigVersion(tx)
}

export function settingColumns({ tags, notifications, groupWaitMs, repeat, ignoresQuietHours }: ChannelSettings) {
  return {
    tags: tags.length > 0 ? JSON.stringify(tags) : null,
    notifications: notifications.length > 0 ? JSON.stringify(notifications) : null,
    group_wait_ms: groupWaitMs,
    repeat_every_ms: repeat?.everyMs ?? null,
    repeat_max: repeat?.max ?? null,
    ignores_quiet_hours: Number(ignoresQuietHours),
  }
}

/** Marks a channel as removed. Its deliveries stay, its name becomes free, and its options, which may be secret, are deleted. */
export async function removeChannel(tx: Db, { id, name }: ChannelRecord, now: number): Promise<void> {
  const former = `${name.slice(0, 70)} (deleted, ${id})`
  await tx.updateTable('channels').set({ name: former, options: null, removed_at: now }).where('id', '=', id).execute()
  await bumpConfigVersion(tx)
}

/** @returns whether it was enabled before */
export async function disableChannel(tx: Db, id: number, reason: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('channels')
    .set({ enabled: 0, disabled_reason: reason })
    .where('id', '=', id)
    .where('enabled', '=', 1)
    .where('removed_at', 'is', null)
    .executeTakeFirst()
  if (Number(numUpdatedRows) === 0) return false
  await bumpConfigVersion(tx)
  return true
}

function toChannel(row: Selectable<ChannelTable>): ChannelRecord {
  return {
    id: row.id,
    userId: row.user_id,
    name: row.name,
    kind: row.kind,
    source: row.source,
    options: row.options === null ? {} : (JSON.parse(row.options) as Record<string, unknown>),
    isEnabled: row.enabled !== 0,
    disabledReason: row.disabled_reason,
    tags: row.tags === null ? [] : (JSON.parse(row.tags) as string[]),
    notifications: row.notifications === null ? [] : (JSON.parse(row.notifications) as NotificationKind[]),
    groupWaitMs: row.group_wait_ms,
    repeat:
      row.repeat_every_ms === null || row.repeat_max === null
        ? null
        : { everyMs: row.repeat_every_ms, max: row.repeat_max },
    ignoresQuietHours: row.ignores_quiet_hours !== 0,
    health: toHealth(row),
    createdAt: row.created_at,
    updatedAt: row.updated_at === 0 ? row.created_at : row.updated_at,
    version: row.version,
  }
}
