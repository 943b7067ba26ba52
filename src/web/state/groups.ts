import type { TaskWire } from '#api/schemas/task.ts'
import { dayOf, daysBetween, endOfWeek } from '../format/zone.ts'

export const groupNames = ['expired', 'hour', 'today', 'tomorrow', 'week', 'later', 'none'] as const
export type GroupName = (typeof groupNames)[number]

const hourMs = 3_600_000

/** Distributes tasks, which are in the order of their expiry, over the groups of the first screen. */
export function groupTasks(tasks: readonly TaskWire[], now: number, zone: string): Map<GroupName, TaskWire[]> {
  const today = dayOf(now, zone)
  const weekEnd = endOfWeek(today)
  const groups = new Map<GroupName, TaskWire[]>()
  for (const task of tasks) {
    const name = groupOf(task, { now, zone, today, weekEnd })
    const group = groups.get(name)
    if (group) group.push(task)
    else groups.set(name, [task])
  }
  return groups
}

interface Today {
  readonly now: number
  readonly zone: string
  readonly today: string
  readonly weekEnd: string
}

function groupOf({ expiry_dt, expiry_date }: TaskWire, { now, zone, today, weekEnd }: Today): GroupName {
  if (expiry_dt === null) return 'none'
  const at = Date.parse(expiry_dt)
  if (at <= now) return 'expired'
  if (at - now <= hourMs) return 'hour'
  // A whole day ends at midnight, which is the next day already.
  const day = dayOf(expiry_date === null ? at : at - 1, zone)
  const days = daysBetween(today, day)
  if (days <= 0) return 'today'
  if (days === 1) return 'tomorrow'
  return day <= weekEnd ? 'week' : 'later'
}
