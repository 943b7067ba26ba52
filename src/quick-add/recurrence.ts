import type { Unit } from './languages/language.ts'
import {
  isWhole,
  ofUnit,
  readBody,
  readClause,
  readDaysOfMonth,
  readWeekdays,
  refusedWorkday,
  workdayPattern,
} from './recurrence-days.ts'
import type { RuleParts } from './rule.ts'
import type { Scan } from './scan.ts'
import { type Grammar, skipSpace } from './words.ts'

export interface Recurrence {
  readonly rule: RuleParts
  readonly from: 'expiry' | 'completion'
  /** The hour that the words imply: «every morning». */
  readonly hour?: number
  readonly count?: number
  /** «for 3 weeks», from the first occurrence on. */
  readonly during?: { readonly n: number; readonly unit: Unit }
  readonly start: number
  readonly end: number
}

/** Reads the first recurrence of the text, and takes it out. Its «until» is a date, and is read with the others. */
export function readRecurrence(scan: Scan, grammar: Grammar): Recurrence | undefined {
  const found = readInverted(scan, grammar) ?? readEvery(scan, grammar) ?? readAdverb(scan, grammar)
  if (!found) return undefined
  const words = grammar.language.recurrence
  let { start, end } = found
  let from = found.from
  const completion = grammar.at(`\\s*(?:${words.afterCompletion})`)
  completion.lastIndex = end
  const after = completion.exec(scan.work)
  if (after) {
    from = 'completion'
    end += after[0].length
  }
  start = grammar.before(grammar.language.prepositions).exec(scan.work.slice(0, start))?.index ?? start
  scan.take(start, end, 'recurrence')
  return { ...found, from, start, end, ...readEnd(scan, grammar, end) }
}

/** «for 10 times» and «for 3 weeks», anywhere after the recurrence. */
function readEnd(scan: Scan, grammar: Grammar, from: number): Pick<Recurrence, 'count' | 'during'> {
  const words = grammar.language.recurrence
  for (const match of scan.work.matchAll(grammar.find(words.times))) {
    const count = grammar.numberOf(match.groups?.n as string)
    if (match.index < from || !isWhole(count)) continue
    scan.take(match.index, match.index + match[0].length, 'recurrence')
    return { count }
  }
  for (const match of scan.work.matchAll(grammar.find(`(?:${words.during}) ?{n} ?{unit}`))) {
    const n = grammar.numberOf(match.groups?.n as string)
    const unit = grammar.unitOf(match.groups?.unit as string)
    if (match.index < from || !isWhole(n) || unit === 'minute' || unit === 'hour') continue
    scan.take(match.index, match.index + match[0].length, 'recurrence')
    return { during: { n, unit } }
  }
  return {}
}

type Found = Pick<Recurrence, 'rule' | 'from' | 'start' | 'end' | 'hour'>

function readEvery(scan: Scan, grammar: Grammar): Found | undefined {
  const words = grammar.language.recurrence
  const { work } = scan
  for (const [pattern, unit, interval] of words.phrases) {
    const [match] = work.matchAll(grammar.find(pattern))
    if (match)
      return { rule: ofUnit(unit, interval), from: 'expiry', start: match.index, end: match.index + match[0].length }
  }
  // The boundary comes after the «!», which may also be the full-width one.
  for (const match of work.matchAll(grammar.find(`(?:${words.every})(?<mark>[!！])?`))) {
    const position = skipSpace(work, match.index + match[0].length)
    const body = readBody(work, grammar, position)
    if (!body) continue
    if ('refused' in body) {
      scan.note('not_kept', body.refused, match.index, body.end)
      scan.protect(match.index, body.end)
      return undefined
    }
    return { ...body, from: match.groups?.mark ? 'completion' : 'expiry', start: match.index }
  }
  for (const match of work.matchAll(grammar.find(words.repeating))) {
    const after = skipSpace(work, match.index + match[0].length)
    const days = readWeekdays(work, grammar, match.index, 1) ?? readWeekdays(work, grammar, after, 1)
    if (days) return { ...days, from: 'expiry', start: match.index }
  }
  return undefined
}

/** «the 1st of every month», «last day of each month». */
function readInverted(scan: Scan, grammar: Grammar): Found | undefined {
  const { work } = scan
  const words = grammar.language.recurrence
  for (const match of work.matchAll(grammar.find(words.ofEveryMonth))) {
    const head = new RegExp(`(?<=^|\\s)(?:${words.on.replaceAll(' ', '\\s+')})$`, 'iu')
    const workday = grammar.before(workdayPattern(grammar)).exec(work.slice(0, match.index))
    if (workday) {
      const refused = refusedWorkday(work, grammar, workday.index)
      if (refused) scan.note('not_kept', refused.refused, workday.index, match.index + match[0].length)
      scan.protect(workday.index, match.index + match[0].length)
      continue
    }
    for (const pattern of [words.lastDay, '{ordinal} {anyWeekday}', '{markedDay}']) {
      const before = grammar.before(pattern).exec(work.slice(0, match.index))
      if (!before) continue
      const days = readDaysOfMonth(work, grammar, before.index)
      if (!days || 'refused' in days) continue
      const lead = head.exec(work.slice(0, before.index))
      const start = before.index - (lead?.[0].length ?? 0)
      return { rule: days.rule, from: 'expiry', start, end: match.index + match[0].length }
    }
  }
  return undefined
}

/** «monthly» is also an adjective. It counts where the text ends or pauses after it, or goes on with a day, a time or an end. */
function readAdverb(scan: Scan, grammar: Grammar): Found | undefined {
  const { work } = scan
  const { language } = grammar
  for (const [source, unit, interval] of language.recurrence.adverbs)
    for (const match of work.matchAll(grammar.find(source))) {
      if (grammar.before(language.articles).test(work.slice(0, match.index))) continue
      const plain = ofUnit(unit, interval)
      const end = match.index + match[0].length
      const clause = readClause(work, grammar, end, plain)
      if (clause) return { ...clause, from: 'expiry', start: match.index }
      const { until, starting, times, during, afterCompletion } = language.recurrence
      const goesOn = grammar.at(
        `\\s*(?:(?:${language.prepositions}|${until}|${starting}|${during}|${afterCompletion})(?= )|${times}|\\d{1,2} ?(?:[ap]m|uhr|h|:\\d\\d))`,
      )
      goesOn.lastIndex = end
      if (/^\s*(?:$|[,;:.!])/.test(work.slice(end)) || goesOn.test(work))
        return { rule: plain, from: 'expiry', start: match.index, end }
    }
  return undefined
}
