import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { pino } from 'pino'
import type { Outcome } from '#core/delivery.ts'
import { newTask } from '#core/task-changes.ts'
import type { Claim } from '#store/claims.ts'
import { openStore } from '#store/engine/open.ts'
import { insertTask } from '#store/task-writes.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { Attempts, defaultTimes } from './attempts.ts'
import type { ChannelQueue } from './channel-queue.ts'
import type { ChannelRegistry } from './channel-registry.ts'
import { createRateLimit } from './rate-limit.ts'

/** SQLITE_CORRUPT and SQLITE_IOERR (https://sqlite.org/rescode.html). */
const [damaged, unavailable] = [11, 10].map((errcode) => Object.assign(new Error('no answer'), { errcode }))

test('claims are requeued once when the database fails amid a batch with a damaged page', async (t) => {
  const clock = fakeClock()
  let reads = Number.NaN // while the store opens
  const store = await openStore('sqlite::memory:', {
    clock,
    onBroken() {},
    wrap: (dialect) =>
      wrapConnections(dialect, async (text, run) => {
        if (Number.isNaN(reads) || !/from "tasks"/.test(text)) return run()
        // The batch and its first claim meet the page; the database fails at the second.
        throw ++reads <= 2 ? damaged : unavailable
      }),
  })
  t.after(() => store[Symbol.asyncDispose]())
  reads = 0
  const skipped: unknown[] = []
  const attempts = new Attempts({
    store,
    clock,
    channels: {} as never,
    linksFor: () => null,
    times: defaultTimes,
    log: pino({ level: 'silent' }),
    stopping: AbortSignal.abort(),
    release() {},
    onSkipped: (_, result) => skipped.push(result),
    onEnded() {},
  })
  const claims = [1, 2].map((taskId) => ({ id: `${taskId}`, repeats: 0, notification: { taskId } }) as Claim)
  const queue = {
    waiting: [] as Claim[],
    inFlight: 2,
    channel: { record: { name: 'Phone' } },
  } as unknown as ChannelQueue
  await attempts.start(queue, claims)
  assert.equal(reads, 3)
  assert.deepEqual([queue.inFlight, queue.waiting, skipped], [0, claims, []])
})

test('an answer that has arrived counts, though the process was suspended until after the time-out', async (t) => {
  const clock = fakeClock()
  // As after a suspend: the timer has expired, and its turn comes before the one that reads the socket.
  clock.sleep = async () => {}
  const { attempts, claim, queue, outcomes, ended } = await fixture(t, clock)
  queue.channel.channel.send = () => new Promise((resolve) => setImmediate(resolve, 'sent'))
  await attempts.start(queue, [claim(60_000)])
  await ended
  assert.deepEqual(outcomes, ['sent'])
})

test('an attempt starts only if it can end, and its result be recorded, before its lease ends', async (t) => {
  const { attempts, claim, queue, released, outcomes, ended } = await fixture(t)
  const [late, early] = [claim(19_999), claim(20_000)]
  await attempts.start(queue, [late, early])
  assert.deepEqual([released, queue.inFlight], [[late], 1])
  await ended
  assert.deepEqual(outcomes, ['sent'])
})

/** A channel that accepts every message, and claims of a notification that is true. */
async function fixture(t: TestContext, clock = fakeClock()) {
  const store = await openStore('sqlite::memory:', { clock, onBroken() {} })
  t.after(() => store[Symbol.asyncDispose]())
  const defaults = { reminders: ['PT0S'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
  const draft = { title: 'Call', expiry: { at: clock.now() } }
  const { id: taskId, expiryAt } = await store.transact((tx, now) =>
    insertTask(tx, newTask(draft, 1, 'uid', defaults, now)),
  )
  const released: Claim[] = []
  const outcomes: Outcome[] = []
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const attempts = new Attempts({
    store,
    clock,
    channels: { defaultsOf: () => defaults } as unknown as ChannelRegistry,
    linksFor: () => null,
    times: defaultTimes,
    log: pino({ level: 'silent' }),
    stopping: new AbortController().signal,
    release: (claims) => released.push(...claims),
    onSkipped: () => assert.fail('it is still true'),
    onEnded(_, { outcome }) {
      outcomes.push(outcome)
      end()
    },
  })
  const notification = { taskId, expiryAt, reminder: 'PT0S' }
  const claim = (leftMs: number) =>
    ({ attempt: 1, repeats: 0, groupId: null, leaseUntil: clock.now() + leftMs, notification }) as unknown as Claim
  const queue = {
    inFlight: 2,
    channel: { record: { name: 'Phone' }, channel: { send: async () => 'sent' }, retain() {}, release() {} },
    rateLimit: createRateLimit(),
  } as unknown as ChannelQueue
  return { attempts, claim, queue, released, outcomes, ended }
}
