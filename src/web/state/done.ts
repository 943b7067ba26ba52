import { computed } from '@preact/signals'
import type { TaskWire } from '#api/schemas/task.ts'
import { dayOf } from '../format/zone.ts'
import { comparators } from './filter.ts'
import { zone } from './settings.ts'
import { createTaskList, latestOf } from './task-list.ts'

/** The list of the screen Done. */
export const list = createTaskList()

/** The server does not sort by completion. A task is not completed after its last change, so this order is near. */
export const openDone = () =>
  list.open({ query: { status: 'completed', sort: '-update_dt' }, compare: comparators.changed })

/**
 * Completed tasks, newest first. Those that are not loaded yet were last changed before the last loaded one, and completed before that: what
 * was completed later has its final place, and the rest waits for the next page.
 */
export function sortDone(loaded: readonly TaskWire[], isComplete: boolean): TaskWire[] {
  const until = isComplete ? '' : (loaded.at(-1)?.update_dt ?? '')
  return loaded
    .filter(({ completed_dt }) => completed_dt !== null && completed_dt >= until)
    .sort((a, b) => ((a.completed_dt ?? '') < (b.completed_dt ?? '') ? 1 : -1))
}

/** One that was just reopened leaves before the server has answered. */
const done = computed(() => sortDone(list.items.value.map(latestOf), list.more.value === 'none'))

/** By the day on which they were completed. */
export const days = computed(() => {
  const found = new Map<string, TaskWire[]>()
  for (const task of done.value) {
    const day = dayOf(Date.parse(task.completed_dt as string), zone())
    const tasks = found.get(day)
    if (tasks) tasks.push(task)
    else found.set(day, [task])
  }
  return found
})
