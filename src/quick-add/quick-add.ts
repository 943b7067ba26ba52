import type { Chrono } from 'chrono-node'
import { parseTimeZone } from '#core/date-time.ts'
import { limits, type Priority } from '#core/task.ts'
import { type Atom, findAtoms, type Time } from './atoms.ts'
import { type Cluster, findClusters } from './clusters.ts'
import type { Language } from './languages/language.ts'
import { languageOf } from './languages/language-of.ts'
import { type Recurrence, readRecurrence } from './recurrence.ts'
import { atTime, clockOf, type Expiry, type Now, resolveExpiry } from './resolve.ts'
import { firstDay, formatRule, type RuleEnd } from './rule.ts'
import { createScan, type Note, type Scan, type Span } from './scan.ts'
import { titleOf } from './title.ts'
import { protectText, readPriority, readReminders, readTags } from './tokens.ts'
import { type Grammar, grammarOf } from './words.ts'

export type { Field, Note, Span } from './scan.ts'

/** Longer texts are refused. */
export const maxTextCharacters = limits.textCharacters

export interface QuickAddOptions {
  /** Ms since 1970. */
  readonly now: number
  /** The user's zone, an IANA name. */
  readonly timeZone: string
  /** A BCP 47 tag. English when absent or unknown; `en-GB` reads 5/6 as 5 June, `en` and `en-US` as 6 May. */
  readonly language?: string
}

/** The members of a task as the API has them. A member that the text does not set is absent. */
export interface QuickAddTask {
  title: string
  /** Local time in the zone, `2027-03-14T09:00`, or an instant that ends in Z where the text counts from now or names an offset. */
  expiry_dt?: string
  /** A day without a time. */
  expiry_date?: string
  /** Only a zone that the text names. */
  time_zone?: string
  recurrence?: { rule: string; from: 'expiry' | 'completion' }
  tags?: string[]
  priority?: Priority
  /** ISO 8601 leads before the expiry. */
  reminders?: string[]
}

export interface QuickAdd {
  readonly task: QuickAddTask
  /** In order, without overlaps. Offsets are UTF-16 code units. The title is the text without them. */
  readonly spans: readonly Span[]
  readonly notes: readonly Note[]
}

export interface QuickAddError {
  readonly error: { readonly code: 'text_too_long'; readonly message: string }
}

/** Reads a task in words. Pure: the same arguments give the same result, on a server and in a browser. */
export function parseQuickAdd(text: string, options: QuickAddOptions): QuickAdd | QuickAddError {
  // Compared first, because counting the characters of a very long text is work of its own.
  if (text.length > 2 * maxTextCharacters || [...text].length > maxTextCharacters)
    return { error: { code: 'text_too_long', message: `text must have at most ${maxTextCharacters} characters` } }
  const { language, isDayFirst } = languageOf(options.language ?? 'en')
  const languages = language === languageOf('en').language ? [language] : [language, languageOf('en').language]
  const scan = createScan(text)
  protectText(scan, language)
  const tags = readTags(scan)
  const priority = readPriority(scan, languages)
  const reminders = readReminders(scan, languages)
  const dates = readDates(scan, grammarOf(language), chronoOf(language, isDayFirst), options)
  scan.tidy()
  const { spans } = scan
  const title = titleOf(text, spans)
  if (title === '') scan.note('no_title', 'The text has no title.', 0, text.length)
  return {
    task: {
      title,
      ...dates,
      ...(tags.length > 0 && { tags }),
      ...(priority && { priority }),
      ...(reminders.length > 0 && { reminders }),
    },
    spans,
    notes: scan.notes,
  }
}

const chronos = new Map<Language, Map<boolean, Chrono>>()

/** Made at the first text of a language, because it costs about a millisecond. */
function chronoOf(language: Language, isDayFirst: boolean): Chrono {
  let made = chronos.get(language)
  if (!made) {
    made = new Map()
    chronos.set(language, made)
  }
  let chrono = made.get(isDayFirst)
  if (!chrono) {
    chrono = language.createChrono(isDayFirst)
    made.set(isDayFirst, chrono)
  }
  return chrono
}

type Dates = Pick<QuickAddTask, 'expiry_dt' | 'expiry_date' | 'time_zone' | 'recurrence'>

function readDates(scan: Scan, grammar: Grammar, chrono: Chrono, { now: at, timeZone }: QuickAddOptions): Dates {
  const recurrence = readRecurrence(scan, grammar)
  const localAt = (zone: string) =>
    Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDateTime()
  const atoms = findAtoms(scan, grammar, chrono, localAt(timeZone).toPlainDate())
  const clusters = findClusters(atoms, scan, grammar, recurrence?.end)
  const until =
    recurrence && recurrence.count === undefined
      ? clusters.find(
          ({ role, start, atoms }) => role === 'until' && start > recurrence.start && atoms.some(({ day }) => day),
        )
      : undefined
  const chosen = choose(clusters.filter((cluster) => cluster !== until && !contradicts(cluster, recurrence)))
  const zone = chosen.some(({ atoms }) => atoms.some(({ time, part }) => time || part))
    ? readZone(scan, chosen)
    : undefined
  const now: Now = { at, local: localAt(zone ?? timeZone) }
  const all = chosen.flatMap((cluster) => cluster.atoms)
  const time = clockOf(withPart(all, recurrence), grammar.language.afternoonUntil)
  const expiry = all.length > 0 ? resolveExpiry(all, time, now, scan) : undefined
  const first = recurrence ? startOf(recurrence, expiry, time, now, all) : expiry
  const field = first?.kind === 'day' ? 'expiry_date' : 'expiry_dt'
  for (const cluster of chosen) takeCluster(scan, cluster, field)
  for (const cluster of clusters)
    if (cluster !== until && !chosen.includes(cluster))
      scan.note('second_date', 'A task has one date, so this one stays in the title.', cluster.start, cluster.end)
  const rule = recurrence && first && readRule(recurrence, first, until, now, scan)
  return { ...(first && formatExpiry(first)), ...(zone && { time_zone: zone }), ...(rule && { recurrence: rule }) }
}

/** A weekday beside «every Monday» starts no series unless the text says so: «every Monday or Tuesday». */
function contradicts(cluster: Cluster, recurrence: Recurrence | undefined): boolean {
  if (!recurrence || cluster.role === 'start') return false
  // «every March 1st and June 1st».
  if (recurrence.rule.month) return cluster.atoms.some(({ day }) => day?.kind === 'date' && day.year === undefined)
  if (!recurrence.rule.weekdays) return false
  return cluster.atoms.some(({ day }) => day) && cluster.atoms.every(({ day }) => !day || day.kind === 'weekday')
}

/**
 * The date: the one with the most parts; of equals one after a preposition, else the last, because titles come first. A time that
 * stands apart from it joins it.
 */
function choose(clusters: readonly Cluster[]): Cluster[] {
  const has = (cluster: Cluster, is: (atom: Atom) => unknown) => cluster.atoms.some(is)
  const hasDay = (cluster: Cluster) => has(cluster, (atom) => atom.day ?? atom.at ?? atom.spanMinutes)
  const hasTime = (cluster: Cluster) => has(cluster, (atom) => atom.time ?? atom.part ?? atom.at ?? atom.spanMinutes)
  const score = (cluster: Cluster) =>
    (hasDay(cluster) ? 4 : 0) + (hasTime(cluster) ? 2 : 0) + (cluster.hasPreposition ? 1 : 0)
  // The first of two times: «at 8 and 20».
  const inOrder = clusters.some(hasDay) ? clusters.toReversed() : clusters
  const best = inOrder.toSorted((a, b) => score(b) - score(a))[0]
  if (!best) return []
  const other = clusters.find((one) => one !== best && hasDay(best) && !hasTime(best) && hasTime(one) && !hasDay(one))
  return [best, ...(other ? [other] : [])].sort((a, b) => a.start - b.start)
}

/** A recurrence such as «every morning» has a part of the day in it. */
function withPart(atoms: readonly Atom[], recurrence: Recurrence | undefined): Atom[] {
  if (recurrence?.hour === undefined || atoms.some(({ part }) => part)) return [...atoms]
  const part = { kind: 'part', hour: recurrence.hour, isAfternoon: recurrence.hour > 12 } as const
  return [...atoms, { start: recurrence.start, end: recurrence.end, isWeak: false, part }]
}

/** An IANA zone, or UTC, right after the date. */
function readZone(scan: Scan, clusters: readonly Cluster[]): string | undefined {
  for (const { end } of clusters) {
    const match = /^\s+(\p{Lu}[\p{L}_]+(?:\/[\p{L}_+\d-]+)+|UTC|GMT)(?![\p{L}\p{N}/])/u.exec(scan.work.slice(end))
    const zone = match && parseTimeZone(match[1] as string)
    if (!match || !zone) continue
    scan.take(end, end + match[0].length, 'time_zone')
    return zone
  }
  return undefined
}

/** The first expiry of a series: on or after the date given, else after now. */
function startOf(
  recurrence: Recurrence,
  expiry: Expiry | undefined,
  time: Time | undefined,
  now: Now,
  atoms: readonly Atom[],
): Expiry {
  if (expiry?.kind === 'instant') return expiry
  const today = now.local.toPlainDate()
  const given = atoms.some(({ day }) => day)
  const from = given && expiry ? (expiry.kind === 'day' ? expiry.day : expiry.local.toPlainDate()) : today
  if (!time) return { kind: 'day', day: firstDay(recurrence.rule, from) }
  // Midnight is 00:00 of the day after, which the rule counts from.
  const hour = time.hour === 24 ? { ...time, hour: 0 } : time
  const local = atTime(firstDay(recurrence.rule, from), hour)
  if (given || Temporal.PlainDateTime.compare(local, now.local) > 0) return { kind: 'local', local }
  return { kind: 'local', local: atTime(firstDay(recurrence.rule, from.add({ days: 1 })), hour) }
}

function readRule(
  recurrence: Recurrence,
  first: Expiry,
  until: Cluster | undefined,
  now: Now,
  scan: Scan,
): { rule: string; from: 'expiry' | 'completion' } {
  const start =
    first.kind === 'day' ? first.day : first.kind === 'local' ? first.local.toPlainDate() : now.local.toPlainDate()
  let end: RuleEnd | undefined
  if (recurrence.count !== undefined) end = { count: recurrence.count }
  else if (recurrence.during) {
    const { n, unit } = recurrence.during
    const length = unit === 'quarter' ? { months: 3 * n } : { [`${unit}s`]: n }
    end = { until: start.add(length).subtract({ days: 1 }) }
  } else if (until) {
    const last = resolveExpiry(until.atoms, undefined, now, scan)
    takeCluster(scan, until, 'recurrence')
    if (last.kind === 'day') end = { until: last.day }
  }
  if (end && 'until' in end && Temporal.PlainDate.compare(end.until, start) < 0) {
    scan.note(
      'ends_before_start',
      `The recurrence would end before it starts, so it has no end.`,
      recurrence.start,
      recurrence.end,
    )
    end = undefined
  }
  return { rule: formatRule(recurrence.rule, end, first.kind !== 'day'), from: recurrence.from }
}

function formatExpiry(expiry: Expiry): Pick<QuickAddTask, 'expiry_dt' | 'expiry_date'> {
  switch (expiry.kind) {
    case 'instant':
      return {
        expiry_dt: Temporal.Instant.fromEpochMilliseconds(Math.trunc(expiry.at)).toString({ smallestUnit: 'second' }),
      }
    case 'local':
      return { expiry_dt: expiry.local.toString({ smallestUnit: expiry.local.second ? 'second' : 'minute' }) }
    case 'day':
      return { expiry_date: expiry.day.toString() }
  }
}

/** A date leaves with its preposition. */
function takeCluster(scan: Scan, cluster: Cluster, field: 'expiry_dt' | 'expiry_date' | 'recurrence'): void {
  scan.take(cluster.leadStart, cluster.end, field)
}
