import assert from 'node:assert/strict'
import { test } from 'node:test'
import { daysInCycle, daysInMonth, fromDay, isLeapYear, toDay, weekdayOf } from './calendar.ts'

test('every day of 400 years, around 1970 and at both ends, is that of the platform', () => {
  const first = Date.UTC(1800, 0, 1) / 86_400_000
  const last = Date.UTC(9999, 11, 31) / 86_400_000
  const check = (number: number) => {
    const date = new Date(number * 86_400_000)
    const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]
    const found = fromDay(number)
    // One comparison for each day, because deepEqual would take a minute.
    const isSame = found.year === year && found.month === month && found.day === day
    assert.ok(isSame && toDay(year, month, day) === number && weekdayOf(number) === (date.getUTCDay() || 7), `${date}`)
  }
  for (let number = first; number < first + daysInCycle; number++) check(number)
  for (let number = last - 800; number <= last; number++) check(number)
  // Year 1, which Date.UTC reads as 1901.
  assert.deepEqual(fromDay(toDay(1, 1, 1)), { year: 1, month: 1, day: 1 })
  assert.equal(toDay(1, 1, 1), -719_162)
})

test('the lengths of months and years', () => {
  const lengths = (year: number) => Array.from({ length: 12 }, (_, i) => daysInMonth(year, i + 1))
  assert.deepEqual(lengths(2026), [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
  assert.deepEqual([2024, 2026, 2000, 2100].map(isLeapYear), [true, false, true, false])
  assert.deepEqual(
    [2024, 2026, 2000, 2100].map((year) => daysInMonth(year, 2)),
    [29, 28, 29, 28],
  )
})
