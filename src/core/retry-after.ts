/**
 * A Retry-After in ms from now: seconds or an HTTP date (RFC 9110 section 10.2.3); undefined for anything else. A date is compared with
 * the server's own clock, if it sent one (section 6.6.1): with an hour of skew the wait would be an hour too long, or none at all.
 * @param date the header Date of the same response
 * @param now ms since 1970
 */
export function parseRetryAfter(
  value: string | null | undefined,
  date: string | null | undefined,
  now: number,
): number | undefined {
  if (value == null) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000
  const at = parseHttpDate(value)
  return at === undefined ? undefined : Math.max(0, at - (parseHttpDate(date ?? '') ?? now))
}

/** All three formats of RFC 9110 section 5.6.7. Date.parse alone also reads -1 as a date, and asctime, which names no zone, as local time. */
function parseHttpDate(text: string): number | undefined {
  if (!/^[A-Z][a-z]+,? /.test(text)) return undefined
  const at = Date.parse(text.endsWith(' GMT') ? text : `${text} GMT`)
  return Number.isNaN(at) ? undefined : at
}
