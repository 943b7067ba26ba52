import { computed } from '@preact/signals'
import { route } from '../router.ts'
import { comparators, parseFilter, toQuery } from './filter.ts'
import { selected } from './selection.ts'
import { createTaskList, latestOf } from './task-list.ts'
import { lingering } from './tasks.ts'

/** The list of the screen of all tasks, and what its address asks for. */
export const list = createTaskList()

export const filter = computed(() => parseFilter(route.value.query))

export const openFiltered = () => list.open({ query: toQuery(filter.value), compare: comparators[filter.value.sort] })

/** The rows, as they are known at this moment: one that was just completed leaves before the server has answered. */
export const rows = computed(() => {
  const { status } = filter.value
  const latest = list.items.value.map(latestOf)
  if (status === 'all') return latest
  return latest.filter(
    ({ id, completed_dt }) => (completed_dt !== null) === (status === 'completed') || lingering.value.has(id),
  )
})

/** The selected rows that are still in the list. */
export const selectedTasks = computed(() => rows.value.filter(({ id }) => selected.value.has(id)))
