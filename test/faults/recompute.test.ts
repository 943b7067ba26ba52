import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock } from '#clock.ts'
import { eventually } from '#kit/eventually.ts'
import { spawnServer } from '#kit/server-process.ts'
import { openStore } from '#store/engine/open.ts'
import { adoptServerDefaults } from '#store/preferences.ts'
import { freshDatabase, temporaryFolder, testDatabase } from '#support/databases.ts'
import { insertMany } from '#support/many-tasks.ts'

/** A process that is stopped or killed while it recomputes alarms: supervisors do that if a start takes too long. */
const howMany = 30_000
const [hourMs, dayMs] = [3_600_000, 86_400_000]

async function seed(t: TestContext): Promise<{ url: string; expiryAt: number }> {
  const url = testDatabase === 'sqlite' ? `sqlite:${join(temporaryFolder(t), 'duebell.db')}` : await freshDatabase(t)
  await using store = await openStore(url, { clock: systemClock, onBroken() {} })
  await store.transact((tx, now) =>
    adoptServerDefaults(tx, { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }, now),
  )
  const expiryAt = Date.now() + 30 * dayMs
  await insertMany(store, howMany, { expiry_at: expiryAt, notify_at: expiryAt - hourMs / 4 })
  return { url, expiryAt }
}

for (const signal of ['SIGTERM', 'SIGKILL'] as const)
  test(`${testDatabase}: ${signal} as soon as it is ready: the next start continues, and all alarms are recomputed`, async (t) => {
    const { url, expiryAt } = await seed(t)
    const flags = ['--database-url', url, '--default-reminders', 'PT1H']
    const first = spawnServer(t, flags)
    assert.equal((await fetch(`${await first.ready}/readyz`)).status, 200)
    first.child.kill(signal)
    const { code } = await first.ended
    assert.equal(code, signal === 'SIGTERM' ? 0 : null)
    assert.equal(first.output.stderr, '')

    const second = spawnServer(t, flags)
    const base = await second.ready
    const finished = () =>
      /"tasks":(\d+),[^\n]*alarm recompute finished/.exec(first.output.stdout + second.output.stdout)
    await eventually('all alarms follow', () => finished() !== null, 120_000)
    assert.equal(Number(finished()?.[1]), howMany, 'counted once each, over both')
    assert.equal((await fetch(`${base}/readyz`)).status, 200)
    second.child.kill('SIGTERM')
    assert.equal((await second.ended).code, 0)
    await using store = await openStore(url, { clock: systemClock, onBroken() {} })
    const following = store.db
      .selectFrom('tasks')
      .select('id')
      .where('notify_at', '=', expiryAt - hourMs)
    assert.equal((await following.execute()).length, howMany)
  })
