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
  const parts = {
    bell: ok,
    beats: [] as number[],
    answer: async (_signal: AbortSignal): Promise<Outcome> => 'sent',
  }
  const loop = startHeartbeat({
    clock,
    look: async () => parts.bell,
    async beat(signal) {
      parts.beats.push(clock.now())
      return parts.answer(signal)
    },
    log: pino({ base: null }, { write: (line) => lines.push(line) }),
  })
  t.after(() => loop.stop())
  clock.settle = loop.idle
  return { clock, lines, parts, loop }
}

test('soon after the start, then every minute', async (t) => {
  const { clock, parts, lines } = started(t)
  await clock.advance(5_000 + 3 * minuteMs)
  assert.deepEqual(parts.beats, [5_000, 65_000, 125_000, 185_000])
  assert.deepEqual(lines, [])
})

test('never while the bell is late or fails, or the database is away; told when that begins and ends', async (t) => {
  const { clock, parts, lines } = started(t)
  await clock.advance(5_000)
  for (const bell of [
    { ...ok, status: 'late' as const, overdueMs: 31_000 },
    { ...ok, status: 'failing' as const, error: 'x' },
    { ...ok, database: 'away' },
  ]) {
    parts.bell = bell
    await clock.advance(minuteMs)
  }
  assert.equal(parts.beats.length, 1)
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /"level":40.*no heartbeat is sent/)
  parts.bell = ok
  await clock.advance(2 * minuteMs)
  assert.equal(parts.beats.length, 3)
  assert.equal(lines.length, 2)
})

test('a failure is told once as it begins, with its reason, and once as it ends', async (t) => {
  const { clock, parts, lines } = started(t)
  parts.answer = async () => ({ retry: true, reason: '500 Internal Server Error' })
  await clock.advance(5_000 + minuteMs)
  parts.answer = async () => {
    throw new Error('cannot be reached: ECONNREFUSED')
  }
  await clock.advance(2 * minuteMs)
  assert.equal(parts.beats.length, 4)
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /"level":40.*500 Internal Server Error.*is not heard/)
  parts.answer = async () => 'sent'
  await clock.advance(2 * minuteMs)
  assert.equal(lines.length, 2)
  assert.match(lines[1] ?? '', /heard again/)
})

test('one that is not answered ends after 10 s; a stop ends it at once', async (t) => {
  const { clock, parts, lines, loop } = started(t)
  const ends: number[] = []
  parts.answer = (signal) =>
    new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        ends.push(clock.now())
        reject(new Error('timed out'))
      }),
    )
  clock.settle = async () => {} // it is not idle while it waits
  await clock.advance(5_000)
  await clock.advance(9_999)
  assert.deepEqual(ends, [])
  await clock.advance(1)
  assert.deepEqual(ends, [15_000])
  await clock.advance(minuteMs)
  assert.equal(parts.beats.length, 2)
  await loop.stop()
  assert.equal(ends.length, 2)
  assert.equal(lines.length, 1)
})

test('a clock that is set back does not silence it', async (t) => {
  const { clock, parts } = started(t)
  await clock.advance(5_000)
  clock.set(-10 * 3_600_000)
  await clock.advance(2 * minuteMs)
  assert.ok(parts.beats.length >= 2)
})
