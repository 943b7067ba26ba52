import type { TaskWire } from '#api/schemas/task.ts'
import type { QueryOf } from '#client/methods.ts'

export const statuses = ['open', 'expired', 'completed', 'all'] as const
export type Status = (typeof statuses)[number]

export const priorities = ['high', 'medium', 'low', 'none'] as const
export type Priority = (typeof priorities)[number]

/** The orders of the list, each as the server names it. */
export const sorts = {
  expiry: 'expiry_dt',
  priority: '-priority,expiry_dt',
  newest: '-create_dt',
  changed: '-update_dt',
  title: 'title',
} as const
export type Sort = keyof typeof sorts

/** The choice of tasks on the screen of all tasks. It is the query of its address. */
export interface Filter {
  readonly q: string
  readonly status: Status
  readonly tags: readonly string[]
  readonly priority: Priority | null
  readonly sort: Sort
}

export const noFilter: Filter = { q: '', status: 'open', tags: [], priority: null, sort: 'expiry' }

const oneOf = <Value extends string>(values: readonly Value[], value: string | null): Value | null =>
  values.find((one) => one === value) ?? null

/** Reads the query of an address. Unknown values are left out. */
export function parseFilter(query: URLSearchParams): Filter {
  return {
    q: query.get('q') ?? '',
    status: oneOf(statuses, query.get('status')) ?? noFilter.status,
    tags: [...new Set(query.getAll('tag'))].filter((tag) => tag !== ''),
    priority: oneOf(priorities, query.get('priority')),
    sort: oneOf(Object.keys(sorts) as Sort[], query.get('sort')) ?? noFilter.sort,
  }
}

/** The path of the screen with a filter: `all?tag=home`. The defaults are left out. */
export function pathOf({ q, status, tags, priority, sort }: Filter): string {
  const query = new URLSearchParams()
  if (q !== '') query.set('q', q)
  if (status !== noFilter.status) query.set('status', status)
  for (const tag of tags) query.append('tag', tag)
  if (priority) query.set('priority', priority)
  if (sort !== noFilter.sort) query.set('sort', sort)
  return query.size === 0 ? 'all' : `all?${query}`
}

/** Whether it leaves out tasks by more than their status. */
export const isNarrow = ({ q, tags, priority }: Filter): boolean =>
  q.trim() !== '' || tags.length > 0 || priority !== null

export type ListQuery = QueryOf<'listTasks'>

export function toQuery({ q, status, tags, priority, sort }: Filter): ListQuery {
  return {
    q: q.trim() || undefined,
    status,
    tag: tags.length > 0 ? tags : undefined,
    priority: priority ?? undefined,
    sort: sorts[sort],
  }
}

export type Compare = (a: TaskWire, b: TaskWire) => number

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
const byExpiry: Compare = (a, b) => byText(a.expiry_dt ?? '~', b.expiry_dt ?? '~')
const byId: Compare = (a, b) => a.id - b.id

/** The order of the server, for a task that arrives while the list is shown. All times have one form, so their order is that of text. */
export const comparators: Readonly<Record<Sort, Compare>> = {
  expiry: (a, b) => byExpiry(a, b) || byId(a, b),
  priority: (a, b) => priorities.indexOf(a.priority) - priorities.indexOf(b.priority) || byExpiry(a, b) || byId(a, b),
  newest: (a, b) => byText(b.create_dt, a.create_dt) || byId(b, a),
  changed: (a, b) => byText(b.update_dt, a.update_dt) || byId(b, a),
  title: (a, b) => byText(a.title, b.title) || byId(a, b),
}
