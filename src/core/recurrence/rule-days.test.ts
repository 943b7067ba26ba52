import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromDay, toDay } from './calendar.ts'
import { parseRule } from './rule.ts'
import { daysOfRule } from './rule-days.ts'

function firstDays(rule: string, from: number, limit: number): string[] {
  const found: string[] = []
  for (const number of daysOfRule(parseRule(rule), toDay(2026, 1, 31), from)) {
    const { year, month, day } = fromDay(number)
    found.push(`${year}-${month}-${day}`)
    if (found.length === limit) break
  }
  return found
}

test('a search from the first of a month finds the day that the month before has moved there', () => {
  const rule = 'FREQ=MONTHLY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=FORWARD'
  assert.deepEqual(firstDays(rule, toDay(2026, 3, 1), 2), ['2026-3-1', '2026-3-31'])
})

test('BYDAY asks for the weekday of the day that SKIP has moved to (RFC 7529)', () => {
  // 1 March 2026 is a Sunday, 1 May a Friday; 31 May is a Sunday.
  const forward = 'FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=SU;RSCALE=GREGORIAN;SKIP=FORWARD'
  assert.deepEqual(firstDays(forward, toDay(2026, 1, 31), 2), ['2026-3-1', '2026-5-31'])
  // 28 February 2026 is a Saturday, as is 31 October.
  const backward = 'FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=SA;RSCALE=GREGORIAN;SKIP=BACKWARD'
  assert.deepEqual(firstDays(backward, toDay(2026, 2, 1), 2), ['2026-2-28', '2026-10-31'])
})
