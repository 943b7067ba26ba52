import type { Atom, Day, Time } from './atoms.ts'
import type { Scan } from './scan.ts'

/** The meaning of a date: an instant, a local time, or a whole day. */
export type Expiry =
  | { readonly kind: 'instant'; readonly at: number }
  | { readonly kind: 'local'; readonly local: Temporal.PlainDateTime }
  | { readonly kind: 'day'; readonly day: Temporal.PlainDate }

export interface Now {
  readonly at: number
  readonly local: Temporal.PlainDateTime
}

/** The time that atoms name together: hour and minute as written, moved past noon by a part of the day or by custom. */
export function clockOf(atoms: readonly Atom[], afternoonUntil: number): Time | undefined {
  const time = atoms.find((atom) => atom.time)?.time
  const part = atoms.find((atom) => atom.part)?.part
  const named = atoms.find((atom) => atom.day && 'hour' in atom.day)?.day as { hour: number } | undefined
  const implied = part?.hour ?? named?.hour
  if (!time) return implied === undefined ? undefined : { hour: implied, minute: 0, second: 0, isAmbiguous: false }
  if (!time.isAmbiguous) return time
  const isEvening = implied === 20
  const isAfternoon = part?.isAfternoon || isEvening || (implied ?? 0) > 12
  // «12 at night» is the end of the day, «12 in the afternoon» its middle.
  if (isEvening && time.hour === 12) return { ...time, hour: 24 }
  if (isAfternoon && time.hour < 12) return { ...time, hour: time.hour + 12 }
  if (part === undefined && implied === undefined && time.hour <= afternoonUntil)
    return { ...time, hour: time.hour + 12 }
  return time
}

/** Midnight ends a day: it is 00:00 of the next one. */
export function atTime(day: Temporal.PlainDate, { hour, minute, second }: Time): Temporal.PlainDateTime {
  return hour === 24 ? day.add({ days: 1 }).toPlainDateTime({ minute }) : day.toPlainDateTime({ hour, minute, second })
}

/** The expiry that a cluster means. A past date means the next one, unless the text has a year. */
export function resolveExpiry(atoms: readonly Atom[], time: Time | undefined, now: Now, scan: Scan): Expiry {
  const first = atoms[0] as Atom
  const end = (atoms.at(-1) as Atom).end
  const exact = atoms.find((atom) => atom.at !== undefined || atom.spanMinutes !== undefined)
  if (exact) {
    const at = exact.at ?? now.at + (exact.spanMinutes as number) * 60_000
    if (at < now.at) scan.note('in_past', 'This time is in the past.', first.start, end)
    return { kind: 'instant', at }
  }
  const day = (atoms.find((atom) => atom.day && atom.day.kind !== 'weekday') ?? atoms.find((atom) => atom.day))?.day
  const today = now.local.toPlainDate()
  const isOver = (date: Temporal.PlainDate) =>
    time
      ? Temporal.PlainDateTime.compare(atTime(date, time), now.local) <= 0
      : Temporal.PlainDate.compare(date, today) < 0
  const date = day ? dateOf(day, time !== undefined, today, isOver) : isOver(today) ? today.add({ days: 1 }) : today
  if (day?.kind === 'days' && isOver(date)) {
    // Late in the evening «tonight» still means this day.
    if (day.isTonight && !atoms.some((atom) => atom.time)) return { kind: 'day', day: date }
    const next = date.add({ days: 1 })
    scan.note('time_passed', `That time has passed today, so it is read as ${next}.`, first.start, end)
    return toExpiry(next, time)
  }
  if (isOver(date)) scan.note('in_past', 'This date is in the past.', first.start, end)
  const weekday = atoms.find((atom) => atom.day?.kind === 'weekday')?.day as
    | Extract<Day, { kind: 'weekday' }>
    | undefined
  if (weekday && day !== weekday && weekday.weekday !== date.dayOfWeek)
    scan.note(
      'weekday_mismatch',
      `${date} is a ${weekdayName(date.dayOfWeek)}, not a ${weekdayName(weekday.weekday)}.`,
      first.start,
      end,
    )
  return toExpiry(date, time)
}

const toExpiry = (day: Temporal.PlainDate, time: Time | undefined): Expiry =>
  time ? { kind: 'local', local: atTime(day, time) } : { kind: 'day', day }

const weekdayNames = ['', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']
const weekdayName = (weekday: number) => weekdayNames[weekday] as string

function dateOf(
  day: Day,
  hasTime: boolean,
  today: Temporal.PlainDate,
  isOver: (date: Temporal.PlainDate) => boolean,
): Temporal.PlainDate {
  const monday = today.subtract({ days: today.dayOfWeek - 1 })
  switch (day.kind) {
    case 'days':
      return today.add({ days: day.days })
    case 'span':
      return today.add({ [day.unit]: day.n })
    case 'weekday': {
      if (day.isOfNextWeek) return monday.add({ days: 6 + day.weekday })
      const date = today.add({ days: (day.weekday - today.dayOfWeek + 7) % 7 })
      // People say «today» for today: its own weekday is the next one, unless its time is still to come.
      return date.equals(today) && (!hasTime || isOver(date)) ? date.add({ days: 7 }) : date
    }
    case 'weekend': {
      const saturday = monday.add({ days: 5 + 7 * day.weeks })
      return isOver(saturday) && day.weeks === 0
        ? today.dayOfWeek === 7
          ? today
          : saturday.add({ days: 7 })
        : saturday
    }
    case 'nextUnit':
      if (day.unit === 'week') return monday.add({ days: 7 })
      return day.unit === 'month'
        ? today.with({ day: 1 }).add({ months: 1 })
        : today.with({ month: 1, day: 1 }).add({ years: 1 })
    case 'endOf': {
      if (day.unit === 'year') return today.with({ month: 12, day: 31 })
      const month = today.with({ day: 1 }).add({ months: day.offset })
      return month.with({ day: month.daysInMonth })
    }
    case 'dayOfMonth':
      return firstValid(24, isOver, (n) => {
        const month = today.with({ day: 1 }).add({ months: n })
        return day.day <= month.daysInMonth ? month.with({ day: day.day }) : undefined
      })
    case 'month':
      return firstValid(2, isOver, (n) => Temporal.PlainDate.from({ year: today.year + n, month: day.month, day: 1 }))
    case 'date': {
      const { year, month, day: number } = day
      if (year !== undefined) return Temporal.PlainDate.from({ year, month, day: number })
      // Nine years, because 1900 and 2100 have no 29 February.
      return firstValid(9, isOver, (n) => {
        const start = Temporal.PlainDate.from({ year: today.year + n, month, day: 1 })
        return number <= start.daysInMonth ? start.with({ day: number }) : undefined
      })
    }
  }
}

/** The first of the candidates 0, 1, 2, … that exists and is not over. */
function firstValid(
  count: number,
  isOver: (date: Temporal.PlainDate) => boolean,
  candidate: (n: number) => Temporal.PlainDate | undefined,
): Temporal.PlainDate {
  for (let n = 0; n < count; n += 1) {
    const date = candidate(n)
    if (date && !isOver(date)) return date
  }
  throw new Error('no date within the years searched')
}
