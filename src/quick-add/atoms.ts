import type { Chrono, ParsedResult } from 'chrono-node'
import type { Phrase } from './languages/language.ts'
import { type Scan, unreadable } from './scan.ts'
import type { Grammar } from './words.ts'

/** A day as the text names it. Which one it is follows from now: `resolve.ts`. */
export type Day =
  | { readonly kind: 'date'; readonly year: number | undefined; readonly month: number; readonly day: number }
  | { readonly kind: 'weekday'; readonly weekday: number; readonly isOfNextWeek: boolean; readonly hour?: number }
  | { readonly kind: 'dayOfMonth'; readonly day: number }
  | { readonly kind: 'month'; readonly month: number }
  | { readonly kind: 'span'; readonly n: number; readonly unit: 'days' | 'weeks' | 'months' | 'years' }
  | Extract<Phrase, { kind: 'days' | 'nextUnit' | 'weekend' | 'endOf' }>

export interface Time {
  readonly hour: number
  readonly minute: number
  readonly second: number
  /** Nothing says whether it is before or after noon. */
  readonly isAmbiguous: boolean
}

/** The smallest part of a date that has been read. */
export interface Atom {
  readonly start: number
  readonly end: number
  readonly day?: Day
  readonly time?: Time
  readonly part?: Extract<Phrase, { kind: 'part' }>
  /** Minutes from now. */
  readonly spanMinutes?: number
  /** A date-time that names its offset from UTC, in ms since 1970. */
  readonly at?: number
  /** Can be ordinary text, and needs support from its surroundings. */
  readonly isWeak: boolean
  /** A time that is also a duration: «2h» is an hour only beside a day. */
  readonly needsDay?: boolean
}

/** Read after chrono, because they may be a part of what it reads: the 24th of «Dec 24th». */
const lateKinds: ReadonlySet<Phrase['kind']> = new Set(['dayOfMonth', 'month'])

export function findAtoms(scan: Scan, grammar: Grammar, chrono: Chrono, today: Temporal.PlainDate): Atom[] {
  const atoms: Atom[] = []
  // Filled in as phrases are read, so that a longer one keeps its words from a shorter one, and chrono sees none of them.
  let rest = scan.work
  const add = (atom: Atom) => {
    atoms.push(atom)
    rest = rest.slice(0, atom.start) + ' '.repeat(atom.end - atom.start) + rest.slice(atom.end)
  }
  const addPhrases = (isLate: boolean) => {
    for (const { pattern, phrase, isWeak } of grammar.language.phrases) {
      if (lateKinds.has(phrase.kind) !== isLate) continue
      for (const match of rest.matchAll(grammar.find(pattern))) {
        const [start, end] = [match.index, match.index + match[0].length]
        if (isPast(scan, grammar, start)) continue
        const content = readPhrase(phrase, match.groups ?? {}, grammar)
        if (content) add({ start, end, isWeak: isWeak ?? false, ...content })
      }
    }
  }
  addPhrases(false)
  // No zone is given, and the reference is noon by the wall clock: so the fields are wall time in every zone that the process has.
  const reference = new Date(today.year, today.month - 1, today.day, 12)
  const { until, starting } = grammar.language.recurrence
  const separated = rest
    // «9am until 1 May» would be a range of hours.
    .replaceAll(grammar.find(`${until}|${starting}`), (word) => unreadable.repeat(word.length))
    // «le 3 à 14h» would be the hours from 3 to 14, and «el 3 a las 14» 3 a.m.
    .replaceAll(/(?<=\d )(?:à(?= ?\d)|a(?= las? ))/g, unreadable)
    // Chrono's Chinese dates take the cube of the length of a gap: 500 blanks cost 1.2 s, 20 ms in pieces.
    .replaceAll(/[\s|,，]{4,}/g, (gap) => ` ${unreadable.repeat(gap.length - 2)} `)
  for (const result of chrono.parse(separated, reference)) {
    const atom = readResult(result, scan, grammar)
    if (atom && !isPast(scan, grammar, atom.start)) add(atom)
  }
  addPhrases(true)
  addBareHours(atoms, rest, grammar)
  return atoms.filter((atom) => !isCounted(atom, scan, grammar)).sort((a, b) => a.start - b.start)
}

const isPast = (scan: Scan, grammar: Grammar, start: number) =>
  grammar.before(grammar.language.past).test(scan.work.slice(0, start))

/** «3/4 cup», «Chapter 12/20»: a number of something. */
function isCounted(atom: Atom, scan: Scan, grammar: Grammar): boolean {
  const text = scan.work.slice(atom.start, atom.end)
  if (/^\d/.test(text) && grammar.before(grammar.language.numberedNouns).test(scan.work.slice(0, atom.start)))
    return true
  if (!/\d(?:st|nd|rd|th|er|\.)?$/i.test(text)) return false
  const noun = grammar.at(`[\\s-]*(?:${grammar.language.countedNouns})`)
  noun.lastIndex = atom.end
  return noun.test(scan.work)
}

type Groups = Readonly<Record<string, string | undefined>>

function readPhrase(
  phrase: Phrase,
  groups: Groups,
  grammar: Grammar,
): Omit<Atom, 'start' | 'end' | 'isWeak'> | undefined {
  switch (phrase.kind) {
    case 'span':
      return readSpan(groups, grammar)
    case 'fixedSpan':
      return { spanMinutes: phrase.minutes }
    case 'weekday':
    case 'weekdayOfNextWeek': {
      const weekday = grammar.weekdayOf(groups.weekday as string)
      const hour = phrase.kind === 'weekday' ? phrase.hour : undefined
      const isOfNextWeek = phrase.kind === 'weekdayOfNextWeek'
      return { day: { kind: 'weekday', weekday, isOfNextWeek, ...(hour !== undefined && { hour }) } }
    }
    case 'dayOfMonth': {
      const day = Number(groups.day)
      return day >= 1 && day <= 31 ? { day: { kind: 'dayOfMonth', day } } : undefined
    }
    case 'numericDate': {
      const [month, day] = [Number(groups.m), Number(groups.day)]
      return isDate(2028, month, day) ? { day: { kind: 'date', year: undefined, month, day } } : undefined
    }
    case 'month':
      return { day: { kind: 'month', month: grammar.monthOf(groups.month as string) } }
    case 'time':
      return readTime(phrase, groups, grammar)
    case 'part':
      return { part: phrase }
    default:
      return { day: phrase }
  }
}

function readSpan(groups: Groups, grammar: Grammar): Omit<Atom, 'start' | 'end' | 'isWeak'> | undefined {
  const n = grammar.numberOf(groups.n as string)
  const unit = grammar.unitOf(groups.unit as string)
  const minutes = groups.n2 ? grammar.numberOf(groups.n2) : 0
  if (unit === 'hour') return { spanMinutes: n * 60 + minutes }
  if (minutes > 0 || !Number.isInteger(n)) return undefined
  if (unit === 'minute') return { spanMinutes: n }
  if (unit === 'quarter') return { day: { kind: 'span', n: n * 3, unit: 'months' } }
  return { day: { kind: 'span', n, unit: `${unit}s` as const } }
}

function readTime(
  phrase: Extract<Phrase, { kind: 'time' }>,
  groups: Groups,
  grammar: Grammar,
): { time: Time } | undefined {
  const named = groups.hour === undefined ? undefined : grammar.numberOf(groups.hour)
  const total = (named ?? phrase.hour ?? 0) * 60 + (phrase.minuteOffset ?? Number(groups.minute ?? 0))
  if (total < 0 || total > 24 * 60) return undefined
  const isAmbiguous = named !== undefined && named <= 12
  return { time: { hour: Math.floor(total / 60), minute: total % 60, second: 0, isAmbiguous } }
}

const isDate = (year: number, month: number, day: number) => {
  try {
    Temporal.PlainDate.from({ year, month, day }, { overflow: 'reject' })
    return true
  } catch {
    return false
  }
}

function readResult(result: ParsedResult, scan: Scan, grammar: Grammar): Atom | undefined {
  const { start: fields, end: endFields } = result
  if (endFields?.isCertain('day') && endFields.get('day') !== fields.get('day')) {
    const end = result.index + result.text.length
    scan.note('not_kept', 'A task has one date, so the range stays in the title.', result.index, end)
    return undefined
  }
  let { text } = result
  const zone = /(?<=\s|\d[ap]m)\(?([a-z]{2,5})\)?$/i.exec(text)
  if (zone && fields.isCertain('timezoneOffset')) {
    const [whole, name] = zone as unknown as [string, string]
    const end = result.index + text.length
    if (!/^(?:utc|gmt)$/i.test(name))
      scan.note(
        'zone_not_read',
        `«${name}» is not read as a time zone. Write one such as America/New_York.`,
        end - whole.length,
        end,
      )
    text = text.slice(0, -whole.length)
  }
  text = text.trimEnd()
  const end = result.index + text.length
  // Chrono's Chinese times begin with the blanks before them, and Spanish «a 9am» is also found in «Dentista 9am».
  const isCutWord = grammar.language.isSpaced && /[\p{L}\p{N}]$/u.test(scan.work.slice(0, result.index))
  const lead = (isCutWord ? /^\S*\s+/ : /^\s+/).exec(text)
  const start = result.index + (lead?.[0].length ?? 0)
  text = text.slice(start - result.index)
  if (grammar.language.isSpaced && !standsAlone(scan.work, start, end)) return undefined
  const day = readDay(result)
  const time = fields.isCertain('hour') ? readClock(result, text) : undefined
  if (!day && !time) return undefined
  if (
    time &&
    fields.isCertain('timezoneOffset') &&
    /(?:z|[+-]\d\d:?\d\d)$/i.test(text) &&
    day?.kind === 'date' &&
    day.year
  ) {
    const offsetMs = (fields.get('timezoneOffset') ?? 0) * 60_000
    const at = Date.UTC(day.year, day.month - 1, day.day, time.hour, time.minute, time.second) - offsetMs
    return { start, end, at, isWeak: false }
  }
  // 3/4 and 24/7 are more than dates, 12.5 is a number, and «at 5» may be the start of an address.
  const isWeak = time ? !day && /^\D*\d{1,2}$/.test(text) : /^\d{1,2}[/.-]\d{1,2}$/.test(text)
  const needsDay = !day && /^[1-6] ?h ?\d{0,2}$/i.test(text)
  return { start, end, isWeak, needsDay, ...(day && { day }), ...(time && { time }) }
}

function readDay(result: ParsedResult): Day | undefined {
  const { start: fields } = result
  if (!fields.isCertain('day') || !fields.isCertain('month')) return undefined
  const year = fields.isCertain('year') ? (fields.get('year') ?? undefined) : undefined
  const [month, day] = [fields.get('month') ?? 0, fields.get('day') ?? 0]
  if (!isDate(year ?? 2028, month, day) || (year !== undefined && (year < 1 || year > 9998))) return undefined
  return { kind: 'date', year, month, day }
}

function readClock(result: ParsedResult, text: string): Time {
  const { start: fields } = result
  const hour = fields.get('hour') ?? 0
  const isAmbiguous =
    !fields.isCertain('meridiem') &&
    hour >= 1 &&
    hour <= 12 &&
    !/(?:^|\D)0\d/.test(text.slice(text.search(/\d{1,2}(?=\D*$|:)/)))
  return { hour, minute: fields.get('minute') ?? 0, second: fields.get('second') ?? 0, isAmbiguous }
}

/** Not part of a file name, a version or an address. */
function standsAlone(work: string, start: number, end: number): boolean {
  return (
    !/[\p{L}\p{N}_#@/\\$€£.:+-]$/u.test(work.slice(0, start)) &&
    !/^(?:[\p{L}\p{N}_%°$€£\\]|['’]\p{L}|[-./@&:=+][\p{L}\p{N}])/u.test(work.slice(end))
  )
}

/** «tomorrow 9»: an hour right after a day, with nothing of a sentence behind it. */
function addBareHours(atoms: Atom[], rest: string, grammar: Grammar): void {
  if (!grammar.language.isSpaced) return
  for (const atom of [...atoms]) {
    if (atom.day?.kind !== 'days' && atom.day?.kind !== 'weekday') continue
    const match = /^\s+(\d{1,2})(?=\s*$|\s*[,;!?]|\s+\uFFFC)/.exec(rest.slice(atom.end))
    const hour = Number(match?.[1])
    if (!match || hour > 23) continue
    const end = atom.end + match[0].length
    const start = end - (match[1] as string).length
    if (atoms.some((other) => other.start < end && other.end > start)) continue
    atoms.push({
      start,
      end,
      isWeak: true,
      time: { hour, minute: 0, second: 0, isAmbiguous: hour >= 1 && hour <= 12 && !/^0/.test(match[1] as string) },
    })
  }
}
