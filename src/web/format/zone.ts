/**
 * Days and wall times of a zone, by Intl: not by Temporal, which some browsers lack and whose polyfill is larger than the app. A day is
 * text, `2026-12-01`: its order is that of time.
 */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (!format) {
    const digits = { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' } as const
    format = new Intl.DateTimeFormat('en-CA', { ...digits, second: '2-digit', timeZone: zone, hourCycle: 'h23' })
    formats.set(zone, format)
  }
  return format
}

/** `2026-12-01T09:00:00` of an instant in ms. */
export function toWall(at: number, zone: string): string {
  const parts: Record<string, string> = {}
  for (const { type, value } of formatOf(zone).formatToParts(at)) parts[type] = value
  const { year = '', month, day, hour, minute, second } = parts
  return `${year.padStart(4, '0')}-${month}-${day}T${hour}:${minute}:${second}`
}

export const dayOf = (at: number, zone: string): string => toWall(at, zone).slice(0, 10)

const utcOf = (wall: string) => Date.parse(`${wall}Z`)

/** The instant of a wall time, `2026-12-01T09:00`. In the hour that a clock change skips, it is as much later. */
export function fromWall(wall: string, zone: string): number {
  const target = utcOf(wall)
  const offsetAt = (at: number) => utcOf(toWall(at, zone)) - at
  const first = target - offsetAt(target)
  const second = target - offsetAt(first)
  // They differ near a clock change only. One of them may be a time that does not exist.
  return first === second || utcOf(toWall(second, zone)) === target ? second : Math.max(first, second)
}

const dayMs = 86_400_000

export const addDays = (day: string, days: number): string =>
  new Date(utcOf(`${day}T00:00`) + days * dayMs).toISOString().slice(0, 10)

export const daysBetween = (from: string, to: string): number => (utcOf(`${to}T00:00`) - utcOf(`${from}T00:00`)) / dayMs

/** The last day of the week of a day; weeks begin on Monday. */
export const endOfWeek = (day: string): string => addDays(day, (7 - new Date(utcOf(`${day}T00:00`)).getUTCDay()) % 7)
