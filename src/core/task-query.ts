import { type Priority, priorities, type Task } from './task.ts'

/** Which tasks a list contains. All conditions hold at once. */
export interface TaskFilter {
  readonly status?: 'all' | 'open' | 'expired' | 'completed'
  /** A task has all of them. */
  readonly tags?: readonly string[]
  readonly priority?: Priority
  /** ms since 1970, as all instants here. Inclusive. */
  readonly expiresAfter?: number
  /** Exclusive. */
  readonly expiresBefore?: number
  /** Exclusive. */
  readonly updatedAfter?: number
  readonly ids?: readonly number[]
  /** Each is the prefix of a word of title or description; see core/tokenize.ts. */
  readonly words?: readonly string[]
}

export type SortColumn = 'id' | 'expiry' | 'priority' | 'title' | 'created' | 'updated'

export interface SortKey {
  readonly by: SortColumn
  readonly isDescending: boolean
}

/** The values by which a task is sorted, one for each key. Tasks without an expiry come last in both directions. */
export type Position = readonly (number | string | null)[]

export function positionOf(task: Task, sort: readonly SortKey[]): Position {
  return sort.map(({ by }) => sortValue[by](task))
}

const sortValue: Record<SortColumn, (task: Task) => number | string | null> = {
  id: ({ id }) => id,
  expiry: ({ expiryAt }) => expiryAt,
  priority: ({ priority }) => priorities.indexOf(priority),
  title: ({ title }) => title,
  created: ({ createdAt }) => createdAt,
  updated: ({ updatedAt }) => updatedAt,
}

export const byId: readonly SortKey[] = [{ by: 'id', isDescending: false }]
