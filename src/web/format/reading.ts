import { instantOf } from '#core/date-time.ts'
import { describeRule } from '#core/recurrence/describe.ts'
import { type Local, occurrences } from '#core/recurrence/expand.ts'
import { parseRule } from '#core/recurrence/rule.ts'
import { languageCodeOf } from '#quick-add/languages/codes.ts'
import {
  type Field,
  maxTextCharacters,
  type Note,
  parseQuickAdd,
  type QuickAddTask,
  type Span,
} from '#quick-add/quick-add.ts'
import { locale } from '../text/locale.ts'
import { text } from '../text/quick-add.ts'
import { formatClock, formatDay } from './dates.ts'

/** Shows in words for people how the shared parser reads the text of quick add. It needs Temporal, and is loaded apart from the shell. */

/** One thing that was read, and the parts of the text that say it. */
export interface Chip {
  readonly key: string
  readonly label: string
  readonly repeats: boolean
  readonly pieces: readonly Piece[]
}

type Piece = Pick<Span, 'start' | 'end'>

export interface Reading {
  /** The task that a create sends; null for a text that makes none. */
  readonly task: QuickAddTask | null
  readonly spans: readonly Span[]
  readonly chips: readonly Chip[]
  /** The first dates of a recurrence. */
  readonly dates: readonly string[]
  /** Hints at parts that may have been meant otherwise. */
  readonly notes: readonly string[]
}

export interface ReadOptions {
  readonly now: number
  readonly zone: string
  /** The languages of the user, the preferred one first, as in navigator.languages. */
  readonly languages: readonly string[]
}

export function readText(words: string, { now, zone, languages }: ReadOptions): Reading {
  const language = languages.find((tag) => languageCodeOf(tag) !== undefined) ?? 'en'
  const result = parseQuickAdd(words, { now, timeZone: zone, language })
  if ('error' in result) {
    const notes = [text.tooLong(maxTextCharacters, [...words].length)]
    return { task: null, spans: [], chips: [], dates: [], notes }
  }
  const { task, spans } = result
  const place = { now, zone }
  const notes = result.notes.map(formatNote)
  if (task.reminders && expiryOf(task, zone) === null) notes.push(text.noExpiry)
  return {
    task: task.title === '' ? null : task,
    spans,
    chips: chipsOf(words, task, spans, place, language),
    dates: datesOf(task, place),
    notes,
  }
}

interface Place {
  readonly now: number
  readonly zone: string
}

function chipsOf(
  words: string,
  task: QuickAddTask,
  spans: readonly Span[],
  place: Place,
  language: string,
): readonly Chip[] {
  const piecesOf = (...fields: Field[]) =>
    spans.filter(({ field }) => fields.includes(field)).map((span) => trim(words, span))
  const wordsOf = ({ start, end }: Piece) => words.slice(start, end)
  const leadOf = (piece: Piece) => {
    const alone = parseQuickAdd(wordsOf(piece), { ...place, timeZone: place.zone, language })
    return 'task' in alone ? alone.task.reminders?.[0] : undefined
  }
  const all: Omit<Chip, 'repeats'>[] = [
    { key: 'expiry', label: formatExpiry(task, place) ?? '', pieces: piecesOf('expiry_dt', 'expiry_date') },
    { key: 'zone', label: formatZone(task, place.zone), pieces: piecesOf('time_zone') },
    { key: 'recurrence', label: formatRecurrence(task, place.zone), pieces: piecesOf('recurrence') },
    ...(task.tags ?? []).map((tag) => ({
      key: `#${tag}`,
      label: tag,
      pieces: piecesOf('tags').filter((piece) => wordsOf(piece).slice(1) === tag),
    })),
    { key: 'priority', label: text.priorities[task.priority ?? 'none'], pieces: piecesOf('priority') },
    ...(task.reminders ?? []).map((lead) => ({
      key: lead,
      label: formatLead(lead),
      pieces: piecesOf('reminders').filter((piece) => leadOf(piece) === lead),
    })),
  ]
  // The first date of «every Monday» has no words of its own. It is among the next dates.
  return all.filter(({ pieces }) => pieces.length > 0).map((chip) => ({ ...chip, repeats: chip.key === 'recurrence' }))
}

/** A span without the marks and brackets around it, which leave the title with it. */
function trim(words: string, { start, end }: Piece): Piece {
  const piece = words.slice(start, end)
  const before = /^[\s,，、:：([（–—-]*/.exec(piece)?.[0].length ?? 0
  const after = /[\s,，、:：)\]）]*$/.exec(piece)?.[0].length ?? 0
  return { start: start + before, end: end - after }
}

/**
 * Makes the words of a chip ordinary text: in quotation marks, which the parser never reads and which are not part of the title. Straight
 * ones must stand apart from words; curly ones need not, as in Chinese.
 */
export function keepAsText(words: string, { pieces }: Chip): string {
  let edited = words
  for (const { start, end } of pieces.toSorted((a, b) => b.start - a.start)) {
    const [before, after] = [edited.slice(0, start), edited.slice(end)]
    const isApart = /(?:^|[\s(（])$/.test(before) && /^(?:$|[\s,;:.!?)）])/.test(after)
    const [open, close] = isApart ? ['"', '"'] : ['“', '”']
    edited = before + open + edited.slice(start, end) + close + after
  }
  return edited
}

/** The wall time or the day of the expiry; null without one. */
function expiryOf({ expiry_dt: time, expiry_date: day, time_zone }: QuickAddTask, zone: string): Local | null {
  if (day !== undefined) return Temporal.PlainDate.from(day)
  if (time === undefined) return null
  if (!time.endsWith('Z')) return Temporal.PlainDateTime.from(time)
  return Temporal.Instant.from(time)
    .toZonedDateTimeISO(time_zone ?? zone)
    .toPlainDateTime()
}

/** `Tue 1 Dec, 09:00`, and without its time for a whole day. The zone is that of the user, as everywhere in the app. */
function formatLocal(local: Local, timeZone: string, { now, zone }: Place): string {
  if (!('hour' in local)) return formatDay(local.toZonedDateTime('UTC').epochMilliseconds, now, 'UTC')
  const at = instantOf({ local }, timeZone)
  return `${formatDay(at, now, zone)}, ${formatClock(at, zone)}`
}

function formatExpiry(task: QuickAddTask, place: Place): string | null {
  const local = expiryOf(task, place.zone)
  return local && formatLocal(local, task.time_zone ?? place.zone, place)
}

function formatZone(task: QuickAddTask, zone: string): string {
  const local = expiryOf(task, zone)
  if (!local || !('hour' in local) || task.time_zone === undefined) return task.time_zone ?? ''
  return text.inZone(local.toPlainTime().toString({ smallestUnit: 'minute' }), task.time_zone)
}

function formatRecurrence({ recurrence, time_zone }: QuickAddTask, zone: string): string {
  if (!recurrence) return ''
  const words = describeRule(parseRule(recurrence.rule), { from: recurrence.from, timeZone: time_zone ?? zone })
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** Enough to see the pattern. */
const maxDates = 3

function datesOf(task: QuickAddTask, place: Place): readonly string[] {
  const start = expiryOf(task, place.zone)
  if (!task.recurrence || !start) return []
  const timeZone = task.time_zone ?? place.zone
  // After a completion, the next dates depend on when that is.
  const next =
    task.recurrence.from === 'completion'
      ? []
      : occurrences(
          { rule: parseRule(task.recurrence.rule), start, timeZone },
          { limit: maxDates - 1, after: { local: start } },
        )
  return [start, ...next.map(({ local }) => local)].map((local) => formatLocal(local, timeZone, place))
}

/** `PT15M` as `15 minutes before`. */
function formatLead(lead: string): string {
  const [, count, unit] = /^PT?(\d+)([WDHM])$/.exec(lead) ?? []
  return text.before(Number(count), unit as 'W' | 'D' | 'H' | 'M')
}

/** The message of the parser, with its dates and quotation marks as they are elsewhere in the app. */
function formatNote({ code, message }: Note): string {
  if (code === 'no_title') return text.noTitle
  return message
    .replaceAll(/\d{4}-\d\d-\d\d/g, (day) => longDay.format(Date.parse(day)))
    .replaceAll(/[«»]/g, (mark) => (mark === '«' ? '“\u2068' : '\u2069”'))
}

const longDay = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone: 'UTC' })
