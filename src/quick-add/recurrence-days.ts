import type { Unit } from './languages/language.ts'
import type { RuleParts } from './rule.ts'
import { type Grammar, skipSpace } from './words.ts'

/** A part of a recurrence at a position of the text: its rule, or why no rule can keep it. */
type Body =
  | { readonly rule: RuleParts; readonly end: number; readonly hour?: number }
  | { readonly refused: string; readonly end: number }

const everyDayOfWeek = { workingDays: [1, 2, 3, 4, 5], weekend: [6, 7] } as const

/** Reads the part after «every». */
export function readBody(work: string, grammar: Grammar, position: number): Body | undefined {
  const words = grammar.language.recurrence
  const at = (pattern: string) => match(grammar, work, pattern, position)
  const refused = at(`(?:\\d{1,2}(?:\\.|st|nd|rd|th|e|ème|[ºª])?|{ordinal}) (?:${words.workday})${words.ofMonth}`)
  if (refused)
    return {
      refused: `«${refused.text}» is not kept: a workday of a month depends on the holidays. Write a day or a weekday.`,
      end: refused.end,
    }
  const days = at(words.workingDays)
  if (days) return { rule: weekly(everyDayOfWeek.workingDays), end: days.end }
  const part = partOf(grammar, work, position)
  if (part) return part
  const weekend = at(words.weekend)
  if (weekend) return { rule: weekly(everyDayOfWeek.weekend), end: weekend.end }
  return (
    readOther(work, grammar, position) ??
    readWeekdays(work, grammar, position, 1) ??
    readInterval(work, grammar, position) ??
    readMonthDay(work, grammar, position) ??
    readDaysOfMonth(work, grammar, position)
  )
}

/** «other Friday», «second Friday»: every two weeks, unless the month is named. «2nd Friday» is one of the month. */
function readOther(work: string, grammar: Grammar, position: number): Body | undefined {
  const { other, ofMonth } = grammar.language.recurrence
  const head = match(grammar, work, `(?:${other})`, position)
  const days = head && readWeekdays(work, grammar, skipSpace(work, head.end), 2)
  return days && !match(grammar, work, ofMonth, days.end)?.text ? days : undefined
}

export const workdayPattern = ({ language }: Grammar) =>
  `(?:第?\\d{1,2}个?(?:\\.|st|nd|rd|th|e|ème|[ºª])?|{ordinal}) ?(?:${language.recurrence.workday})${language.recurrence.ofMonth}`

/** «15th workday». */
export function refusedWorkday(
  work: string,
  grammar: Grammar,
  position: number,
): { refused: string; end: number } | undefined {
  const found = match(grammar, work, workdayPattern(grammar), position)
  if (!found) return undefined
  const refused = `«${found.text.trim()}» is not kept: a workday of a month depends on the holidays. Write a day or a weekday.`
  return { refused, end: found.end }
}

function afterOn(work: string, grammar: Grammar, from: number): number {
  const on = new RegExp(`\\s*(?:${grammar.language.recurrence.on.replaceAll(' ', '\\s+')})`, 'yiu')
  on.lastIndex = from
  return on.test(work) ? on.lastIndex : from
}

/** «3 weeks», «other Friday», «2 weeks on Monday». */
function readInterval(work: string, grammar: Grammar, position: number): Body | undefined {
  const words = grammar.language.recurrence
  const head = match(grammar, work, `(?:(?<other>${words.other})|{ordinal}|{n})`, position)
  const interval = head?.groups.other
    ? 2
    : head?.groups.ordinal
      ? grammar.ordinalOf(head.groups.ordinal)
      : head?.groups.n
        ? grammar.numberOf(head.groups.n)
        : 1
  // «first» counts no interval: «every first Monday».
  if (!isWhole(interval) || (head?.groups.ordinal && interval === 1)) return undefined
  for (const start of head ? [skipSpace(work, head.end), position] : [position]) {
    const n = start === position ? 1 : interval
    const unit = match(grammar, work, '{unit}', start)
    if (unit) {
      const name = grammar.unitOf(unit.groups.unit as string)
      if (name === 'minute' || name === 'hour')
        return {
          refused: `«${work.slice(position, unit.end).trim()}» is not kept: a task repeats at most daily.`,
          end: unit.end,
        }
      const rule = ofUnit(name, n)
      const refused = refusedWorkday(work, grammar, afterOn(work, grammar, unit.end))
      if (refused) return refused
      const clause = readClause(work, grammar, unit.end, rule)
      return clause ?? { rule, end: unit.end }
    }
    const days = start === position || !head?.groups.n ? undefined : readWeekdays(work, grammar, start, n)
    if (days) return days
  }
  return undefined
}

/** The days of a week, month or year: «on Monday», «on the 1st», «on the last day», «on 1 March». */
export function readClause(
  work: string,
  grammar: Grammar,
  from: number,
  plain: RuleParts,
): { rule: RuleParts; end: number } | undefined {
  const position = afterOn(work, grammar, from)
  const days =
    plain.frequency === 'WEEKLY'
      ? readWeekdays(work, grammar, position, plain.interval)
      : plain.frequency === 'MONTHLY'
        ? readDaysOfMonth(work, grammar, position)
        : plain.frequency === 'YEARLY'
          ? (readMonthDay(work, grammar, position) ?? readDaysOfMonth(work, grammar, position))
          : undefined
  if (!days || 'refused' in days) return undefined
  if (plain.frequency === 'YEARLY' && days.rule.frequency !== 'YEARLY') return undefined
  return { rule: { ...days.rule, interval: plain.interval }, end: days.end }
}

export function readWeekdays(
  work: string,
  grammar: Grammar,
  position: number,
  interval: number,
): { rule: RuleParts; end: number } | undefined {
  const { and } = grammar.language.recurrence
  const range = match(
    grammar,
    work,
    `(?<first>{anyWeekday}) ?(?:${grammar.language.rangeTo}) ?(?<last>{anyWeekday})`,
    position,
  )
  if (range) {
    const [first, last] = [range.groups.first, range.groups.last].map((day) => grammar.weekdayOf(day as string))
    const days = [1, 2, 3, 4, 5, 6, 7].filter((day) =>
      (first as number) <= (last as number)
        ? day >= (first as number) && day <= (last as number)
        : day >= (first as number) || day <= (last as number),
    )
    return { rule: { frequency: 'WEEKLY', interval, weekdays: days }, end: range.end }
  }
  const list = match(grammar, work, `{anyWeekday}(?:${and}{anyWeekday})*`, position)
  if (!list) return undefined
  const days = Array.from(list.text.matchAll(grammar.find('{anyWeekday}')), ([day]) => grammar.weekdayOf(day))
  const rule = { frequency: 'WEEKLY', interval, weekdays: [...new Set(days)].sort() } as const
  return { rule, end: list.end }
}

/** «3rd Friday», «last day», «1st and 15th»; with a month it repeats yearly. */
export function readDaysOfMonth(
  work: string,
  grammar: Grammar,
  position: number,
): { rule: RuleParts; end: number } | undefined {
  const { ofMonth, lastDay, and } = grammar.language.recurrence
  const nth = match(grammar, work, '{ordinal} ?(?<anyWeekday>{anyWeekday})', position)
  if (nth) {
    const days = {
      weekdays: [grammar.weekdayOf(nth.groups.anyWeekday as string)],
      nth: grammar.ordinalOf(nth.groups.ordinal as string),
    }
    const month = match(grammar, work, '\\s+(?:of|in|im|de) {month}', nth.end)
    if (month)
      return {
        rule: { frequency: 'YEARLY', interval: 1, month: grammar.monthOf(month.groups.month as string), ...days },
        end: month.end,
      }
    return {
      rule: { frequency: 'MONTHLY', interval: 1, ...days },
      end: match(grammar, work, ofMonth, nth.end)?.end ?? nth.end,
    }
  }
  const last = match(grammar, work, `(?:${lastDay})${ofMonth}`, position)
  if (last) return { rule: { frequency: 'MONTHLY', interval: 1, monthDays: [-1] }, end: last.end }
  const one = grammar.language.markedDay.replaceAll('?<day>', '?:')
  const list = match(grammar, work, `${one}(?:${and}${one})*${ofMonth}`, position)
  const days = list && [...new Set(Array.from(list.text.matchAll(/\d+/g), Number))].sort((a, b) => a - b)
  if (!list || !days?.every((day) => day >= 1 && day <= 31)) return undefined
  return { rule: { frequency: 'MONTHLY', interval: 1, monthDays: days }, end: list.end }
}

/** «1 March», «March 1»; a month alone is its first day. */
function readMonthDay(work: string, grammar: Grammar, position: number): { rule: RuleParts; end: number } | undefined {
  for (const pattern of [...grammar.language.recurrence.monthDay, '{month}']) {
    const found = match(grammar, work, pattern, position)
    if (!found) continue
    const month = found.groups.m ? Number(found.groups.m) : grammar.monthOf(found.groups.month as string)
    const day = Number(found.groups.day ?? 1)
    if (day < 1 || day > daysOf(month)) continue
    return { rule: { frequency: 'YEARLY', interval: 1, month, monthDays: [day] }, end: found.end }
  }
  return undefined
}

/** «every morning». */
function partOf(grammar: Grammar, work: string, position: number): Body | undefined {
  for (const [source, hour] of grammar.language.recurrence.parts) {
    const found = match(grammar, work, source, position)
    if (found) return { rule: ofUnit('day', 1), hour, end: found.end }
  }
  return undefined
}

interface Match {
  readonly text: string
  readonly end: number
  readonly groups: Readonly<Record<string, string | undefined>>
}

function match(grammar: Grammar, work: string, pattern: string, position: number): Match | undefined {
  const form = grammar.at(pattern)
  form.lastIndex = position
  const found = form.exec(work)
  return found ? { text: found[0], end: position + found[0].length, groups: found.groups ?? {} } : undefined
}

export function ofUnit(unit: Unit, interval: number): RuleParts {
  if (unit === 'quarter') return { frequency: 'MONTHLY', interval: 3 * interval }
  const frequency = ({ day: 'DAILY', week: 'WEEKLY', month: 'MONTHLY', year: 'YEARLY' } as const)[unit as 'day']
  return { frequency, interval }
}

const weekly = (weekdays: readonly number[]): RuleParts => ({ frequency: 'WEEKLY', interval: 1, weekdays })
/** An interval or a count. More than 999 is a typing error. */
export const isWhole = (n: number) => Number.isInteger(n) && n >= 1 && n <= 999
const daysOf = (month: number) => Temporal.PlainYearMonth.from({ year: 2028, month }).daysInMonth
