import { locale } from '../text/locale.ts'
import { dayOf } from './zone.ts'

/** Formatters are expensive to make: one for each form and zone. */
const made = new Map<string, Intl.DateTimeFormat>()

function format(at: number, options: Intl.DateTimeFormatOptions): string {
  const key = JSON.stringify(options)
  let formatter = made.get(key)
  if (!formatter) {
    formatter = new Intl.DateTimeFormat(locale, options)
    made.set(key, formatter)
  }
  return formatter.format(at)
}

const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
const shortDay = { weekday: 'short', day: 'numeric', month: 'short' } as const

/** `09:00` */
export const formatClock = (at: number, timeZone: string): string => format(at, { ...clock, timeZone })

/** `Tue` */
export const formatWeekday = (at: number, timeZone: string): string => format(at, { weekday: 'short', timeZone })

/** `Tue 1 Dec`, and with its year unless it is that of `now`. */
export function formatDay(at: number, now: number, timeZone: string): string {
  const year = { year: 'numeric', timeZone } as const
  const isThisYear = format(at, year) === format(now, year)
  return format(at, { ...shortDay, timeZone, ...(!isThisYear && year) })
}

/** `Tuesday 1 December 2026 at 09:00`: for assistive technology, and on hover. */
export const formatFull = (at: number, timeZone: string, hasTime: boolean): string =>
  format(at, { dateStyle: 'full', ...(hasTime && { timeStyle: 'short', hourCycle: 'h23' }), timeZone })

/** `20:00` today, else with its day. */
export function formatUntil(until: number, now: number, zone: string): string {
  const clock = formatClock(until, zone)
  return dayOf(until, zone) === dayOf(now, zone) ? clock : `${formatDay(until, now, zone)}, ${clock}`
}
