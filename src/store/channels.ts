import type { Selectable } from 'kysely'
import type { ChannelHealth, ChannelRecord, ChannelSource } from '#core/channel.ts'
import type { NotificationKind } from '#core/notification.ts'
import { Problem } from '#core/problem.ts'
import { dialectOf } from './dialects/dialect.ts'
import { prepare } from './engine/prepare.ts'
import type { ChannelTable, Db } from './schema.ts'

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

/** Channels that are there, enabled or not, by id; without those of users who are being deleted: nobody is told by these any more. */
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
  const row = await (isToChange && dialectOf(db).isShared ? query.forUpdate() : query).executeTakeFirst()
  if (!row) throw new Problem('not-found', `There is no channel ${id}.`)
  return toChannel(row)
}

/** The kind of each channel of a user, removed ones too, by id. */
export async function channelKinds(db: Db, userId: number): Promise<Map<number, string>> {
  const rows = await db.selectFrom('channels').select(['id', 'kind']).where('user_id', '=', userId).execute()
  return new Map(rows.map(({ id, kind }) => [id, kind]))
}

export type NewChannel = Omit<ChannelRecord, 'id' | 'health'>

/** @returns its number. @throws Problem `conflict` when the name is taken */
export async function insertChannel(tx: Db, channel: NewChannel): Promise<number> {
  const columns = ['user_id', 'name', 'kind', 'source', 'created_at', 'updated_at'] as const
  const { userId, name, kind, source, createdAt } = channel
  const values = [userId, name, kind, source, createdAt, createdAt]
  await refuseTakenName(tx, userId, name)
  const [row] = await dialectOf(tx).insertRows(tx, 'channels', columns, [values], ['id', 'created_at'])
  if (!row) throw nameIsTaken(name)
  await saveChannel(tx, { ...channel, id: row.id })
  return row.id
}

/** @throws Problem `conflict` when the name is taken */
export async function renameChannel(tx: Db, { userId, id }: ChannelRecord, name: string): Promise<void> {
  await refuseTakenName(tx, userId, name)
  await tx.updateTable('channels').set({ name }).where('id', '=', id).execute()
}

async function refuseTakenName(tx: Db, userId: number, name: string) {
  const taken = tx.selectFrom('channels').select('id').where('user_id', '=', userId).where('name', '=', name)
  if (await taken.executeTakeFirst()) throw nameIsTaken(name)
}

function nameIsTaken(name: string): Problem {
  return new Problem('conflict', `There is a channel «${name}» already.`, {
    faults: [{ at: { pointer: '/name' }, detail: 'is taken' }],
  })
}

/** Everything a person decides about it but its name; its health is left alone. */
export async function saveChannel(tx: Db, channel: Omit<ChannelRecord, 'health'>): Promise<void> {
  await tx
    .updateTable('channels')
    .set({
      options: JSON.stringify(channel.options),
      enabled: Number(channel.isEnabled),
      disabled_reason: channel.disabledReason,
      ...toChannelSettings(channel),
      updated_at: channel.updatedAt,
      version: channel.version,
      // What the receiver asked for may have been asked by another address.
      held_until_at: null,
    })
    .where('id', '=', channel.id)
    .execute()
  await bumpConfigVersion(tx)
}

export type ChannelSettings = Pick<
  ChannelRecord,
  'tags' | 'notifications' | 'groupWaitMs' | 'repeat' | 'ignoresQuietHours'
>

function toChannelSettings({ tags, notifications, groupWaitMs, repeat, ignoresQuietHours }: ChannelSettings) {
  return {
    tags: tags.length > 0 ? JSON.stringify(tags) : null,
    notifications: notifications.length > 0 ? JSON.stringify(notifications) : null,
    group_wait_ms: groupWaitMs,
    repeat_every_ms: repeat?.everyMs ?? null,
    repeat_max: repeat?.max ?? null,
    ignores_quiet_hours: Number(ignoresQuietHours),
  }
}

/** What was told over it stays; its name is free again, and its options, which may be secret, are gone. */
export async function removeChannel(tx: Db, { id, name }: ChannelRecord, now: number): Promise<void> {
  const former = `${name.slice(0, 70)} (deleted, ${id})`
  await tx.updateTable('channels').set({ name: former, options: null, removed_at: now }).where('id', '=', id).execute()
  await bumpConfigVersion(tx)
}

/** @returns whether it was enabled until now */
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

/** Whether nobody else has the record of a channel in hand; then nobody takes it before this transaction ends. Waits for nothing. */
export async function tryLockChannel(tx: Db, id: number): Promise<boolean> {
  if (!dialectOf(tx).isShared) return true
  const row = await tx
    .selectFrom('channels')
    .select('id')
    .where('id', '=', id)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst()
  return row !== undefined
}

export async function saveHealth(
  tx: Db,
  id: number,
  health: Partial<Omit<ChannelHealth, 'heldUntilAt'>>,
): Promise<void> {
  const { failingAt, givenUpAt, lastSentAt, lastError } = health
  await tx
    .updateTable('channels')
    .set({
      ...(failingAt !== undefined && { failing_at: failingAt }),
      ...(givenUpAt !== undefined && { given_up_at: givenUpAt }),
      ...(lastSentAt !== undefined && { last_sent_at: lastSentAt }),
      ...(lastError !== undefined && { last_error: lastError }),
    })
    .where('id', '=', id)
    .execute()
}

/** As it is in the database; undefined where the channel is gone. */
export async function readHealth(db: Db, id: number): Promise<ChannelHealth | undefined> {
  const row = await db.selectFrom('channels').select(healthColumns).where('id', '=', id).executeTakeFirst()
  return row && toHealth(row)
}

/** The receiver asked for a pause. Not written where the user has changed the channel meanwhile: it may lead elsewhere. */
export async function saveHold(tx: Db, { id, version }: Pick<ChannelRecord, 'id' | 'version'>, untilAt: number) {
  await tx
    .updateTable('channels')
    .set({ held_until_at: untilAt })
    .where('id', '=', id)
    .where('version', '=', version)
    .execute()
}

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

const healthColumns = ['failing_at', 'given_up_at', 'last_sent_at', 'last_error', 'held_until_at'] as const

function toHealth(row: Pick<Selectable<ChannelTable>, (typeof healthColumns)[number]>): ChannelHealth {
  return {
    failingAt: row.failing_at,
    givenUpAt: row.given_up_at,
    lastSentAt: row.last_sent_at,
    lastError: row.last_error,
    heldUntilAt: row.held_until_at,
  }
}
