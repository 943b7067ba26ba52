import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { pino } from 'pino'
import { fakeClock } from '#support/fake-clock.ts'
import { type Loop, startLoop } from './loop.ts'

/** A loop over a list of due instants; `done` has the instants at which they were worked on. */
function openLoop(t: TestContext, due: number[], work?: () => Promise<void>) {
  const clock = fakeClock(0)
  const done: number[] = []
  const lines: string[] = []
  let checks = 0
  const loop: Loop = startLoop('test', {
    clock,
    log: pino({ base: null }, { write: (line) => lines.push(JSON.parse(line).msg) }),
    async nextAt() {
      checks++
      return due.length === 0 ? null : Math.min(...due)
    },
    async work() {
      await work?.()
      const ready = due.filter((at) => at <= clock.now())
      for (const at of ready) due.splice(due.indexOf(at), 1)
      done.push(...ready.map(() => clock.now()))
      return ready.length
    },
  })
  clock.whenIdle = loop.idle
  t.after(() => loop.stop())
  return { clock, loop, done, due, lines, checks: () => checks }
}

test('the loop works when something is due, and not before', async (t) => {
  const { clock, done } = openLoop(t, [500, 700])
  await clock.advance(499)
  assert.deepEqual(done, [])
  await clock.advance(1)
  assert.deepEqual(done, [500])
  await clock.advance(1_000)
  assert.deepEqual(done, [500, 700])
})

test('overdue work is done at once', async (t) => {
  const { done, loop } = openLoop(t, [-1_000, -500, 0])
  await loop.idle()
  assert.deepEqual(done, [0, 0, 0])
})

test('a wake for an earlier instant shortens the sleep; one for a later instant does not prolong it', async (t) => {
  const { clock, loop, done, due } = openLoop(t, [1_000])
  await clock.advance(1)
  due.push(50)
  loop.wake(50)
  loop.wake(900)
  await clock.advance(49)
  assert.deepEqual(done, [50])
  await clock.advance(950)
  assert.deepEqual(done, [50, 1_000])
})

test('work without a wake is found when the sleep reaches its cap', async (t) => {
  const { clock, done, due } = openLoop(t, [])
  await clock.advance(1)
  due.push(100)
  await clock.advance(clock.maxSleepMs)
  assert.deepEqual(done, [clock.maxSleepMs])
})

test('an error is logged once, backed off, and does not end the loop', async (t) => {
  let broken = true
  const { clock, loop, done, lines, checks } = openLoop(t, [10], async () => {
    if (broken) throw new Error('the database is away')
  })
  await clock.advance(5_000)
  assert.deepEqual(lines, ['loop failed; retrying'])
  assert.match(String(loop.health().error), /the database is away/)
  assert.ok(checks() < 10, `${checks()} checks in 5 s`)
  broken = false
  await clock.advance(5_000)
  assert.equal(done.length, 1)
  assert.equal(loop.health().error, undefined)
  assert.deepEqual(lines, ['loop failed; retrying', 'loop recovered'])
})

test('due work that cannot be done does not make the loop spin', async (t) => {
  const { clock, due, checks, loop } = openLoop(t, [])
  due.filter = () => [] // as when another process is first, every time
  due.push(0)
  loop.wake(0)
  await clock.advance(100)
  assert.ok(checks() <= 15, `${checks()} checks in 100 ms`)
})

test('the loop stops at once, twice, and while asleep', async (t) => {
  const { loop } = openLoop(t, [1e12])
  await loop.stop()
  await loop.stop()
})
