import { sql } from 'kysely'
import type { QuietHours } from '#core/quiet-hours.ts'
import type { Defaults } from '#core/reminder.ts'
import type { AlarmSettings } from '#core/stale-alarm.ts'
import type { Reminder } from '#core/task.ts'
import { bumpConfigVersion } from './config-version.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Db } from './schema.ts'
import { ensureFirstUser } from './user-writes.ts'
import { evictUser, findUserRow, toDefaultColumns, toUser, type UserRow, userNotFound } from './users.ts'

/** The settings of users: default reminders and time zone, by which alarms are computed, and quiet hours. */

/** The user's own choices. The server's defaults apply where they are null. */
export interface OwnDefaults {
  readonly reminders: readonly Reminder[] | null
  readonly dayReminders: readonly Reminder[] | null
  readonly dayTime: string | null
  readonly timeZone: string | null
}

const effectiveDefaults = (own: OwnDefaults, server: Defaults): Defaults => ({
  reminders: own.reminders ?? server.reminders,
  dayReminders: own.dayReminders ?? server.dayReminders,
  dayTime: own.dayTime ?? server.dayTime,
  timeZone: own.timeZone ?? server.timeZone,
})

/**
 * The row must be locked. A change makes the alarms stale: `findStaleUsers` returns the user until `markFresh`.
 * @returns whether the alarms are stale, by this change or an earlier one
 */
export async function saveOwnDefaults(
  tx: Db,
  id: number,
  own: OwnDefaults,
  server: Defaults,
  now: number,
): Promise<boolean> {
  const defaults = effectiveDefaults(own, server)
  const row = await findUserRow(tx, id)
  const isSame = row && JSON.stringify(toUser(row).defaults) === JSON.stringify(defaults)
  evictUser(tx, id)
  await tx
    .updateTable('users')
    .set({
      own_reminders: own.reminders && JSON.stringify(own.reminders),
      own_day_reminders: own.dayReminders && JSON.stringify(own.dayReminders),
      own_day_time: own.dayTime,
      own_time_zone: own.timeZone,
      ...toDefaultColumns(defaults),
      ...(isSame ? {} : staleFrom(now)),
    })
    .where('id', '=', id)
    .execute()
  await bumpConfigVersion(tx)
  return !isSame || row.alarms_stale === 1
}

/** A new instant for each change, even for two within a millisecond: it identifies the change whose progress is stored. */
const staleFrom = (now: number) => ({
  alarms_stale: 1,
  alarms_stale_at: sql<number>`case when alarms_stale_at >= ${now} then alarms_stale_at + 1 else ${now} end`,
})

/** Stores the server's defaults for users without their own, at startup, before reminders fire. The alarms become stale (`findStaleUsers`). */
export async function adoptServerDefaults(tx: Db, server: Defaults, now: number): Promise<void> {
  await ensureFirstUser(tx, server, now)
  const columns = toDefaultColumns(server)
  const others = [
    ['own_reminders', 'default_reminders', columns.default_reminders],
    ['own_day_reminders', 'default_day_reminders', columns.default_day_reminders],
    ['own_day_time', 'day_time', columns.day_time],
    ['own_time_zone', 'time_zone', columns.time_zone],
  ] as const
  for (const [own, column, value] of others) {
    const changed = tx.selectFrom('users').select('id').where(own, 'is', null).where(column, '!=', value)
    const { userLockQueue } = dialectOf(tx)
    if (userLockQueue) for (const { id } of await changed.orderBy('id').execute()) await userLockQueue.alone(tx, id)
    const { numUpdatedRows } = await tx
      .updateTable('users')
      .set({ [column]: value, ...staleFrom(now) })
      .where(own, 'is', null)
      .where(column, '!=', value)
      .executeTakeFirst()
    if (numUpdatedRows > 0n) await bumpConfigVersion(tx)
  }
}

/**
 * Notes the version of the IANA database (`2026b`) at startup. Under a newer one local times may be other instants, so all alarms become stale. An
 * older one, of a replica that runs another Node.js, changes nothing.
 * @returns whether alarms became stale
 */
export async function adoptZoneRules(tx: Db, zoneRules: string, now: number): Promise<boolean> {
  const earlier = tx.selectFrom('users').select('id').where('zone_rules', '<', zoneRules)
  const known = await earlier.where('zone_rules', '!=', '').orderBy('id').execute()
  for (const { id } of known) await dialectOf(tx).userLockQueue?.alone(tx, id)
  const update = tx.updateTable('users').where('zone_rules', '<', zoneRules)
  await update
    .where('zone_rules', '!=', '')
    .set({ zone_rules: zoneRules, ...staleFrom(now) })
    .execute()
  await update.set({ zone_rules: zoneRules }).execute()
  if (known.length > 0) await bumpConfigVersion(tx)
  return known.length > 0
}

/** The settings of users that the reminders need. */
export interface NotificationPreferences extends AlarmSettings {
  readonly quiet: QuietHours | null
}

export async function allPreferences(db: Db): Promise<Map<number, NotificationPreferences>> {
  const rows = await db.selectFrom('users').selectAll().execute()
  return new Map(rows.map((row): [number, NotificationPreferences] => [row.id, toPreferences(row)]))
}

/** The same for one user, with their own choices. @throws Problem `not-found` */
export async function getPreferences(db: Db, userId: number): Promise<NotificationPreferences & { own: OwnDefaults }> {
  const row = await findUserRow(db, userId)
  if (!row) throw userNotFound(userId)
  return { ...toPreferences(row), own: toOwnDefaults(row) }
}

export async function saveQuietHours(tx: Db, userId: number, quiet: QuietHours | null): Promise<void> {
  const values = { quiet_from: quiet?.from ?? null, quiet_until: quiet?.until ?? null }
  await tx.updateTable('users').set(values).where('id', '=', userId).execute()
  await bumpConfigVersion(tx)
}

function toPreferences(row: UserRow): NotificationPreferences {
  const { quiet_from: from, quiet_until: until } = row
  const { defaults, staleSince } = toUser(row)
  return { defaults, staleSince, quiet: from === null || until === null ? null : { from, until } }
}

function toOwnDefaults({ own_reminders, own_day_reminders, own_day_time, own_time_zone }: UserRow): OwnDefaults {
  return {
    reminders: own_reminders ? JSON.parse(own_reminders) : null,
    dayReminders: own_day_reminders ? JSON.parse(own_day_reminders) : null,
    dayTime: own_day_time,
    timeZone: own_time_zone,
  }
}
