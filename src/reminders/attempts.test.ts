import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import type { Claim } from '#store/claims.ts'
import { openStore } from '#store/engine/open.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { Attempts } from './attempts.ts'
import type { ChannelQueue } from './channel-queue.ts'

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
    sendTimeoutMs: 15_000,
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
