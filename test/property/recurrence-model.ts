import type { Rule } from '#core/recurrence/rule.ts'

/**
 * A model of RFC 5545 section 3.3.10 and RFC 7529 that goes through the calendar day by day: every day of the span is put into its
 * period, and asked whether it matches. It is slow, and as close to the text of the RFCs as possible. Days are numbers since 1970.
 */
const dayMs = 86_400_000

interface Day {
  readonly number: number
  readonly year: number
  readonly month: number
  readonly day: number
  readonly weekday: number
  readonly daysInMonth: number
}

function dayOf(number: number): Day {
  const date = new Date(number * dayMs)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + 1]
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate()
  return { number, year, month, day: date.getUTCDate(), weekday: date.getUTCDay() || 7, daysInMonth }
}

/** The days of the rule from its start until a day, without COUNT and UNTIL. */
export function modelDays(rule: Rule, start: number, last: number): number[] {
  const first = dayOf(start)
  const periodOf = ({ number, year, month }: Day) => {
    if (rule.frequency === 'DAILY') return number
    // 1970-01-05 was a Monday.
    if (rule.frequency === 'WEEKLY') return Math.floor((number - 4 - (rule.weekStart - 1)) / 7)
    return rule.frequency === 'MONTHLY' ? year * 12 + month : year
  }
  const periods = new Map<number, number[]>()
  // Whole periods, because BYSETPOS counts from both of their ends.
  for (let number = start - 370; number <= last + 370; number++) {
    const day = dayOf(number)
    const distance = periodOf(day) - periodOf(first)
    if (distance < 0 || distance % rule.interval !== 0) continue
    const days = periods.get(periodOf(day)) ?? []
    periods.set(periodOf(day), days)
    days.push(...matchesOn(rule, first, day))
  }
  const found = new Set<number>()
  for (const days of periods.values()) {
    const sorted = [...new Set(days)].sort((one, other) => one - other)
    const { bySetPos } = rule
    const chosen = sorted.filter((_, i) => bySetPos.includes(i + 1) || bySetPos.includes(i - sorted.length))
    for (const day of bySetPos.length > 0 ? chosen : sorted) if (day >= start && day <= last) found.add(day)
  }
  return [...found].sort((one, other) => one - other)
}

/** The days that a day of the calendar results in: itself, and days that SKIP moves to it or from it. */
function matchesOn(rule: Rule, first: Day, day: Day): number[] {
  const { frequency, byMonth, byMonthDay, byDay, skip } = rule
  if (byMonth.length > 0 && !byMonth.includes(day.month)) return []
  if (frequency === 'DAILY' || frequency === 'WEEKLY') {
    const weekdays = byDay.map(({ weekday }) => weekday)
    if (frequency === 'WEEKLY' && byDay.length === 0) weekdays.push(first.weekday)
    if (weekdays.length > 0 && !weekdays.includes(day.weekday)) return []
    return byMonthDay.length === 0 || isOneOf(byMonthDay, day) ? [day.number] : []
  }
  const isOnDayOfStart = byMonthDay.length === 0 && byDay.length === 0
  if (frequency === 'YEARLY' && isOnDayOfStart && byMonth.length === 0 && day.month !== first.month) return []
  const monthDays = isOnDayOfStart ? [first.day] : byMonthDay
  const isMissing = monthDays.some((one) => one > day.daysInMonth)
  const isLast = day.day === day.daysInMonth
  const days: number[] = []
  if (monthDays.length === 0 || isOneOf(monthDays, day)) days.push(day.number)
  if (isMissing && isLast && skip === 'BACKWARD') days.push(day.number)
  if (isMissing && isLast && skip === 'FORWARD') days.push(day.number + 1)
  return days.filter((one) => byDay.length === 0 || byDay.some((by) => isNth(rule, by, dayOf(one))))
}

const isOneOf = (monthDays: readonly number[], { day, daysInMonth }: Day) =>
  monthDays.includes(day) || monthDays.includes(day - daysInMonth - 1)

function isNth({ frequency, byMonth }: Rule, { weekday, ordinal }: Rule['byDay'][number], day: Day): boolean {
  if (weekday !== day.weekday) return false
  if (ordinal === 0) return true
  const isOfYear = frequency === 'YEARLY' && byMonth.length === 0
  const scopeOf = (other: Day) => (isOfYear ? other.year : other.year * 12 + other.month)
  let [before, after] = [0, 0]
  while (scopeOf(dayOf(day.number - 7 * (before + 1))) === scopeOf(day)) before++
  while (scopeOf(dayOf(day.number + 7 * (after + 1))) === scopeOf(day)) after++
  return ordinal === before + 1 || ordinal === -(after + 1)
}
