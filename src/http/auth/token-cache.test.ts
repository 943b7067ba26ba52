import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '#clock.ts'
import { openStore } from '#store/engine/open.ts'
import { adoptServerDefaults } from '#store/preferences.ts'
import { migratedDatabase } from '#support/databases.ts'
import { createTokenCache, firstUserHash } from './token-cache.ts'

test('a credential that was read before an invalidation is not cached after it', async (t) => {
  await using store = await openStore(await migratedDatabase(t, 'sqlite'), { clock: systemClock, onBroken() {} })
  await store.transact((tx, now) =>
    adoptServerDefaults(tx, { reminders: [], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }, now),
  )
  const clock = { now: () => 0, sleep: async () => {}, maxSleepMs: 0 }
  const cache = createTokenCache({ db: store.db, clock, onRead() {} })

  const reading = cache.read(firstUserHash)
  cache.invalidate()
  assert.ok(await reading)
  assert.equal(cache.getFresh(firstUserHash), undefined)

  const credential = await cache.read(firstUserHash)
  assert.equal(cache.getFresh(firstUserHash), credential)
})
