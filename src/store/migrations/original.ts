import { randomUUIDv7 } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { instantOf } from '#core/date-time.ts'
import { limits } from '#core/task.ts'
import type { Dialect } from '#store/dialects/dialect.ts'
import type { Db, Schema } from '#store/schema.ts'
import { builtInUserId } from '#store/users.ts'

/** The table of the original service. Its times have no zone: they are local times of the zone in which it ran. */
interface OriginalRow {
  id: number
  title: string | null
  description: string | null
  expiry_dt: string | null
  create_dt: string | null
  update_dt: string | null
}

const originalColumns = ['id', 'title', 'description', 'expiry_dt', 'create_dt', 'update_dt']
const batchSize = 500

/**
 * Takes over the tasks of the original service once, with their ids. Its table is not changed. Reminders that are due fire after the start, as
 * they did at each start of the original.
 */
export async function importOriginal(
  db: Db,
  dialect: Dialect,
  { timeZone, log, clock }: { timeZone: string; log: { info(text: string): void }; clock: { now(): number } },
): Promise<void> {
  if (dialect.name !== 'mysql') return // it knew no other
  const found = { count: 0, untitled: [] as number[], cut: [] as number[] }
  // One transaction: after a kill, the next run must find our table empty or complete.
  const isDone = await (db as unknown as Kysely<Schema & { task: OriginalRow }>).transaction().execute(async (tx) => {
    if (!(await isThere(tx)) || (await tx.selectFrom('tasks').select('id').limit(1).executeTakeFirst())) return false
    for (let after = 0; ; ) {
      const rows = await tx
        .selectFrom('task')
        .selectAll()
        .where('id', '>', after)
        .orderBy('id')
        .limit(batchSize)
        .execute()
      if (rows.length === 0) return true
      const now = clock.now()
      await tx
        .insertInto('tasks')
        .values(rows.map((row) => toTaskRow(row, timeZone, now, found)))
        .execute()
      after = rows.at(-1)?.id ?? after
      found.count += rows.length
    }
  })
  if (!isDone) return
  const { count, untitled, cut } = found
  log.info(`Took over ${count} tasks of the original service from its table «task», times read in ${timeZone}.`)
  if (untitled.length > 0) log.info(`Without a title, now called «Task <id>»: ${untitled.join(', ')}.`)
  if (cut.length > 0)
    log.info(
      `With a title longer than ${limits.titleCharacters} characters, kept whole in the description: ${cut.join(', ')}.`,
    )
}

async function isThere(db: Kysely<Schema & { task: OriginalRow }>): Promise<boolean> {
  const { rows } = await sql<{ name: string }>`
    select column_name as name from information_schema.columns
    where table_schema = database() and table_name = 'task'`.execute(db)
  const names = new Set(rows.map(({ name }) => name.toLowerCase()))
  return originalColumns.every((name) => names.has(name))
}

function toTaskRow(row: OriginalRow, timeZone: string, now: number, found: { untitled: number[]; cut: number[] }) {
  const instant = (text: string | null) =>
    text === null || text.startsWith('0000')
      ? null
      : instantOf({ local: Temporal.PlainDateTime.from(text.replace(' ', 'T')) }, timeZone)
  let title = row.title ?? ''
  let description = row.description
  if (title === '') {
    found.untitled.push(row.id)
    title = `Task ${row.id}`
  } else if ([...title].length > limits.titleCharacters) {
    found.cut.push(row.id)
    description = description === null ? title : `${title}\n\n${description}`
    title = `${[...title].slice(0, limits.titleCharacters - 1).join('')}…`
  }
  const expiryAt = instant(row.expiry_dt)
  const createdAt = instant(row.create_dt) ?? now
  return {
    id: row.id,
    user_id: builtInUserId,
    uid: randomUUIDv7(),
    key: null,
    title,
    description,
    expiry_at: expiryAt,
    time_zone: null,
    reminders: null,
    tags: '[]',
    priority: 'none' as const,
    completed_at: null,
    snoozed_until_at: null,
    created_at: createdAt,
    updated_at: instant(row.update_dt) ?? createdAt,
    version: 1,
    notify_at: null, // computed with the others', before anything rings: see actions/defaults.ts
    fired_until_at: null,
  }
}
