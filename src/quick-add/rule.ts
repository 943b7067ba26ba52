/** The parts of an RFC 5545 rule that words can say. Weekdays count from 1, Monday; `nth` is -1 for the last of a month. */
export interface RuleParts {
  readonly frequency: 'DAILY' | 'WEEKLY' | 'MONTHLY' | 'YEARLY'
  readonly interval: number
  readonly month?: number
  readonly monthDays?: readonly number[]
  readonly weekdays?: readonly number[]
  readonly nth?: number
}

export type RuleEnd = { readonly count: number } | { readonly until: Temporal.PlainDate }

const codes = ['', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU']

/** A day that some months lack means their last one, as RFC 7529 can say it. Without SKIP those months are left out. */
const needsSkip = (rule: RuleParts) => rule.monthDays?.some((day) => day > 28) ?? false

/**
 * The rule as text. A task with a time gets an UNTIL that is local time: a bare date would be the midnight before that day's
 * occurrence.
 */
export function formatRule(rule: RuleParts, end: RuleEnd | undefined, hasTime: boolean): string {
  const parts = needsSkip(rule) ? ['RSCALE=GREGORIAN', `FREQ=${rule.frequency}`] : [`FREQ=${rule.frequency}`]
  if (rule.interval > 1) parts.push(`INTERVAL=${rule.interval}`)
  if (rule.month) parts.push(`BYMONTH=${rule.month}`)
  if (rule.monthDays) parts.push(`BYMONTHDAY=${rule.monthDays.join(',')}`)
  if (rule.weekdays) parts.push(`BYDAY=${rule.weekdays.map((day) => `${rule.nth ?? ''}${codes[day]}`).join(',')}`)
  if (end && 'count' in end) parts.push(`COUNT=${end.count}`)
  if (end && 'until' in end) parts.push(`UNTIL=${end.until.toString().replaceAll('-', '')}${hasTime ? 'T235959' : ''}`)
  if (needsSkip(rule)) parts.push('SKIP=BACKWARD')
  return parts.join(';')
}

/**
 * The first day of the rule from `from` on. The interval plays no part: it counts from this day. At most eight years are searched,
 * the longest that 29 February can be away; every rule that words can say has a day in them.
 */
export function firstDay(rule: RuleParts, from: Temporal.PlainDate): Temporal.PlainDate {
  let day = from
  for (let count = 0; count < 8 * 366; count += 1) {
    if (isDayOf(rule, day)) return day
    day = day.add({ days: 1 })
  }
  return from
}

function isDayOf(rule: RuleParts, date: Temporal.PlainDate): boolean {
  if (rule.month !== undefined && rule.month !== date.month) return false
  if (rule.monthDays) {
    const days = rule.monthDays.map((day) => (day < 0 ? date.daysInMonth + 1 + day : Math.min(day, date.daysInMonth)))
    if (!days.includes(date.day)) return false
  }
  if (!rule.weekdays) return true
  if (!rule.weekdays.includes(date.dayOfWeek)) return false
  if (rule.nth === undefined) return true
  return rule.nth > 0 ? Math.ceil(date.day / 7) === rule.nth : date.day + 7 > date.daysInMonth
}
