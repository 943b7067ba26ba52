/**
 * The times of the model of firing (reminder-model.ts). A local time is written as the ms since 1970 at which a clock in UTC shows it. Zones
 * have a fixed offset, so none of this needs a calendar.
 */

export type Reminders = readonly (string | number)[]

/** ms by which the clocks of each zone are ahead of UTC. Etc/GMT+5 is behind it (POSIX signs). */
export const zones = {
  UTC: 0,
  'Etc/GMT+5': -5 * 3_600_000,
  'Asia/Kolkata': 5.5 * 3_600_000,
  'Etc/GMT-14': 14 * 3_600_000,
}

export interface Settings {
  readonly zone: keyof typeof zones
  readonly dayReminders: readonly string[]
  /** `HH:MM` */
  readonly dayTime: string
}
export const firstSettings: Settings = { zone: 'UTC', dayReminders: ['PT0S'], dayTime: '09:00' }

/** An instant, or a day since 1970. `wall`: the local time that a series gave it. */
export type Expiry = { readonly at: number; readonly wall?: number } | { readonly day: number } | null

/** A local time of a series; a whole day is its midnight. */
interface Local {
  readonly ms: number
  readonly isDay: boolean
}

/** Every so many days. */
export interface ModelSeries {
  readonly days: number
  readonly from: 'expiry' | 'completion'
  readonly start: Local
  readonly scheduled: Local
}

const leads: Record<string, number> = {
  PT0S: 0,
  PT5M: 5,
  PT10M: 10,
  PT15M: 15,
  PT30M: 30,
  PT1H: 60,
  P1D: 1_440,
  '-PT20M': -20,
}
const dayMs = 86_400_000
const clockMs = (text: string) => (Number(text.slice(0, 2)) * 60 + Number(text.slice(3))) * 60_000
const dayOf = (ms: number) => Math.floor(ms / dayMs)

interface Due {
  readonly expiryAt: number | null
  readonly day: number | null
}

export function reminderAt(lead: string, { expiryAt, day }: Due, { zone, dayTime }: Settings): number {
  const at = expiryAt ?? 0
  const offset = zones[zone]
  const [, days, time] = /^(-?P\d+D)@(.*)$/.exec(lead) ?? []
  if (days !== undefined && time !== undefined) {
    const before = Number(days.replace(/[PD]/g, ''))
    return ((day ?? dayOf(at + offset)) - before) * dayMs + clockMs(time) - offset
  }
  const from = day === null ? at : day * dayMs + clockMs(dayTime) - offset
  return from - (leads[lead] as number) * 60_000
}

export function instantOf(expiry: Expiry, offset: number): number | null {
  if (expiry === null) return null
  return 'day' in expiry ? (expiry.day + 1) * dayMs - offset - 1_000 : expiry.at
}

export const expiryOf = ({ expiryAt, day }: Due): Expiry =>
  day !== null ? { day } : expiryAt === null ? null : { at: expiryAt }

/** `2027-03-01` */
export const dateText = (day: number) => new Date(day * dayMs).toISOString().slice(0, 10)

/** The members of a request. Null for the time clears a day as well. */
export const expiryMembers = (expiry: Expiry) =>
  expiry && 'day' in expiry
    ? { expiry_date: dateText(expiry.day) }
    : { expiry_dt: expiry && new Date(expiry.at).toISOString() }

/** Where a series starts. */
export const startOf = (expiry: Expiry, offset: number): Local =>
  expiry && 'day' in expiry ? dayLocal(expiry.day) : timeLocal((expiry?.at ?? 0) + offset)

const timeLocal = (ms: number): Local => ({ ms, isDay: false })
const dayLocal = (day: number): Local => ({ ms: day * dayMs, isDay: true })
/** A day and a time compare by their dates. */
const compareLocal = (one: Local, other: Local) =>
  one.isDay || other.isDay ? dayOf(one.ms) - dayOf(other.ms) : one.ms - other.ms

export const toExpiry = ({ ms, isDay }: Local, offset: number): Expiry =>
  isDay ? { day: dayOf(ms) } : { at: ms - offset, wall: ms }

/** The occurrence after the one that a task is at, as of the instant at which that is completed. */
export function nextOccurrence(
  { series, expiryAt, day, wall }: Due & { series: ModelSeries | null; wall: number | null },
  { now, offset }: { now: number; offset: number },
  completedAt: number,
): ModelSeries | undefined {
  if (!series || expiryAt === null) return undefined
  const current = day === null ? timeLocal(wall ?? expiryAt + offset) : dayLocal(day)
  const intervalMs = series.days * dayMs
  if (series.from === 'completion') {
    const ms = dayOf(completedAt + offset) * dayMs + (current.ms % dayMs) + intervalMs
    const next = { ms, isDay: current.isDay }
    return { ...series, start: next, scheduled: next }
  }
  /** A day has come at its end. */
  const endOf = ({ ms, isDay }: Local) => ms + (isDay ? dayMs : 0) - offset
  const last = compareLocal(current, series.scheduled) > 0 ? current : series.scheduled
  const after = Math.max(now, expiryAt, completedAt, endOf(last))
  let next = series.start
  while (compareLocal(next, last) <= 0 || endOf(next) <= after) next = { ...next, ms: next.ms + intervalMs }
  return { ...series, scheduled: next }
}
