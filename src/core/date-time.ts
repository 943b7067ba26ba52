/**
 * A point in time as users write it: an instant, or a local time in a zone that may be named elsewhere. Calendar arithmetic uses
 * Temporal and is done in core. ISO text is read and written by `wire/` alone.
 */
export type DateTimeInput =
  | { readonly at: number; readonly timeZone?: string } // ms since 1970; the zone it was given in, if any
  | { readonly local: Temporal.PlainDateTime; readonly timeZone?: string }

/** Instants with a four-digit year in every zone: 0001-01-02 to 9999-12-30, so that every stored instant can be read back. */
const earliest = Date.parse('0001-01-02T00:00:00Z')
const latest = Date.parse('9999-12-30T00:00:00Z')

export function isStorable(at: number): boolean {
  return at >= earliest && at <= latest
}

/**
 * The instant of an input, in ms since 1970. A local time without a zone of its own is read in `timeZone`. One that is skipped when
 * clocks go forward is read as the later time, and one that occurs twice as the earlier (RFC 5545 section 3.3.5, Temporal
 * `compatible`).
 */
export function instantOf(input: DateTimeInput, timeZone: string): number {
  if ('at' in input) return input.at
  return input.local.toZonedDateTime(input.timeZone ?? timeZone, { disambiguation: 'compatible' }).epochMilliseconds
}

/** The last second of a day (`2027-03-01`) in a zone, in ms since 1970. A day that the zone has skipped ends as the day before it did. */
export function endOfDay(date: string, timeZone: string): number {
  return Temporal.PlainDate.from(date).add({ days: 1 }).toZonedDateTime(timeZone).epochMilliseconds - 1_000
}

/** The wall time that an input means, with its zone: `2027-03-01T09:00:00[Europe/Paris]`. Null for an instant without a zone. */
export function wallTimeOf(input: DateTimeInput, timeZone: string): string | null {
  if ('local' in input) return `${input.local}[${input.timeZone ?? timeZone}]`
  if (input.timeZone === undefined) return null
  const zoned = Temporal.Instant.fromEpochMilliseconds(input.at).toZonedDateTimeISO(input.timeZone)
  return `${zoned.toPlainDateTime()}[${input.timeZone}]`
}

/** The instant of a wall time as `wallTimeOf` writes it, by the present rules of its zone. */
export function instantOfWallTime(text: string): number {
  const start = text.indexOf('[')
  return instantOf({ local: Temporal.PlainDateTime.from(text.slice(0, start)) }, text.slice(start + 1, -1))
}

/** The zone under its canonical spelling, or undefined. Only named zones (IANA), because an offset has no daylight saving time. */
export function parseTimeZone(name: string): string | undefined {
  if (/^[+-]/.test(name)) return undefined
  try {
    return new Temporal.ZonedDateTime(0n, name).timeZoneId
  } catch {
    return undefined
  }
}
