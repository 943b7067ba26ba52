import { randomUUIDv7 } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { systemClock } from '#clock.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { ensureFirstUser } from '#store/user-writes.ts'
import { builtInUserId } from '#store/users.ts'

/** Databases full of tasks, made by one statement instead of a million requests. The default reminder must be PT15M. */

const leadMs = 15 * 60_000
const yearMs = 365 * 86_400_000
const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }

/** A folder that is removed at the end of the block: `using folder = temporaryFolder()`. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'duebell-bench-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Makes a database with tasks that fire in a year or later, in another order than that of their ids. */
export async function seedDatabase(path: string, pending: number): Promise<void> {
  const store = await openStore(`sqlite:${path}`, { clock: systemClock, onBroken: fail })
  // Without its user, the tasks look like those of the original service: the server would compute a million alarms while it is measured.
  await store.transact((tx, now) => ensureFirstUser(tx, defaults, now))
  await insertPending(store, pending)
  await store[Symbol.asyncDispose]()
}

/** Makes the first tasks of a database overdue by an hour. */
export async function makeOverdue(path: string, overdue: number): Promise<void> {
  const store = await openStore(`sqlite:${path}`, { clock: systemClock, onBroken: fail })
  const at = Date.now() - 3_600_000
  await store.transact((tx) =>
    tx
      .updateTable('tasks')
      .set({ notify_at: at, expiry_at: at + leadMs })
      .where('id', '<=', overdue)
      .execute(),
  )
  await store[Symbol.asyncDispose]()
}

/** Tasks that all fire at one instant. */
export async function insertDueAt(store: Store, at: number, howMany: number): Promise<void> {
  await insert(store, howMany, sql`cast(${at} as integer)`)
}

/** Tasks that fire one after the other, from an instant on. */
export async function insertDueEvery(store: Store, everyMs: number, from: number, howMany: number): Promise<void> {
  await insert(store, howMany, sql`cast(${from} + ${everyMs} * i as integer)`)
}

async function insertPending(store: Store, howMany: number): Promise<void> {
  // 7,919 is prime and divides no round number: every second of the span is used once, in scattered order.
  const first = Date.now() + yearMs
  await insert(store, howMany, sql`cast(${first} + 1000 * (i * 7919 % ${howMany}) as integer)`)
}

async function insert(store: Store, howMany: number, at: ReturnType<typeof sql>): Promise<void> {
  if (howMany === 0) return
  const uidStart = randomUUIDv7().slice(0, -12)
  await store.transact((tx, now) =>
    sql`
      insert into tasks (user_id, uid, title, tags, priority, created_at, updated_at, version, expiry_at, notify_at)
      with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${howMany}),
        task(i, at) as (select i, ${at} from n)
      select ${builtInUserId}, printf('%s%012x', ${uidStart}, i), 'Renew passport number ' || i, '[]', 'none',
        ${now}, ${now}, 1, at + ${leadMs}, at
      from task`.execute(tx),
  )
  await sql`pragma wal_checkpoint(truncate)`.execute(store.db)
}

function fail(error: unknown): never {
  throw error
}
