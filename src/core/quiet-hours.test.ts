import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deliverAt, endOfQuiet } from './quiet-hours.ts'

const night = { from: '22:00', until: '07:00' }
const at = (text: string) => Temporal.Instant.from(text).epochMilliseconds
const never = at('2030-01-01T00:00Z')
const delivered = (time: string, quiet = night, zone = 'Europe/Paris') =>
  Temporal.Instant.fromEpochMilliseconds(deliverAt(quiet, zone, never, at(time))).toString()

test('quiet hours may span midnight', () => {
  assert.equal(delivered('2026-12-01T20:59:59Z'), '2026-12-01T20:59:59Z')
  assert.equal(delivered('2026-12-01T21:00:00Z'), '2026-12-02T06:00:00Z')
  assert.equal(delivered('2026-12-02T05:59:59Z'), '2026-12-02T06:00:00Z')
  assert.equal(delivered('2026-12-02T06:00:00Z'), '2026-12-02T06:00:00Z')
})

test('quiet hours may lie within one day', () => {
  const noon = { from: '12:00', until: '13:00' }
  assert.equal(delivered('2026-12-01T11:30:00Z', noon), '2026-12-01T12:00:00Z')
  assert.equal(delivered('2026-12-01T12:00:00Z', noon), '2026-12-01T12:00:00Z')
})

test('quiet hours follow local time: the night in which clocks go forward is an hour shorter', () => {
  assert.equal(delivered('2026-03-28T22:00:00Z'), '2026-03-29T05:00:00Z')
  assert.equal(delivered('2026-10-24T22:00:00Z'), '2026-10-25T06:00:00Z')
})

test('a whole day ends at the same time the next', () => {
  assert.equal(endOfQuiet({ from: '07:00', until: '07:00' }, 'UTC', at('2026-12-01T06:59Z')), at('2026-12-01T07:00Z'))
})

test('a notification is never delayed past its expiry, and after the expiry not at all', () => {
  const now = at('2026-12-01T23:00Z')
  assert.equal(deliverAt(night, 'UTC', now + 900_000, now), now + 900_000)
  assert.equal(deliverAt(night, 'UTC', now, now), now)
  assert.equal(deliverAt(null, 'UTC', never, now), now)
})
