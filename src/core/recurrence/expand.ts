import { fromDay, toDay } from './calendar.ts'
import { type Rule, RuleError } from './rule.ts'
import { daysOfRule } from './rule-days.ts'

/** A wall time, or a whole day. */
export type Local = Temporal.PlainDateTime | Temporal.PlainDate

/** A rule with what it needs to have dates. */
export interface Series {
  readonly rule: Rule
  /** DTSTART: the wall time of the first occurrence, or its day if the occurrences are whole days. */
  readonly start: Local
  readonly timeZone: string
}

export interface Occurrence {
  /** The same kind as the start. In a spring gap this is the time that the clocks skip: 02:30. */
  readonly local: Local
  /** When that is, in ms since 1970: 03:30 on such a day, and the first of two in autumn. A whole day's is its end, the first instant after it. */
  readonly at: number
}

/** Occurrences lie after both, exclusively. */
export interface After {
  /** Ms since 1970: usually now. */
  readonly at?: number
  /** The wall time of the occurrence that they follow, or of the expiry where that was moved further. */
  readonly local?: Local
}

/** The first `limit` occurrences after something, the start included where it is one. */
export function occurrences(series: Series, { limit, after = {} }: { limit: number; after?: After }): Occurrence[] {
  const found: Occurrence[] = []
  if (limit <= 0) return found
  for (const one of occurrencesAfter(series, after)) {
    found.push(one)
    if (found.length >= limit) break
  }
  return found
}

/** The next occurrence, or null when COUNT, UNTIL or the year 9999 has ended the series. */
export function nextOccurrence(series: Series, after: After): Occurrence | null {
  return occurrencesAfter(series, after).next().value ?? null
}

/**
 * Refuses a rule that never happens: 30 February, or an UNTIL before the start. COUNT=1 is no such rule, though nothing follows the
 * start.
 */
export function checkHappens({ rule, start, timeZone }: Series): void {
  const { until, count: _, ...endless } = rule
  const first = nextOccurrence({ rule: endless, start, timeZone }, {})
  if (!first) throw new RuleError('never', 'The rule never happens. Check BYMONTH, BYMONTHDAY, BYDAY and BYSETPOS')
  if (until && !isUntil(until, first, timeZone))
    throw new RuleError('never', 'UNTIL must not lie before the first date')
}

/**
 * The occurrence after the completion of the one before, for rules that count from it: «every 3 days», completed on Friday, is Monday at
 * the same time of day. The rule starts anew on the day of the completion; so does its INTERVAL.
 *
 * A rule with days of the calendar must not give the completed occurrence again: «on the 1st», completed on 28 November for 1 December, is
 * 1 January. A rule without such days takes the last day of a shorter month: a month after 31 January is 28 February. By RFC 5545, a year after
 * 29 February would be four.
 * @param current the wall time of the expiry, which gives the time of day
 * @param occurrence the number of the completed one, from 1. COUNT compares with it, because the start moves on
 */
export function nextAfterCompletion(
  { rule, start: current, timeZone }: Series,
  { completedAt, occurrence }: { completedAt: number; occurrence: number },
): Occurrence | null {
  const { count, ...endless } = rule
  if (count !== undefined && occurrence >= count) return null
  const day = Temporal.Instant.fromEpochMilliseconds(completedAt).toZonedDateTimeISO(timeZone).toPlainDate()
  const start = isWholeDay(current) ? day : day.toPlainDateTime(current.toPlainTime())
  const isOfCalendar = rule.byMonth.length + rule.byMonthDay.length + rule.byDay.length > 0
  if (isOfCalendar) {
    const last = compareDays(current, start) > 0 ? current : start
    return nextOccurrence({ rule: endless, start, timeZone }, { local: last })
  }
  const skip = rule.skip === 'OMIT' ? 'BACKWARD' : rule.skip
  return nextOccurrence({ rule: { ...endless, skip }, start, timeZone }, { local: start })
}

/** All occurrences after something, in order. */
export function* occurrencesAfter({ rule, start, timeZone }: Series, after: After): Generator<Occurrence, undefined> {
  const first = numberOf(start)
  const from = Math.max(first, firstDayAfter(after, timeZone))
  let lastAt = after.local ? instantOf(after.local, timeZone) : Number.NEGATIVE_INFINITY
  let count = 0
  // COUNT counts from the start, whatever is asked for; the others are searched from where they are asked for.
  for (const day of daysOfRule(rule, first, rule.count === undefined ? from : first)) {
    // RFC 5545 section 3.3.10: the start always counts as the first occurrence, in the pattern or not.
    if (count === 0 && day > first) count = 1
    if (rule.count !== undefined && ++count > rule.count) return
    if (day < from) continue
    const local = localOn(day, start)
    const one = { local, at: instantOf(local, timeZone) }
    if (rule.until && !isUntil(rule.until, one, timeZone)) return
    if (after.local && compareLocal(local, after.local) <= 0) continue
    // Two wall times are one instant where a day is missing: Apia had no 30 December 2011.
    if (one.at <= lastAt || (after.at !== undefined && one.at <= after.at)) continue
    lastAt = one.at
    yield one
  }
}

/** A day before which nothing can be meant. Two days less than the date, because a missing day moves what falls on it to the next. */
function firstDayAfter(after: After, timeZone: string): number {
  const days: number[] = []
  if (after.local) days.push(numberOf(after.local))
  if (after.at !== undefined)
    days.push(numberOf(Temporal.Instant.fromEpochMilliseconds(after.at).toZonedDateTimeISO(timeZone).toPlainDate()) - 2)
  return Math.max(Number.NEGATIVE_INFINITY, ...days)
}

/**
 * An instant in UNTIL is compared with the instant of the occurrence; a date or wall time with its wall time. A date includes its whole
 * day, though RFC 5545 has it for whole days only. For whole days, UNTIL is the date that it names.
 */
function isUntil(until: NonNullable<Rule['until']>, { local, at }: Occurrence, timeZone: string): boolean {
  if ('date' in until) return compareDays(local, until.date) <= 0
  if ('local' in until) return compareLocal(local, until.local) <= 0
  if (!isWholeDay(local)) return at <= until.at
  return compareDays(local, Temporal.Instant.fromEpochMilliseconds(until.at).toZonedDateTimeISO(timeZone)) <= 0
}

function instantOf(local: Local, timeZone: string): number {
  const zoned = isWholeDay(local)
    ? local.add({ days: 1 }).toZonedDateTime(timeZone)
    : local.toZonedDateTime(timeZone, { disambiguation: 'compatible' })
  return zoned.epochMilliseconds
}

function localOn(number: number, start: Local): Local {
  const date = Temporal.PlainDate.from(fromDay(number))
  return isWholeDay(start) ? date : date.toPlainDateTime(start.toPlainTime())
}

export const isWholeDay = (local: Local): local is Temporal.PlainDate => !('hour' in local)
const numberOf = ({ year, month, day }: { year: number; month: number; day: number }) => toDay(year, month, day)
const compareDays = (one: Parameters<typeof numberOf>[0], other: Parameters<typeof numberOf>[0]) =>
  numberOf(one) - numberOf(other)

/** Wall times by date and time of day; a whole day only by its date. */
export const compareLocal = (one: Local, other: Local): number =>
  isWholeDay(one) || isWholeDay(other) ? compareDays(one, other) : Temporal.PlainDateTime.compare(one, other)
