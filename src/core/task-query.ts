import { type Priority, priorities, type Task } from './task.ts'

/** Which tasks a list has. All conditions hold at once. */
export interface TaskFilter {
  readonly status?: 'all' | 'open' | 'expired' | 'completed'
  /** Each of them. */
  readonly tags?: readonly string[]
  readonly priority?: Priority
  /** ms since 1970, as all of these. From then on … */
  readonly expiresAfter?: number
  /** … and before then. */
  readonly expiresBefore?: number
  /** Later than then. */
  readonly updatedAfter?: number
  readonly ids?: readonly number[]
  /** Each of them begins a word of title or description; see core/tokenize.ts. */
  readonly words?: readonly string[]
}

export type SortColumn = 'id' | 'expiry' | 'priority' | 'title' | 'created' | 'updated'

export interface SortKey {
  readonly by: SortColumn
  readonly isDescending: boolean
}

/** What a task is sorted by: a value for each key. Tasks without an expiry are last, whichever way. */
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
