import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { anywhere } from '#channels/egress-policy.ts'
import { newTask } from '#core/task-changes.ts'
import { createBatchSize } from '#reminders/batch-size.ts'
import { createChannelRegistry } from '#reminders/channel-registry.ts'
import type { Deliveries } from '#reminders/deliver.ts'
import { startFiring } from '#reminders/fire.ts'
import { deliveriesOf } from '#store/deliveries.ts'
import { openStore } from '#store/engine/open.ts'
import { listNotifications } from '#store/notification-list.ts'
import { adoptServerDefaults } from '#store/preferences.ts'
import { insertTask } from '#store/task-writes.ts'
import { migratedDatabase } from '#support/databases.ts'
import { fakeClock } from '#support/fake-clock.ts'

test('without a channel, a notification exists all the same, and has no deliveries', async (t) => {
  const clock = fakeClock('2026-12-01T09:00:00Z')
  await using store = await openStore(await migratedDatabase(t), { clock, onBroken() {} })
  const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
  const draft = { title: 'Unheard', expiry: { at: clock.now() + 3_600_000 } }
  await store.transact((tx, now) => adoptServerDefaults(tx, defaults, now))
  await store.transact((tx, now) => insertTask(tx, newTask(draft, 1, 'uid', defaults, now)))
  const noDeliveries = {
    leaseMs: 1,
    capacity: () => 0,
    waitForCapacity: async () => {},
    accept() {},
    release() {},
    wake() {},
  } as unknown as Deliveries
  const log = pino({ level: 'silent' })
  const deps = { clock, print: async () => {}, toEvent: () => ({}) }
  const channels = createChannelRegistry({
    kinds: [],
    declared: new Map(),
    deps,
    readEgressPolicy: async () => () => anywhere,
    log,
  })
  const firing = startFiring({ store, clock, channels, deliveries: noDeliveries, batchSize: createBatchSize(), log })
  clock.whenIdle = firing.idle
  await clock.advance(3_600_000)
  await firing.stop()
  const found = await listNotifications(store.db, 1, {}, { before: Number.MAX_SAFE_INTEGER, limit: 10 })
  assert.deepEqual(
    found.map(({ timing, latenessMs }) => [timing, latenessMs]),
    [['on_time', 0]],
  )
  assert.equal((await deliveriesOf(store.db, [found[0]?.id as number])).size, 0)
})
