import type { DateTimeInput } from '#core/date-time.ts'
import { languageOf } from './languages/language-of.ts'
import { parseQuickAdd, type QuickAddOptions, type QuickAddTask } from './quick-add.ts'

export interface TimeOptions extends QuickAddOptions {
  /** The time of a day without one: `09:00`. */
  readonly dayTime: string
}

/**
 * Reads a time in words: «tomorrow 9am», «tonight», «in 20 minutes», and a span alone, such as «2h», counted from now. Undefined if the text
 * has anything else in it. Pure, as `parseQuickAdd` is.
 */
export function parseTimeText(text: string, options: TimeOptions): DateTimeInput | undefined {
  // A mistyped ISO time must not be guessed: 2026-13-01 would be 13 January.
  if (/^\s*\d{4}-\d/.test(text)) return undefined
  const { fromNow } = languageOf(options.language ?? 'en').language
  return (
    readTime(text, options) ??
    readTime(
      fromNow.replace('{span}', () => text),
      options,
    )
  )
}

function readTime(text: string, options: TimeOptions): DateTimeInput | undefined {
  const result = parseQuickAdd(text, options)
  if ('error' in result || result.notes.some(({ code }) => !harmless.has(code))) return undefined
  const { title, expiry_dt: time, expiry_date: day, time_zone: timeZone = options.timeZone, ...rest } = result.task
  if (title !== '' || Object.keys(rest).length > 0) return undefined
  return toInput({ time, day }, timeZone, options.dayTime)
}

/** A text of a time alone has no title, and a time that has passed today is that of tomorrow. */
const harmless: ReadonlySet<string> = new Set(['no_title', 'time_passed', 'in_past'])

interface Expiry {
  readonly time: QuickAddTask['expiry_dt']
  readonly day: QuickAddTask['expiry_date']
}

function toInput({ time, day }: Expiry, timeZone: string, dayTime: string): DateTimeInput | undefined {
  if (time?.endsWith('Z')) return { at: Temporal.Instant.from(time).epochMilliseconds }
  if (time !== undefined) return { local: Temporal.PlainDateTime.from(time), timeZone }
  return day === undefined ? undefined : { local: Temporal.PlainDateTime.from(`${day}T${dayTime}`), timeZone }
}
