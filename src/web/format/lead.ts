import { taskText } from '../text/task.ts'
import { formatUntil } from './dates.ts'

const leadForm = /^(-?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?(?:@(\d\d:\d\d))?$/
const units = ['weeks', 'days', 'hours', 'minutes', 'seconds'] as const

export interface LeadOptions {
  readonly now: number
  readonly zone: string
}

/** `1 day before, at 09:00` for `P1D@09:00`; the time of a reminder at a fixed time. Other texts stay as they are. */
export function formatReminder(reminder: string, { now, zone }: LeadOptions): string {
  const match = leadForm.exec(reminder)
  if (!match) {
    const at = Date.parse(reminder)
    return Number.isNaN(at) ? reminder : formatUntil(at, now, zone)
  }
  const [, sign, ...rest] = match
  const time = rest[units.length]
  const parts = units.flatMap((unit, i) => {
    const count = Number(rest[i] ?? 0)
    return count === 0 ? [] : [taskText.units[unit](count)]
  })
  const span = parts.join(' ')
  if (span === '') return time === undefined ? taskText.atExpiry : taskText.onTheDay(time)
  const lead = sign ? taskText.after(span) : taskText.before(span)
  return time === undefined ? lead : taskText.atTime(lead, time)
}

export const leadUnits = ['minutes', 'hours', 'days', 'weeks'] as const
export type LeadUnit = (typeof leadUnits)[number]

/** The lead of a number and a unit. Weeks become days, which may have a time of day. */
export function toLead(count: number, unit: LeadUnit, timeOfDay = ''): string {
  if (unit === 'minutes') return count === 0 ? 'PT0S' : `PT${count}M`
  if (unit === 'hours') return count === 0 ? 'PT0S' : `PT${count}H`
  const days = unit === 'weeks' ? count * 7 : count
  if (timeOfDay !== '') return `P${days}D@${timeOfDay}`
  return days === 0 ? 'PT0S' : `P${days}D`
}
