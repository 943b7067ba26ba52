import { computed } from '@preact/signals'
import type { TaskWire } from '#api/schemas/task.ts'
import { dayOf } from '../format/zone.ts'
import { comparators } from './filter.ts'
import { zone } from './settings.ts'
import { sortDone } from './sort-done.ts'
import { createTaskList, latestOf } from './task-list.ts'

/** The list of the screen Done. */
export const list = createTaskList()

/** The server does not sort by completion. A task is not completed after its last change, so this order is near. */
export const openDone = () =>
  list.open({ query: { status: 'completed', sort: '-update_dt' }, compare: comparators.changed })

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
