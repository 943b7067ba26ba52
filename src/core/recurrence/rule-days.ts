import { daysInCycle, daysInMonth, fromDay, isLeapYear, toDay, weekdayOf } from './calendar.ts'
import type { ByDay, Frequency, Rule } from './rule.ts'

/** The last day that may be found. Its end is an instant with a year of four digits in every zone. */
const lastDay = toDay(9999, 12, 28)

/** Periods in the 400 years after which the calendar repeats. */
const periodsInCycle: Record<Frequency, number> = {
  DAILY: daysInCycle,
  WEEKLY: daysInCycle / 7,
  MONTHLY: 4_800,
  YEARLY: 400,
}

const commonDivisor = (one: number, other: number): number => (other === 0 ? one : commonDivisor(other, one % other))

/** A rule with its start, prepared for the search. Sets of small numbers are bits. */
interface Pattern {
  readonly rule: Rule
  readonly months: number
  /** By the length of the month: its days, and whether SKIP moves one to the first of the next month. */
  readonly monthDays: readonly { readonly days: number; readonly isForward: boolean }[]
  readonly weekdays: number
  readonly ordinals: readonly ByDay[]
  readonly hasWeekdays: boolean
}

const bits = (values: readonly number[]) => values.reduce((set, value) => set | (1 << value), 0)
const has = (set: number, value: number) => (set & (1 << value)) !== 0
const every = ~0

/**
 * The days of a rule in order, without COUNT and UNTIL: those not before `start`, the day of DTSTART, and not before `from`. The search
 * begins at the period of `from`, so its cost does not depend on how long ago the rule started.
 *
 * It ends when no period of a whole cycle has an occurrence, because all later cycles are equal. Steps of k periods meet each
 * period of the cycle once, or fewer of them. So a search asks about 146,097 days at most, which takes about 10 ms, and needs no other
 * bound: a rule is never too costly, and «never» is a fact.
 */
export function* daysOfRule(rule: Rule, start: number, from = start): Generator<number, undefined> {
  // A period of one day has no second position.
  if (rule.frequency === 'DAILY' && rule.bySetPos.length > 0 && !rule.bySetPos.some((one) => Math.abs(one) === 1))
    return
  const pattern = prepare(rule, start)
  const first = periodOf(rule, start)
  const cycle = periodsInCycle[rule.frequency] / commonDivisor(rule.interval, periodsInCycle[rule.frequency])
  // The first of a month may belong to the period before (SKIP=FORWARD).
  const begun = Math.floor((periodOf(rule, from) - first) / rule.interval) - 1
  const earliest = Math.max(start, from)
  let found = earliest - 1
  let emptyPeriods = 0
  for (let period = first + Math.max(0, begun) * rule.interval; ; period += rule.interval) {
    if (firstDayOf(rule, period) > lastDay) return
    const before = found
    for (const day of daysOfPeriod(pattern, period)) {
      if (day <= found) continue
      if (day > lastDay) return
      found = day
      yield day
    }
    emptyPeriods = found > before ? 0 : emptyPeriods + 1
    // Two more than a cycle: part of the first period is before the start, and one may be before `from`.
    if (emptyPeriods > cycle + 2) return
  }
}

function prepare(rule: Rule, start: number): Pattern {
  const { frequency, byMonth, byMonthDay, byDay, skip } = rule
  const first = fromDay(start)
  // RFC 5545 section 3.3.10: what the rule does not say comes from the start.
  const isOfMonths = frequency === 'MONTHLY' || frequency === 'YEARLY'
  const isOnDayOfStart = isOfMonths && byMonthDay.length + byDay.length === 0
  const monthDays = isOnDayOfStart ? [first.day] : byMonthDay
  const months = frequency === 'YEARLY' && isOnDayOfStart && byMonth.length === 0 ? [first.month] : byMonth
  const plain = byDay.filter(({ ordinal }) => ordinal === 0).map(({ weekday }) => weekday)
  if (frequency === 'WEEKLY' && byDay.length === 0) plain.push(weekdayOf(start))
  return {
    rule,
    months: months.length > 0 ? bits(months) : every,
    monthDays: Array.from({ length: 32 }, (_, length) => {
      if (monthDays.length === 0) return { days: every, isForward: false }
      const days = monthDays.map((day) => (day > 0 ? day : length + 1 + day)).filter((day) => day > 0 && day <= length)
      const isMissing = isOfMonths && monthDays.some((day) => day > length)
      if (isMissing && skip === 'BACKWARD') days.push(length)
      return { days: bits(days), isForward: isMissing && skip === 'FORWARD' }
    }),
    weekdays: bits(plain),
    ordinals: byDay.filter(({ ordinal }) => ordinal !== 0),
    hasWeekdays: plain.length + byDay.length > 0,
  }
}

/** Periods are numbered from a fixed one, whatever the start: days, weeks, months or years. */
function periodOf({ frequency, weekStart }: Rule, number: number): number {
  if (frequency === 'DAILY') return number
  if (frequency === 'WEEKLY') return Math.floor((number + 4 - weekStart) / 7)
  const { year, month } = fromDay(number)
  return frequency === 'MONTHLY' ? year * 12 + month - 1 : year
}

function firstDayOf({ frequency, weekStart }: Rule, period: number): number {
  if (frequency === 'DAILY') return period
  if (frequency === 'WEEKLY') return period * 7 - 4 + weekStart
  return frequency === 'MONTHLY' ? toDay(Math.floor(period / 12), (period % 12) + 1, 1) : toDay(period, 1, 1)
}

const none: readonly number[] = []

/** The days of a period, in order and each once. Most days are in no daily rule, so no list is made for them. */
function daysOfPeriod(pattern: Pattern, period: number): readonly number[] {
  const { frequency, bySetPos } = pattern.rule
  // Positions that no single day has are out already.
  if (frequency === 'DAILY') return isDay(pattern, period) ? [period] : none
  const days: number[] = []
  if (frequency === 'MONTHLY') collectMonth(pattern, Math.floor(period / 12), (period % 12) + 1, days)
  else if (frequency === 'YEARLY') for (let month = 1; month <= 12; month++) collectMonth(pattern, period, month, days)
  else {
    const first = firstDayOf(pattern.rule, period)
    for (let number = first; number < first + 7; number++) if (isDay(pattern, number)) days.push(number)
  }
  if (bySetPos.length === 0) return days
  return days.filter((_, i) => bySetPos.includes(i + 1) || bySetPos.includes(i - days.length))
}

/** For DAILY and WEEKLY, whose parts only limit. */
function isDay({ rule, months, monthDays, weekdays, hasWeekdays }: Pattern, number: number): boolean {
  if (hasWeekdays && !has(weekdays, weekdayOf(number))) return false
  if (rule.byMonth.length + rule.byMonthDay.length === 0) return true
  const { year, month, day } = fromDay(number)
  return has(months, month) && has(monthDays[daysInMonth(year, month)]?.days ?? 0, day)
}

function collectMonth(pattern: Pattern, year: number, month: number, days: number[]): void {
  if (!has(pattern.months, month)) return
  const length = daysInMonth(year, month)
  const { days: monthDays, isForward } = pattern.monthDays[length] as Pattern['monthDays'][number]
  const first = toDay(year, month, 1)
  // March has it already, if February moved a day to its first.
  let last = days.at(-1) ?? Number.NEGATIVE_INFINITY
  for (let day = 1; day <= length; day++) {
    const number = first + day - 1
    if (!has(monthDays, day) || number === last || !isWeekday(pattern, year, month, day, number)) continue
    days.push(number)
    last = number
  }
  // December has 31 days, so the next month is of the same year.
  if (isForward && isWeekday(pattern, year, month + 1, 1, first + length)) days.push(first + length)
}

function isWeekday(
  { rule, weekdays, ordinals, hasWeekdays }: Pattern,
  year: number,
  month: number,
  day: number,
  number: number,
): boolean {
  if (!hasWeekdays) return true
  const weekday = weekdayOf(number)
  if (has(weekdays, weekday)) return true
  if (ordinals.length === 0) return false
  // The numbers count in the year, unless BYMONTH is given or the rule is monthly.
  const isOfYear = rule.frequency === 'YEARLY' && rule.byMonth.length === 0
  const position = isOfYear ? number - toDay(year, 1, 1) : day - 1
  const length = isOfYear ? (isLeapYear(year) ? 366 : 365) : daysInMonth(year, month)
  const nth = Math.floor(position / 7) + 1
  const nthFromEnd = -Math.floor((length - 1 - position) / 7) - 1
  for (const one of ordinals)
    if (one.weekday === weekday && (one.ordinal === nth || one.ordinal === nthFromEnd)) return true
  return false
}
