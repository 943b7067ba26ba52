/**
 * A point in time as people give it: an instant, or a time on the wall of a place still to be named. Calendars live here,
 * on Temporal; ISO text is read and written by `wire/task.ts` alone.
 */
export type DateTimeInput =
  | { readonly at: number; readonly timeZone?: string } // ms since 1970; the zone it was given in, if any
  | { readonly local: Temporal.PlainDateTime; readonly timeZone?: string }

/** Instants that have a four-digit year in every zone: 0001-01-02 to 9999-12-30, so that what is stored can be read back. */
const earliest = Date.parse('0001-01-02T00:00:00Z')
const latest = Date.parse('9999-12-30T00:00:00Z')

export function isStorable(at: number): boolean {
  return at >= earliest && at <= latest
}

/**
 * The instant of a moment, in ms since 1970. A wall time without a zone of its own is read in `timeZone`. Where clocks are
 * put forward over it, the later reading counts; where they show it twice, the earlier (RFC 5545 section 3.3.5, Temporal
 * `compatible`).
 */
export function instantOf(moment: DateTimeInput, timeZone: string): number {
  if ('at' in moment) return moment.at
  return moment.local.toZonedDateTime(moment.timeZone ?? timeZone, { disambiguation: 'compatible' }).epochMilliseconds
}

/** The zone under its canonical spelling, or undefined. Only named zones (IANA): an offset knows nothing of summer time. */
export function parseTimeZone(name: string): string | undefined {
  if (/^[+-]/.test(name)) return undefined
  try {
    return new Temporal.ZonedDateTime(0n, name).timeZoneId
  } catch {
    return undefined
  }
}
