import type { Plural, RecurrenceLanguage } from './language.ts'
import { english } from './language-en.ts'
import { type ByDay, formatRule, type Rule, type Until } from './rule.ts'

export interface DescribeOptions {
  /** Where the date of an UNTIL in UTC is read. */
  readonly timeZone: string
  readonly from: 'expiry' | 'completion'
  readonly language?: RecurrenceLanguage
}

/** A rule in plain words, for the shapes that people use: «every 2 weeks on Monday». Any other is the rule itself. */
export function describeRule(rule: Rule, { timeZone, from, language = english }: DescribeOptions): string {
  const isPlain = rule.byMonth.length + rule.byMonthDay.length + rule.byDay.length === 0
  if (from === 'completion' && isPlain) {
    const after = plural(language, language.afterCompletion[rule.frequency], rule.interval)
    return withEnd(language, rule, withSkip(language, rule, after), timeZone)
  }
  const days = describeDays(language, rule)
  const text = days === null ? formatRule(rule) : withEnd(language, rule, withSkip(language, rule, days), timeZone)
  return from === 'completion' ? fill(language.fromCompletion, { text }) : text
}

/** The rule without its end, or null if it has none of the known shapes. */
function describeDays(language: RecurrenceLanguage, rule: Rule): string | null {
  const { frequency, interval, byMonth, byMonthDay, byDay, bySetPos } = rule
  const every = plural(language, language.every[frequency], interval)
  if (byMonth.length + byMonthDay.length + byDay.length === 0) return every
  if (frequency === 'DAILY' || frequency === 'WEEKLY') {
    if (byMonth.length + byMonthDay.length + bySetPos.length > 0) return null
    if (interval === 1 && isWorkingDays(byDay)) return language.everyWorkingDay
    if (frequency === 'DAILY') return null
    return fill(language.onWeekdays, { every, list: list(language, byDay.map(weekdayOf(language))) })
  }
  const positions = describePositions(language, rule)
  if (!positions) return null
  if (frequency === 'MONTHLY')
    return byMonth.length > 0 ? null : fill(language.onPositions, { every, list: list(language, positions) })
  const [month, ...otherMonths] = byMonth
  if (month === undefined && byMonthDay.length === 0)
    return fill(language.onPositions, { every, list: list(language, positions) })
  if (month === undefined || otherMonths.length > 0) return null
  const named = { every, month: language.months[month - 1] as string }
  const [day, ...otherDays] = byMonthDay
  if (day !== undefined && day > 0 && otherDays.length === 0) return fill(language.onDate, { ...named, day })
  return fill(language.onPositionsOfMonth, { ...named, list: list(language, positions) })
}

/** «1st», «last day», «3rd Friday», «last weekday». */
function describePositions(language: RecurrenceLanguage, rule: Rule): string[] | null {
  const { byMonthDay, byDay, bySetPos } = rule
  if (byMonthDay.length > 0) {
    if (byDay.length + bySetPos.length > 0) return null
    const sorted = [...byMonthDay].sort((one, other) => Number(one < 0) - Number(other < 0) || one - other)
    return sorted.map((day) => (day > 0 ? ordinalOf(language, day) : positionOf(language, day, language.day)))
  }
  if (bySetPos.length === 0) {
    if (byDay.length === 0 || byDay.some(({ ordinal }) => ordinal === 0)) return null
    return byDay.map((day) => positionOf(language, day.ordinal, weekdayOf(language)(day)))
  }
  const [only, ...others] = byDay
  if (!only || byDay.some(({ ordinal }) => ordinal !== 0)) return null
  if (others.length > 0 && !isWorkingDays(byDay)) return null
  const noun = others.length > 0 ? language.workingDay : weekdayOf(language)(only)
  return bySetPos.map((position) => positionOf(language, position, noun))
}

const isWorkingDays = (byDay: readonly ByDay[]) =>
  byDay.map(({ weekday, ordinal }) => (ordinal === 0 ? weekday : 0)).join() === '1,2,3,4,5'

const weekdayOf =
  (language: RecurrenceLanguage) =>
  ({ weekday }: ByDay) =>
    language.weekdays[weekday - 1] as string

function positionOf(language: RecurrenceLanguage, position: number, noun: string): string {
  if (position === -1) return fill(language.last, { noun })
  const ordinal = ordinalOf(language, Math.abs(position))
  return fill(position > 0 ? language.nth : language.nthLast, { ordinal, noun })
}

/** Whether SKIP can move a day at all: only where the rule, or its start, names one after the 28th. */
function withSkip(language: RecurrenceLanguage, { frequency, skip, byMonthDay, byDay }: Rule, text: string): string {
  if (frequency === 'DAILY' || frequency === 'WEEKLY') return text
  const isNamed = byMonthDay.some((day) => day > 28) || byMonthDay.length + byDay.length === 0
  return isNamed ? fill(language.skip[skip], { text }) : text
}

function withEnd(language: RecurrenceLanguage, { count, until }: Rule, text: string, timeZone: string): string {
  if (count !== undefined) return fill(plural(language, language.times, count), { text })
  if (!until) return text
  const { day, month, year } = dateOf(until, timeZone)
  return fill(language.until, { text, day, month: language.months[month - 1] as string, year })
}

function dateOf(until: Until, timeZone: string): { day: number; month: number; year: number } {
  if ('date' in until) return until.date
  if ('local' in until) return until.local
  return Temporal.Instant.fromEpochMilliseconds(until.at).toZonedDateTimeISO(timeZone)
}

function plural({ locale }: RecurrenceLanguage, forms: Plural, n: number): string {
  return fill(forms[new Intl.PluralRules(locale).select(n)] ?? forms.other, { n })
}

function ordinalOf({ locale, ordinal }: RecurrenceLanguage, n: number): string {
  return fill(ordinal[new Intl.PluralRules(locale, { type: 'ordinal' }).select(n)] ?? ordinal.other, { n })
}

const list = ({ locale }: RecurrenceLanguage, items: readonly string[]) => new Intl.ListFormat(locale).format(items)

/** Leaves names in the template that have no value. */
function fill(template: string, values: Readonly<Record<string, string | number>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (name, key: string) => String(values[key] ?? name))
}
