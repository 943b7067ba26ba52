import { signal } from '@preact/signals'

/** The tasks that are selected in the list of all tasks. */
export const selected = signal<ReadonlySet<number>>(new Set())

/** Whether rows show boxes although none is selected yet: a finger has no `x`. */
export const isSelecting = signal(false)

/** The row at which a range begins. */
let anchor: number | null = null

export function toggle(id: number): void {
  const next = new Set(selected.value)
  if (!next.delete(id)) next.add(id)
  anchor = id
  selected.value = next
}

/** Selects the rows from the last selected one to this one. @param order the ids of all rows */
export function selectTo(id: number, order: readonly number[]): void {
  const from = anchor === null ? -1 : order.indexOf(anchor)
  const to = order.indexOf(id)
  if (from < 0 || to < 0) {
    if (!selected.value.has(id)) toggle(id)
    return
  }
  const next = new Set(selected.value)
  for (const one of order.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(one)
  selected.value = next
}

export function selectAll(ids: readonly number[]): void {
  selected.value = new Set(ids)
}

export function clearSelection(): void {
  anchor = null
  isSelecting.value = false
  if (selected.value.size > 0) selected.value = new Set()
}
