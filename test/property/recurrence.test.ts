import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RRuleTemporal } from 'rrule-temporal'
import { toDay } from '#core/recurrence/calendar.ts'
import { describeRule } from '#core/recurrence/describe.ts'
import {
  checkHappens,
  nextAfterCompletion,
  nextOccurrence,
  type Occurrence,
  occurrences,
  type Series,
} from '#core/recurrence/expand.ts'
import { formatRule, parseRule, type Rule, RuleError } from '#core/recurrence/rule.ts'
import { daysOfRule } from '#core/recurrence/rule-days.ts'
import { sizes } from '#test/sizes.ts'
import { randomRule } from './random-rules.ts'
import { modelDays } from './recurrence-model.ts'

const { rules } = sizes
const dayMs = 86_400_000
const dateOf = (day: number) => Temporal.PlainDate.from(new Date(day * dayMs).toISOString().slice(0, 10))
/** 2019 to 2038. */
const someDay = fc.integer({ min: 18_000, max: 25_000 })
const someZone = fc.constantFrom(
  ...['UTC', 'Europe/Paris', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Pacific/Kiritimati'],
)
const someTime = fc.integer({ min: 0, max: 1_439 }).map((minutes) => new Temporal.PlainTime(0).add({ minutes }))

/** Counts periods: the search reads the interval once in each, and a few times before. */
function counted(rule: Rule): { rule: Rule; periods: () => number } {
  let reads = 0
  const watched = Object.defineProperty({ ...rule }, 'interval', {
    get: () => {
      reads++
      return rule.interval
    },
  })
  return { rule: watched, periods: () => reads }
}
const periodsInCycle = { DAILY: 146_097, WEEKLY: 20_871, MONTHLY: 4_800, YEARLY: 400 }

test(`${rules} random rules have the days that the RFCs give them`, () => {
  fc.assert(
    fc.property(randomRule, someDay, fc.nat(800), (text, start, later) => {
      const rule = parseRule(text)
      const last = start + 800
      const expected = modelDays(rule, start, last)
      const found = (from: number) => [...daysUntil(daysOfRule(rule, start, from), last)]
      assert.deepEqual(found(start), expected)
      // A search with a later start finds the same.
      const from = start + later
      assert.deepEqual(
        found(from),
        expected.filter((day) => day >= from),
      )
    }),
    { numRuns: rules },
  )
})

function* daysUntil(days: Iterable<number>, last: number): Generator<number> {
  for (const day of days) {
    if (day > last) return
    yield day
  }
}

test(`a search ends within one cycle of the calendar, for each of ${rules} random rules`, () => {
  fc.assert(
    fc.property(randomRule, someDay, (text, start) => {
      const { rule, periods } = counted(parseRule(text))
      daysOfRule(rule, start).next()
      assert.ok(periods() <= periodsInCycle[rule.frequency] + 10, `${periods()} periods`)
    }),
    { numRuns: rules },
  )
})

const ends = ['', '', ';COUNT=1', ';COUNT=7', ';UNTIL=20300101', ';UNTIL=20300101T120000', ';UNTIL=20300101T120000Z']

test(`${rules} random series: no error but RuleError, and one step at a time is the same as all at once`, () => {
  fc.assert(
    fc.property(
      randomRule,
      fc.constantFrom(...ends),
      someDay,
      fc.option(someTime),
      someZone,
      fc.integer(),
      (text, end, day, time, timeZone, seed) => {
        const rule = parseRule(text + end)
        assert.deepEqual(parseRule(formatRule(rule)), rule)
        const date = dateOf(day)
        const series: Series = { rule, start: time ? date.toPlainDateTime(time) : date, timeZone }
        describeRule(rule, { from: seed % 2 === 0 ? 'expiry' : 'completion', timeZone })
        const all = occurrences(series, { limit: 5 })
        if (rule.count === undefined) assert.equal(isHappening(series), all.length > 0)
        let after: Occurrence | undefined
        for (const expected of all) {
          const next = nextOccurrence(series, after ? { at: after.at, local: after.local } : {})
          assert.deepEqual(show(next), show(expected))
          assert.ok(!after || expected.at > after.at)
          after = expected
        }
        if (all.length < 5) assert.equal(nextOccurrence(series, after ? { local: after.local } : {}), null)
        const completedAt = (day + (Math.abs(seed) % 90)) * dayMs
        const next = nextAfterCompletion(series, { completedAt, occurrence: 1 })
        assert.ok(!next || next.at > completedAt)
      },
    ),
    { numRuns: rules },
  )
})

const show = (one: Occurrence | null) => one && [one.local.toString(), one.at]

function isHappening(series: Series): boolean {
  try {
    checkHappens(series)
    return true
  } catch (error) {
    assert.ok(error instanceof RuleError)
    assert.equal(error.kind, 'never')
    return false
  }
}

/**
 * Rules for which rrule-temporal 2.2.8 is correct. With SKIP it moves one day of several, and it loses 30 April 2019 of «the 31st» from 14
 * April on. In a yearly rule it ignores plain weekdays beside numbered ones, and BYMONTHDAY beside numbered ones.
 */
function isKnownToLibrary({ frequency, byDay, byMonthDay, skip }: Rule): boolean {
  const numbers = byDay.filter(({ ordinal }) => ordinal !== 0).length
  if (skip !== 'OMIT') return false
  return frequency !== 'YEARLY' || numbers === 0 || (numbers === byDay.length && byMonthDay.length === 0)
}

test(`rrule-temporal finds the same days, for those of ${rules / 10} random rules that it evaluates correctly`, () => {
  let compared = 0
  fc.assert(
    fc.property(randomRule, someDay, (text, start) => {
      const rule = parseRule(text)
      const days = [...daysUntil(daysOfRule(rule, start), start + 1_500)].slice(0, 20)
      if (!isKnownToLibrary(rule) || days.length === 0) return
      const dtstart = dateOf(start).toString().replaceAll('-', '')
      const library = new RRuleTemporal({ rruleString: `DTSTART:${dtstart}T090000Z\nRRULE:${text}`, strict: true })
      const theirs = library.all((_, i) => i < days.length)
      assert.deepEqual(
        theirs.map(({ year, month, day }) => toDay(year, month, day)),
        days,
      )
      compared++
    }),
    { numRuns: rules / 10 },
  )
  assert.ok(compared > rules / 50, `only ${compared} were compared`)
})
