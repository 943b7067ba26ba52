import { type DateTimeInput, instantOf, parseTimeZone } from '#core/date-time.ts'
import { malformedParameter } from '#core/problem.ts'

// ── out ──

export const dayMs = 86_400_000

const dates = new Map<number, string>()

const twoDigits = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'))

/** As Date.toISOString, in a quarter of its 0.6 µs: a list of 100 tasks has 300 of them. Years 1 to 9999. */
export function isoText(at: number): string {
  const day = Math.floor(at / dayMs)
  let date = dates.get(day)
  if (date === undefined) {
    if (dates.size >= 5_000) dates.clear()
    date = new Date(day * dayMs).toISOString().slice(0, 11)
    dates.set(day, date)
  }
  const ms = at - day * dayMs
  const seconds = Math.floor(ms / 1_000)
  const minutes = Math.floor(seconds / 60)
  const rest = ms - seconds * 1_000
  return `${date}${twoDigits[Math.floor(minutes / 60)]}:${twoDigits[minutes % 60]}:${twoDigits[seconds % 60]}.${rest < 100 ? '0' : ''}${rest < 10 ? '0' : ''}${rest}Z`
}

export const isoOrNull = (at: number | null) => (at === null ? null : isoText(at))

// ── in ──

/**
 * RFC 3339 with a space for the T and without seconds allowed; without an offset a wall time; a date alone is its midnight.
 * An RFC 9557 suffix names the zone, and must agree with the offset.
 */
const timeForm =
  /^(?<date>\d{4}-\d\d-\d\d)(?:[Tt ](?<clock>\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?<offset>[Zz]|[+-]\d\d:?\d\d)?)?(?:\[!?(?<zone>[A-Za-z][\w+/-]*)\])?$/

/** @returns undefined when the text is no time of this form, or of no calendar */
export function parseTime(text: string): DateTimeInput | undefined {
  const { date, clock = '00:00', offset, zone } = timeForm.exec(text)?.groups ?? {}
  if (date === undefined) return undefined
  const timeZone = zone === undefined ? undefined : parseTimeZone(zone)
  if (zone !== undefined && timeZone === undefined) return undefined
  try {
    if (offset === undefined) {
      const local = Temporal.PlainDateTime.from(`${date}T${clock}`)
      return timeZone === undefined ? { local } : { local, timeZone }
    }
    if (timeZone === undefined) return { at: Temporal.Instant.from(`${date}T${clock}${offset}`).epochMilliseconds }
    return { at: Temporal.ZonedDateTime.from(`${date}T${clock}${offset}[${timeZone}]`).epochMilliseconds, timeZone }
  } catch {
    return undefined
  }
}

export const timeHint = 'must be a time like "2026-12-01T10:00:00+01:00", "2026-12-01T10:00" or "2026-12-01"'

/** A time of a query, in ms since 1970; without an offset it is read in this zone. @throws Problem `malformed` */
export function parseInstant(parameter: string, text: string, timeZone: string): number {
  const input = parseTime(text)
  if (input) return instantOf(input, timeZone)
  const detail = 'must be a time like 2026-12-01T10:00:00Z, 2026-12-01T10:00 or 2026-12-01'
  throw malformedParameter(parameter, detail)
}
