import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { pino } from 'pino'
import type { Outcome } from '#core/delivery.ts'
import { fakeClock } from '#support/fake-clock.ts'
import type { ReminderHealth } from './health.ts'
import { startHeartbeat } from './heartbeat.ts'

const minuteMs = 60_000
const ok: ReminderHealth = { status: 'ok', error: null, overdueMs: 0, database: 'ok', fault: null }

function started(t: TestContext) {
  const clock = fakeClock(0)
  const lines: string[] = []
  const monitor = {
    health: ok,
    sentAt: [] as number[],
    answer: async (_signal: AbortSignal): Promise<Outcome> => 'sent',
  }
  const loop = startHeartbeat({
    clock,
    check: async () => monitor.health,
    async send(signal) {
      monitor.sentAt.push(clock.now())
      return monitor.answer(signal)
    },
    log: pino({ base: null }, { write: (line) => lines.push(line) }),
  })
  t.after(() => loop.stop())
  clock.whenIdle = loop.idle
  return { clock, lines, monitor, loop }
}

test('a heartbeat is sent soon after startup, then every minute', async (t) => {
  const { clock, monitor, lines } = started(t)
  await clock.advance(5_000 + 3 * minuteMs)
  assert.deepEqual(monitor.sentAt, [5_000, 65_000, 125_000, 185_000])
  assert.deepEqual(lines, [])
})

test('no heartbeat while the server is late or failing, or the database is away; the log says when that begins and ends', async (t) => {
  const { clock, monitor, lines } = started(t)
  await clock.advance(5_000)
  for (const health of [
    { ...ok, status: 'late' as const, overdueMs: 31_000 },
    { ...ok, status: 'failing' as const, error: 'x' },
    { ...ok, database: 'away' },
  ]) {
    monitor.health = health
    await clock.advance(minuteMs)
  }
  assert.equal(monitor.sentAt.length, 1)
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /"level":40.*heartbeat paused/)
  monitor.health = ok
  await clock.advance(2 * minuteMs)
  assert.equal(monitor.sentAt.length, 3)
  assert.equal(lines.length, 2)
})

test('a failure is logged once as it begins, with its reason, and once as it ends', async (t) => {
  const { clock, monitor, lines } = started(t)
  monitor.answer = async () => ({ retry: true, reason: '500 Internal Server Error' })
  await clock.advance(5_000 + minuteMs)
  monitor.answer = async () => {
    throw new Error('cannot be reached: ECONNREFUSED')
  }
  await clock.advance(2 * minuteMs)
  assert.equal(monitor.sentAt.length, 4)
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /"level":40.*500 Internal Server Error.*heartbeat failed/)
  monitor.answer = async () => 'sent'
  await clock.advance(2 * minuteMs)
  assert.equal(lines.length, 2)
  assert.match(lines[1] ?? '', /heartbeat recovered/)
})

test('a heartbeat without an answer times out after 10 s; a stop ends it at once', async (t) => {
  const { clock, monitor, lines, loop } = started(t)
  const ends: number[] = []
  monitor.answer = (signal) =>
    new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        ends.push(clock.now())
        reject(new Error('timed out'))
      }),
    )
  clock.whenIdle = async () => {} // it is not idle while it waits
  await clock.advance(5_000)
  await clock.advance(9_999)
  assert.deepEqual(ends, [])
  await clock.advance(1)
  assert.deepEqual(ends, [15_000])
  await clock.advance(minuteMs)
  assert.equal(monitor.sentAt.length, 2)
  await loop.stop()
  assert.equal(ends.length, 2)
  assert.equal(lines.length, 1)
})

test('a clock that is set back does not stop the heartbeat', async (t) => {
  const { clock, monitor } = started(t)
  await clock.advance(5_000)
  clock.set(-10 * 3_600_000)
  await clock.advance(2 * minuteMs)
  assert.ok(monitor.sentAt.length >= 2)
})
