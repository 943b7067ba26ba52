import type { TaskWire } from '#api/schemas/task.ts'
import { addDays, dayOf, fromWall, toWall } from '../format/zone.ts'

export const ranges = ['24h', '7d', '30d'] as const
export type Range = (typeof ranges)[number]

const hourMs = 3_600_000
const rangeMs: Record<Range, number> = { '24h': 24 * hourMs, '7d': 7 * 24 * hourMs, '30d': 30 * 24 * hourMs }

/** Where now is, in per cent of the line. Expired tasks are left of it. */
const nowAt = 8

/** The place of an instant, in per cent: near time is drawn larger, so that the next hour is a fifth of a day. */
export function placeOf(at: number, now: number, range: Range): number {
  return nowAt + (100 - nowAt) * Math.sqrt(Math.max(0, at - now) / rangeMs[range])
}

export interface Mark {
  readonly x: number
  readonly tone: 'late' | 'soon' | ''
  /** In the order of their expiry. */
  readonly tasks: readonly TaskWire[]
}

/** The marks of a line. Those closer than `minGap` per cent become one, which has the tone of its most urgent task. */
export function toMarks(tasks: readonly TaskWire[], now: number, range: Range, minGap: number): Mark[] {
  const marks: { x: number; tone: Mark['tone']; tasks: TaskWire[]; first: number }[] = []
  const expired: TaskWire[] = []
  for (const task of tasks) {
    const at = task.expiry_dt === null ? Number.POSITIVE_INFINITY : Date.parse(task.expiry_dt)
    if (at <= now) expired.push(task)
    if (at <= now || at > now + rangeMs[range]) continue
    const x = placeOf(at, now, range)
    const last = marks.at(-1)
    const isSoon = at - now <= hourMs
    // Marks of the next hour do not swallow later ones: the colour would say too much.
    if (last && x - last.first < minGap) {
      last.tasks.push(task)
      last.x = (last.first + x) / 2
    } else marks.push({ x, first: x, tone: isSoon ? 'soon' : '', tasks: [task] })
  }
  if (expired.length > 0) return [{ x: nowAt * 0.4, tone: 'late', tasks: expired }, ...marks]
  return marks
}

export interface Tick {
  readonly x: number
  readonly at: number
  /** Whether it begins a day: then its day is shown, else its time. */
  readonly isDay: boolean
}

/** Candidates of a day line, in hours of the day, and how many days apart on the longer lines. */
const steps: Record<Range, readonly number[]> = {
  '24h': [1, 3, 6, 11, 17, 24],
  '7d': [1, 2, 3, 4, 5, 7],
  '30d': [2, 5, 8, 15, 22, 30],
}

/** About six ticks, on full hours or at the beginning of days. */
export function toTicks(now: number, range: Range, zone: string): Tick[] {
  if (range === '24h')
    return steps[range].map((hours) => {
      // Full hours of the wall: some zones are half an hour off.
      const minutes = Number(toWall(now, zone).slice(14, 16))
      const at = hours === 24 ? now + rangeMs[range] : now - (now % 60_000) - minutes * 60_000 + hours * hourMs
      return { at, x: placeOf(at, now, range), isDay: toWall(at, zone).slice(11, 13) === '00' && hours < 24 }
    })
  const today = dayOf(now, zone)
  return steps[range].map((days) => {
    const isLast = days === steps[range].at(-1)
    const at = isLast ? now + rangeMs[range] : fromWall(`${addDays(today, days)}T00:00`, zone)
    return { at, x: placeOf(at, now, range), isDay: true }
  })
}

/** The end of the next hour: until there the line is amber when something is due. */
export const hourEnd = (range: Range): number => placeOf(hourMs, 0, range) - nowAt
