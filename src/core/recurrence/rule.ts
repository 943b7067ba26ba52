import { nearest } from '../problem.ts'

/**
 * The recurrence rules that we offer: an RRULE value of RFC 5545 section 3.3.10 without parts for the time of day, with SKIP of RFC 7529.
 * Our own grammar, because libraries are lenient. rrule-temporal reads `COUNT=-1` as one occurrence, ignores `BYMONTHDAY=99`, and takes
 * a line break as the start of a second rule, all with its option `strict`.
 */
export interface Rule {
  readonly frequency: Frequency
  readonly interval: number
  /** At most one of `count` and `until`. */
  readonly count?: number
  readonly until?: Until
  /** 1 to 12. Every list is sorted and has each value once; an empty list means that the part is absent. */
  readonly byMonth: readonly number[]
  /** 1 to 31; -1 is the last day of the month. */
  readonly byMonthDay: readonly number[]
  readonly byDay: readonly ByDay[]
  readonly bySetPos: readonly number[]
  /** 1 is Monday, 7 Sunday. */
  readonly weekStart: number
  /** Where a day goes that its month does not have: the 31st in April. */
  readonly skip: Skip
}

export type Frequency = (typeof frequencies)[number]
export type Skip = (typeof skips)[number]

export interface ByDay {
  /** 1 is Monday, 7 Sunday. */
  readonly weekday: number
  /** 3 is the third such weekday of the month or year, -1 the last, 0 each. */
  readonly ordinal: number
}

/** The last date, wall time or instant (ms since 1970) at which the rule may happen. */
export type Until =
  | { readonly date: Temporal.PlainDate }
  | { readonly local: Temporal.PlainDateTime }
  | { readonly at: number }

/**
 * `invalid`: not a rule that we offer. `never`: the rule is well-formed, and has no occurrence. The message names the part, and is meant
 * for the caller.
 */
export class RuleError extends Error {
  readonly kind: 'invalid' | 'never'

  constructor(kind: RuleError['kind'], message: string) {
    super(message)
    this.name = 'RuleError'
    this.kind = kind
  }
}

export const maxRuleLength = 500
export const maxInterval = 1_000
export const maxCount = 10_000

const frequencies = ['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'] as const
const skips = ['OMIT', 'BACKWARD', 'FORWARD'] as const
const weekdays: readonly string[] = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU']

/** In canonical order. FREQ is first for the sake of RFC 2445, as RFC 5545 asks. */
const offered = [
  'FREQ',
  'INTERVAL',
  'COUNT',
  'UNTIL',
  'BYMONTH',
  'BYMONTHDAY',
  'BYDAY',
  'BYSETPOS',
  'WKST',
  'RSCALE',
  'SKIP',
] as const
type Part = (typeof offered)[number]
const notOffered = ['BYSECOND', 'BYMINUTE', 'BYHOUR', 'BYYEARDAY', 'BYWEEKNO']

const invalid = (message: string) => new RuleError('invalid', message)

/** Reads a rule, or throws a RuleError. Names and values may be in lower case (RFC 5545 section 2). */
export function parseRule(text: string): Rule {
  const parts = readParts(text)
  const frequency = readFrequency(parts.get('FREQ'))
  const count = parts.has('COUNT') ? readNumber('COUNT', parts.get('COUNT') as string, maxCount) : undefined
  const until = parts.has('UNTIL') ? readUntil(parts.get('UNTIL') as string) : undefined
  if (count !== undefined && until) throw invalid('COUNT and UNTIL exclude each other')
  const byMonth = readList(parts, 'BYMONTH', (one) => readNumber('BYMONTH', one, 12))
  const rule: Rule = {
    frequency,
    interval: readNumber('INTERVAL', parts.get('INTERVAL') ?? '1', maxInterval),
    ...(count !== undefined && { count }),
    ...(until && { until }),
    byMonth,
    byMonthDay: readList(parts, 'BYMONTHDAY', (one) => readSigned('BYMONTHDAY', one, 31)),
    byDay: readByDay(parts, frequency, byMonth),
    bySetPos: readList(parts, 'BYSETPOS', (one) => readSigned('BYSETPOS', one, 366)),
    weekStart: readWeekStart(parts.get('WKST') ?? 'MO'),
    skip: readSkip(parts),
  }
  checkTogether(rule)
  return rule
}

function readParts(text: string): Map<Part, string> {
  if (text === '') throw invalid('must not be empty')
  if (text.length > maxRuleLength) throw invalid(`must have at most ${maxRuleLength} characters`)
  if (!/^[\x21-\x7e]+$/.test(text)) throw invalid('must have neither spaces, line breaks nor characters outside ASCII')
  if (/^RRULE:/i.test(text)) throw invalid('must be the value alone, without «RRULE:»')
  const parts = new Map<Part, string>()
  for (const one of text.toUpperCase().split(';')) {
    const [, name, value] = /^([A-Z-]+)=(.+)$/.exec(one) ?? []
    if (name === undefined || value === undefined) throw invalid(`«${one}» must be a part such as FREQ=DAILY`)
    if (notOffered.includes(name)) throw invalid(`${name} is not offered`)
    const part = offered.find((known) => known === name)
    if (!part) throw invalid(unknownPart(name))
    if (parts.has(part)) throw invalid(`${part} must be given once`)
    parts.set(part, value)
  }
  return parts
}

function unknownPart(name: string): string {
  const meant = nearest(name, offered)
  return `${name} is not a part of a rule${meant ? `. Did you mean ${meant}?` : ''}`
}

function readFrequency(value: string | undefined): Frequency {
  if (value === undefined) throw invalid('FREQ is missing')
  const frequency = frequencies.find((known) => known === value)
  if (frequency) return frequency
  if (/^(HOUR|MINUTE|SECOND)LY$/.test(value)) throw invalid(`FREQ=${value} is not offered`)
  throw invalid(`FREQ=${value} must be one of ${frequencies.join(', ')}`)
}

function readNumber(part: Part, value: string, max: number): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : 0
  if (number >= 1 && number <= max) return number
  throw invalid(`${part}=${value} must lie between 1 and ${max}`)
}

/** 1 to max, or -max to -1: counted from the end. */
function readSigned(part: Part, value: string, max: number): number {
  const number = /^[+-]?\d{1,3}$/.test(value) ? Number(value) : 0
  if (number !== 0 && Math.abs(number) <= max) return number
  throw invalid(`${part}=${value} must lie between 1 and ${max}, or between -${max} and -1`)
}

function readList(parts: Map<Part, string>, part: Part, read: (one: string) => number): number[] {
  const values = parts.get(part)?.split(',').map(read) ?? []
  return [...new Set(values)].sort((one, other) => one - other)
}

function readByDay(parts: Map<Part, string>, frequency: Frequency, byMonth: readonly number[]): ByDay[] {
  const isOfYear = frequency === 'YEARLY' && byMonth.length === 0
  const days = new Map<string, ByDay>()
  for (const one of parts.get('BYDAY')?.split(',') ?? []) {
    const [, ordinal, name] = /^([+-]?\d{1,2})?([A-Z]{2})$/.exec(one) ?? []
    const weekday = weekdays.indexOf(name ?? '') + 1
    if (weekday === 0) throw invalid(`BYDAY=${one} must be a weekday (${weekdays.join(', ')}), such as MO or 3FR`)
    if (ordinal !== undefined && (frequency === 'DAILY' || frequency === 'WEEKLY'))
      throw invalid(`BYDAY=${one} may have a number with FREQ=MONTHLY or YEARLY only`)
    const max = isOfYear ? 53 : 5
    if (ordinal !== undefined && (Number(ordinal) === 0 || Math.abs(Number(ordinal)) > max))
      throw invalid(`BYDAY=${one} must have a number between 1 and ${max}, or between -${max} and -1`)
    const day = { weekday, ordinal: Number(ordinal ?? 0) }
    days.set(formatByDay(day), day)
  }
  return [...days.values()].sort((one, other) => one.ordinal - other.ordinal || one.weekday - other.weekday)
}

function readWeekStart(value: string): number {
  const weekday = weekdays.indexOf(value) + 1
  if (weekday === 0) throw invalid(`WKST=${value} must be one of ${weekdays.join(', ')}`)
  return weekday
}

function readSkip(parts: Map<Part, string>): Skip {
  const scale = parts.get('RSCALE')
  if (scale !== undefined && scale !== 'GREGORIAN') throw invalid(`RSCALE=${scale} is not offered, only GREGORIAN`)
  const value = parts.get('SKIP') ?? 'OMIT'
  // RFC 7529 section 4.
  if (parts.has('SKIP') && scale === undefined) throw invalid('SKIP must come with RSCALE=GREGORIAN')
  const skip = skips.find((known) => known === value)
  if (!skip) throw invalid(`SKIP=${value} must be one of ${skips.join(', ')}`)
  return skip
}

function readUntil(value: string): Until {
  const [, date, time, zulu] = /^(\d{8})(?:T(\d{6})(Z)?)?$/.exec(value) ?? []
  try {
    if (date === undefined || date < '0001') throw new RangeError('no date')
    // Temporal reads the 60th second as the 59th.
    if (time?.endsWith('60')) throw new RangeError('no second')
    if (time === undefined) return { date: Temporal.PlainDate.from(date) }
    const local = Temporal.PlainDateTime.from(`${date}T${time}`)
    return zulu === undefined ? { local } : { at: local.toZonedDateTime('UTC').epochMilliseconds }
  } catch {
    throw invalid(`UNTIL=${value} must be a date or a date and time, such as 20270301 or 20270301T090000Z`)
  }
}

/** RFC 5545 section 3.3.10: which parts may stand beside each other. */
function checkTogether({ frequency, byMonth, byMonthDay, byDay, bySetPos, skip }: Rule): void {
  if (frequency === 'WEEKLY' && byMonthDay.length > 0) throw invalid('BYMONTHDAY is not allowed with FREQ=WEEKLY')
  if (bySetPos.length > 0 && byMonth.length + byMonthDay.length + byDay.length === 0)
    throw invalid('BYSETPOS must come with BYMONTH, BYMONTHDAY or BYDAY')
  // Such a day would lie before its month. RFC 7529 does not define what is forward of it.
  const tooEarly = byMonthDay.find((day) => day < -28)
  if (skip !== 'OMIT' && tooEarly !== undefined)
    throw invalid(`BYMONTHDAY=${tooEarly} is not offered with SKIP=${skip}; count from the first day instead`)
}

const formatByDay = ({ weekday, ordinal }: ByDay) => `${ordinal === 0 ? '' : ordinal}${weekdays[weekday - 1]}`

/**
 * The canonical text: parts in one order, lists sorted, without what is the default. Two rules with the same canonical text have the
 * same occurrences. The text that the caller gave is what is stored and shown.
 */
export function formatRule(rule: Rule): string {
  const isSkipping = rule.skip !== 'OMIT'
  const values: Record<Part, string | number | undefined> = {
    FREQ: rule.frequency,
    INTERVAL: rule.interval === 1 ? undefined : rule.interval,
    COUNT: rule.count,
    UNTIL: rule.until && formatUntil(rule.until),
    BYMONTH: rule.byMonth.join(','),
    BYMONTHDAY: rule.byMonthDay.join(','),
    BYDAY: rule.byDay.map(formatByDay).join(','),
    BYSETPOS: rule.bySetPos.join(','),
    WKST: rule.weekStart === 1 ? undefined : weekdays[rule.weekStart - 1],
    RSCALE: isSkipping ? 'GREGORIAN' : undefined,
    SKIP: isSkipping ? rule.skip : undefined,
  }
  return offered
    .filter((part) => values[part] !== undefined && values[part] !== '')
    .map((part) => `${part}=${values[part]}`)
    .join(';')
}

function formatUntil(until: Until): string {
  const digits = (value: { toString(): string }) => value.toString().replaceAll(/[-:]/g, '')
  if ('date' in until) return digits(until.date)
  if ('local' in until) return digits(until.local)
  return `${digits(Temporal.Instant.fromEpochMilliseconds(until.at).toZonedDateTimeISO('UTC').toPlainDateTime())}Z`
}
