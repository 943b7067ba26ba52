import type { TaskWire } from '#api/schemas/task.ts'
import { text } from '../text/en.ts'
import { formatClock, formatDay, formatFull } from './dates.ts'
import { dayOf, daysBetween } from './zone.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
/** Below this, a countdown shows seconds. */
const liveMs = 15 * minuteMs

export interface ExpiryText {
  readonly text: string
  /** A second part, which a phone shows on a line of its own: the time after the day. */
  readonly more?: string
  readonly tone: 'late' | 'soon' | ''
  /** Whether it shows seconds. */
  readonly isLive: boolean
  /** The whole date, for assistive technology and on hover. */
  readonly full: string
}

export interface ExpiryOptions {
  readonly now: number
  readonly zone: string
  /** The day is in the heading of the group. */
  readonly isDayKnown?: boolean
}

type Expiring = Pick<TaskWire, 'expiry_dt' | 'expiry_date'>

/** The expiry of a task for its row; null for a task without one. */
export function formatExpiry(task: Expiring, { now, zone, isDayKnown = false }: ExpiryOptions): ExpiryText | null {
  if (task.expiry_dt === null) return null
  const at = Date.parse(task.expiry_dt)
  // A whole day ends at midnight, which is the next day already.
  const shownAt = task.expiry_date === null ? at : at - 1
  const full = formatFull(shownAt, zone, task.expiry_date === null)
  const left = at - now
  if (left <= 0)
    return { text: formatPast(shownAt, now, zone, task.expiry_date !== null), tone: 'late', isLive: false, full }
  if (left <= liveMs) return { text: formatCountdown(left), tone: 'soon', isLive: true, full }
  if (left <= hourMs) return { text: text.inMinutes(Math.floor(left / minuteMs)), tone: 'soon', isLive: false, full }
  return { ...formatFuture(task, { at, shownAt, now, zone, isDayKnown }), tone: '', isLive: false, full }
}

interface Future {
  readonly at: number
  readonly shownAt: number
  readonly now: number
  readonly zone: string
  readonly isDayKnown: boolean
}

function formatFuture({ expiry_date }: Expiring, { at, shownAt, now, zone, isDayKnown }: Future) {
  const days = daysBetween(dayOf(now, zone), dayOf(shownAt, zone))
  if (expiry_date !== null) {
    if (days === 0) return { text: text.today }
    if (days === 1) return { text: isDayKnown ? text.wholeDay : text.tomorrow }
    return { text: formatDay(shownAt, now, zone) }
  }
  if (days === 1 && isDayKnown) return { text: formatClock(at, zone) }
  if (at - now < dayMs) return { text: text.inHours(Math.floor((at - now) / hourMs), minutesOf(at - now)) }
  return { text: formatDay(at, now, zone), more: formatClock(at, zone) }
}

const minutesOf = (ms: number) => Math.floor((ms % hourMs) / minuteMs)

/** `11:42`. Rounded up, so that it reads 0:00 when it is over and not a second before. */
export function formatCountdown(ms: number): string {
  const seconds = Math.ceil(ms / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** `2 h ago`, `yesterday`. @param isDay for a whole day, of which no hours are counted */
export function formatPast(at: number, now: number, zone: string, isDay = false): string {
  const past = isDay ? Number.POSITIVE_INFINITY : now - at
  if (past < minuteMs) return text.justNow
  if (past < hourMs) return text.minutesAgo(Math.floor(past / minuteMs))
  if (past < dayMs) return text.hoursAgo(Math.floor(past / hourMs))
  const days = daysBetween(dayOf(at, zone), dayOf(now, zone))
  return days === 1 ? text.yesterday : text.daysAgo(days)
}
