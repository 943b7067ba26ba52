import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Dialect as KyselyDialect } from 'kysely'
import type { Clock } from '#clock.ts'
import type { NewTask, Task, TaskDraft } from '#core/task.ts'
import { newTask } from '#core/task-changes.ts'
import type { Store } from '#store/engine/open.ts'
import { openStore } from '#store/engine/open.ts'
import * as notifications from '#store/notifications.ts'
import * as taskWrites from '#store/task-writes.ts'
import { emptyDatabase, freshDatabase, migratedDatabase } from '#support/databases.ts'
import { fakeClock } from '#support/fake-clock.ts'

/** An empty database, with tables or without. */
export interface FreshDatabase {
  /** Opens it, or reopens it after a close, with its current content. */
  open(deps?: {
    clock?: Clock
    onBroken?: (error: unknown) => void
    wrap?: (dialect: KyselyDialect) => KyselyDialect
  }): Promise<Store>
  /** After a close: empties it. */
  empty(): Promise<void>
}

export const now = Date.parse('2026-12-01T09:00:00Z')
export const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
export const hourMs = 3_600_000
export const [me, other] = [1, 2]

export function draft(more: Partial<TaskDraft> = {}, userId = me): NewTask {
  return newTask({ title: 'Renew passport', ...more }, userId, randomUUID(), defaults, now)
}

/** An empty database for each test, on the database of this test run. */
const databaseAt = (url: string): FreshDatabase => ({
  open: (deps) => openStore(url, { clock: fakeClock(), onBroken: () => {}, ...deps }),
  empty: () => emptyDatabase(url),
})
/** Without tables. */
export const fresh = async (t: TestContext): Promise<FreshDatabase> => databaseAt(await freshDatabase(t))
/** With its tables. */
export const migrated = async (t: TestContext): Promise<FreshDatabase> => databaseAt(await migratedDatabase(t))

export const open = async (t: TestContext, deps: Parameters<FreshDatabase['open']>[0] = {}) => {
  const store = await (await migrated(t)).open({ clock: fakeClock(now), ...deps })
  t.after(() => store[Symbol.asyncDispose]())
  return store
}

export const insert = ({ transact }: Store, ...drafts: NewTask[]): Promise<Task[]> =>
  transact(async (tx) => {
    const inserted: Task[] = []
    for (const one of drafts) inserted.push(await taskWrites.insertTask(tx, one))
    return inserted
  })

export const notification = (
  taskId: number,
  more: Partial<Parameters<typeof notifications.insertNotifications>[1][number]> = {},
) => ({
  userId: me,
  taskId,
  kind: 'expiring' as const,
  reminder: 'PT15M',
  expiryAt: now + hourMs,
  dueAt: now,
  firedAt: now + 3,
  timing: 'on_time' as const,
  latenessMs: 3,
  ...more,
})

export const fire = (store: Store, ...fired: ReturnType<typeof notification>[]) =>
  store.transact((tx) => notifications.insertNotifications(tx, fired))
