import { parseTimeZone } from '#core/date-time.ts'

export interface SystemTimeZone {
  /** IANA name under its canonical spelling. */
  readonly timeZone: string
  /** Why this is UTC and not the system's zone, and what to do. Absent when the system's zone is used. */
  readonly warning?: string
}

/**
 * The system's time zone. Like a configured one, it must be a named zone of the IANA database. Node reports three kinds of others:
 *
 *   TZ is empty, «:», Factory          `Etc/Unknown`, which Temporal refuses
 *   TZ is an offset, such as GMT+2     `+02:00`, without daylight saving time
 *   TZ is mistyped, or contains quotes `UTC`, silently
 *
 * @param detected what `Temporal.Now.timeZoneId()` reports
 * @param variable the environment variable TZ (POSIX.1-2024, section 8.3); an empty value names no zone
 */
export function checkSystemTimeZone(detected: string, variable: string | undefined): SystemTimeZone {
  const timeZone = parseTimeZone(detected)
  if (timeZone !== undefined && (timeZone !== 'UTC' || variable === undefined || meansUtc(variable)))
    return { timeZone }
  const cause = variable === undefined ? `The system's time zone, ${detected},` : `TZ=${JSON.stringify(variable)}`
  return {
    timeZone: 'UTC',
    warning: `${cause} is not a time zone of the IANA database: times are read in UTC. Set TZ, --time-zone or DUEBELL_TIME_ZONE to a name like Europe/Paris.`,
  }
}

/** Whether TZ means UTC: as a name of the IANA database (UTC, Etc/UTC, GMT, Zulu …), or in the form of POSIX (UTC0). */
function meansUtc(variable: string): boolean {
  const name = variable.replace(/^:/, '').replace(/^(posix|right)\//, '')
  if (/^(UTC|GMT)[+-]?00?$/.test(name)) return true
  const zone = parseTimeZone(name)
  return zone !== undefined && new Temporal.ZonedDateTime(0n, zone).equals(new Temporal.ZonedDateTime(0n, 'UTC'))
}
