import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextAfterCompletion } from './expand.ts'
import { parseRule } from './rule.ts'

const afterCompletion = (rule: string, current: string, completed: string, occurrence = 1, zone = 'Europe/Paris') => {
  const start = current.includes('T') ? Temporal.PlainDateTime.from(current) : Temporal.PlainDate.from(current)
  const completedAt = Temporal.Instant.from(completed).epochMilliseconds
  const next = nextAfterCompletion({ rule: parseRule(rule), start, timeZone: zone }, { completedAt, occurrence })
  return next?.local.toString()
}

test('from completion: every 3 days, completed on Friday, is Monday at the same time', () => {
  assert.equal(afterCompletion('FREQ=DAILY;INTERVAL=3', '2026-12-02T09:00', '2026-12-04T20:00Z'), '2026-12-07T09:00:00')
  // Completed four days early: three days later all the same.
  assert.equal(afterCompletion('FREQ=DAILY;INTERVAL=3', '2026-12-08T09:00', '2026-12-04T20:00Z'), '2026-12-07T09:00:00')
  assert.equal(afterCompletion('FREQ=DAILY;INTERVAL=3', '2026-12-02', '2026-12-04T20:00Z'), '2026-12-07')
})

test('from completion: a month after the 31st is the last day of a shorter month', () => {
  assert.equal(afterCompletion('FREQ=MONTHLY', '2026-12-02T09:00', '2027-01-31T09:00Z'), '2027-02-28T09:00:00')
  assert.equal(afterCompletion('FREQ=YEARLY', '2028-02-02', '2028-02-29T09:00Z'), '2029-02-28')
  const forward = 'FREQ=YEARLY;RSCALE=GREGORIAN;SKIP=FORWARD'
  assert.equal(afterCompletion(forward, '2028-02-02', '2028-02-29T09:00Z'), '2029-03-01')
  // A rule with a day of its own keeps to it.
  const on31 = 'FREQ=MONTHLY;BYMONTHDAY=31'
  assert.equal(afterCompletion(on31, '2027-01-31', '2027-01-31T09:00Z'), '2027-03-31')
})

test('from completion: the day of the completion is that of the zone', () => {
  // 23:30 UTC is Saturday in Paris already.
  assert.equal(afterCompletion('FREQ=DAILY;INTERVAL=3', '2026-12-02T09:00', '2026-12-04T23:30Z'), '2026-12-08T09:00:00')
  const kiritimati = 'Pacific/Kiritimati'
  assert.equal(
    afterCompletion('FREQ=DAILY', '2026-12-02T09:00', '2026-12-04T10:00Z', 1, kiritimati),
    '2026-12-06T09:00:00',
  )
})

test('from completion: a rule of the calendar does not give the completed day again', () => {
  const monthly = 'FREQ=MONTHLY;BYMONTHDAY=1'
  assert.equal(afterCompletion(monthly, '2026-12-01T09:00', '2026-11-28T09:00Z'), '2027-01-01T09:00:00')
  assert.equal(afterCompletion(monthly, '2026-12-01T09:00', '2026-12-01T05:00Z'), '2027-01-01T09:00:00')
  assert.equal(afterCompletion(monthly, '2026-12-01T09:00', '2027-02-03T09:00Z'), '2027-03-01T09:00:00')
})

test('from completion: COUNT compares with the number of the occurrence, UNTIL with the date', () => {
  assert.equal(afterCompletion('FREQ=DAILY;COUNT=3', '2026-12-02', '2026-12-04T20:00Z', 2), '2026-12-05')
  assert.equal(afterCompletion('FREQ=DAILY;COUNT=3', '2026-12-02', '2026-12-04T20:00Z', 3), undefined)
  assert.equal(afterCompletion('FREQ=DAILY;INTERVAL=3;UNTIL=20261206', '2026-12-02', '2026-12-04T20:00Z'), undefined)
  assert.equal(afterCompletion('FREQ=DAILY;INTERVAL=3;UNTIL=20261206', '2026-12-02', '2026-12-03T20:00Z'), '2026-12-06')
})
