import type { QuietHours } from '#core/quiet-hours.ts'
import type { Defaults, Reminder } from '#core/reminder.ts'
import { bumpSetup } from './channels.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Db } from './schema.ts'

/** The one owner of a server without accounts. */
export const builtInOwnerId = 1

/** What the owner's alarms were computed with, or undefined for a database that has not been served yet. */
export async function findDefaults(db: Db, ownerId: number): Promise<Defaults | undefined> {
  const row = await db.selectFrom('owners').selectAll().where('id', '=', ownerId).executeTakeFirst()
  return row && { reminders: JSON.parse(row.default_reminders) as Reminder[], timeZone: row.time_zone }
}

export async function saveDefaults(tx: Db, ownerId: number, defaults: Defaults, now: number): Promise<void> {
  const values = { default_reminders: JSON.stringify(defaults.reminders), time_zone: defaults.timeZone }
  const columns = ['id', 'default_reminders', 'time_zone', 'created_at'] as const
  await dialectOf(tx).insertRows(
    tx,
    'owners',
    columns,
    [[ownerId, values.default_reminders, values.time_zone, now]],
    [],
  )
  await tx.updateTable('owners').set(values).where('id', '=', ownerId).execute()
}

/** The quiet hours of each owner that has some, and the zone they are meant in. */
export async function allQuietHours(db: Db): Promise<Map<number, { quiet: QuietHours; timeZone: string }>> {
  const rows = await db.selectFrom('owners').selectAll().where('quiet_from', 'is not', null).execute()
  return new Map(
    rows.flatMap(({ id, quiet_from: from, quiet_until: until, time_zone: timeZone }) =>
      from === null || until === null ? [] : [[id, { quiet: { from, until }, timeZone }]],
    ),
  )
}

export async function findQuietHours(db: Db, ownerId: number): Promise<QuietHours | null> {
  return (await allQuietHours(db)).get(ownerId)?.quiet ?? null
}

export async function saveQuietHours(tx: Db, ownerId: number, quiet: QuietHours | null): Promise<void> {
  const values = { quiet_from: quiet?.from ?? null, quiet_until: quiet?.until ?? null }
  await tx.updateTable('owners').set(values).where('id', '=', ownerId).execute()
  await bumpSetup(tx)
}
