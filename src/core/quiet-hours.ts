/** A daily span without notifications, in local time. */
export interface QuietHours {
  /** `HH:MM`. */
  readonly from: string
  /** `HH:MM`; not after `from`, it means the next day. */
  readonly until: string
}

export const clockForm = '^([01]\\d|2[0-3]):[0-5]\\d$'

/**
 * When a notification may be delivered: now, or at the end of the quiet hours, but never after the expiry that it announces. After the
 * expiry it is delivered at once.
 * @param now and the result in ms since 1970
 */
export function deliverAt(quiet: QuietHours | null, timeZone: string, expiryAt: number, now: number): number {
  if (!quiet || expiryAt <= now) return now
  const end = endOfQuiet(quiet, timeZone, now)
  return end === null ? now : Math.min(end, expiryAt)
}

/** The end of the quiet hours that an instant falls into, or null outside. */
export function endOfQuiet({ from, until }: QuietHours, timeZone: string, at: number): number | null {
  const here = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone)
  // Quiet hours that begin today, and those that began yesterday and last into today.
  for (const day of [here.toPlainDate(), here.toPlainDate().subtract({ days: 1 })]) {
    const begin = day.toZonedDateTime({ timeZone, plainTime: from }).epochMilliseconds
    const lastDay = until <= from ? day.add({ days: 1 }) : day
    const end = lastDay.toZonedDateTime({ timeZone, plainTime: until }).epochMilliseconds
    if (begin <= at && at < end) return end
  }
  return null
}
