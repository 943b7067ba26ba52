import { batch, effect, type ReadonlySignal, signal } from '@preact/signals'
import type { EventWire } from '#api/schemas/event.ts'
import type { TaskWire } from '#api/schemas/task.ts'
import { client, offlineSince } from './client.ts'
import type { Compare, ListQuery } from './filter.ts'
import { lingering, listeners, tasks } from './tasks.ts'

export interface Listing {
  readonly query: ListQuery
  readonly compare: Compare
}

/** The size of a page: several windows, so that the next one is there before its place is seen. */
const pageSize = 200
/** As many tasks one request takes by their ids. */
export const maxIds = 1_000

export type TaskList = ReturnType<typeof createTaskList>

/**
 * A list that the server filters and sorts, loaded page by page. Changes are taken from the change stream by asking the server which of the
 * changed tasks match: it alone knows how it searches.
 */
export function createTaskList() {
  const items = signal<readonly TaskWire[]>([])
  const total = signal<number | null>(null)
  const state = signal<'loading' | 'ready' | { readonly error: unknown }>('loading')
  /** Whether the next page is loaded; an error of it stays until the next attempt. */
  const more = signal<'none' | 'waiting' | 'loading' | { readonly error: unknown }>('none')
  const pending = new Set<number>()
  let listing: Listing = { query: {}, compare: () => 0 }
  let cursor: string | null = null
  let controller = new AbortController()
  let isRefreshing = false

  /** Shows another listing. The rows stay until those of the new one are there. */
  async function open(next: Listing): Promise<void> {
    controller.abort()
    controller = new AbortController()
    const { signal: aborted } = controller
    listing = next
    // A cursor belongs to its listing.
    cursor = null
    if (state.peek() !== 'ready') state.value = 'loading'
    try {
      const page = await client.listTasks({ ...next.query, limit: pageSize, count: true }, { signal: aborted })
      if (aborted.aborted) return
      cursor = page.next_cursor
      batch(() => {
        items.value = page.tasks
        total.value = page.total ?? null
        state.value = 'ready'
        more.value = cursor === null ? 'none' : 'waiting'
      })
    } catch (error) {
      if (!aborted.aborted) state.value = { error }
    }
  }

  const reopen = () => open(listing)

  async function loadMore(limit = pageSize): Promise<void> {
    if (cursor === null || more.peek() === 'loading') return
    more.value = 'loading'
    const { signal: aborted } = controller
    try {
      const page = await client.listTasks({ ...listing.query, limit, cursor }, { signal: aborted })
      if (aborted.aborted) return
      cursor = page.next_cursor
      const known = new Set(items.peek().map(({ id }) => id))
      batch(() => {
        // One that has arrived by the change stream is there already.
        items.value = [...items.peek(), ...page.tasks.filter(({ id }) => !known.has(id))]
        more.value = cursor === null ? 'none' : 'waiting'
      })
    } catch (error) {
      if (!aborted.aborted) more.value = { error }
    }
  }

  /** Loads all pages that are left. @returns whether that succeeded */
  async function loadAll(): Promise<boolean> {
    const { signal: aborted } = controller
    while (cursor !== null && !aborted.aborted && typeof more.peek() !== 'object') await loadMore(maxIds)
    return cursor === null
  }

  /** Asks for changed tasks again. Those that change meanwhile are asked for after it, in one request. */
  async function refresh(ids: Iterable<number>): Promise<void> {
    for (const id of ids) pending.add(id)
    if (isRefreshing) return
    isRefreshing = true
    while (pending.size > 0) {
      const changed = [...pending].slice(0, maxIds)
      for (const id of changed) pending.delete(id)
      await refreshPart(changed).catch(() => {})
    }
    isRefreshing = false
  }

  async function refreshPart(changed: readonly number[]): Promise<void> {
    const at = listing
    const [found, counted] = await Promise.all([
      client.listTasks({ ...at.query, ids: changed, limit: maxIds }),
      client.listTasks({ ...at.query, limit: 0, count: true }),
    ])
    if (at !== listing) return
    batch(() => {
      items.value = merge(changed, found.tasks)
      total.value = counted.total ?? null
    })
  }

  function merge(changed: readonly number[], found: readonly TaskWire[]): readonly TaskWire[] {
    const matching = new Map(found.map((task) => [task.id, task]))
    const asked = new Set(changed)
    const next: TaskWire[] = []
    for (const task of items.peek()) {
      if (!asked.has(task.id)) next.push(task)
      // One that was just completed here stays, struck through; `isShown` hides it after a moment.
      else if (!matching.has(task.id) && lingering.peek().has(task.id)) next.push(task)
    }
    const loaded = next.length
    for (const task of matching.values()) next.push(task)
    const last = next[loaded - 1]
    next.sort(listing.compare)
    // A task that belongs behind the last page comes with the next one.
    if (cursor === null || !last) return next
    const end = next.indexOf(last)
    return next.filter((task, index) => index <= end || !matching.has(task.id) || known(task.id))
  }

  const known = (id: number) => items.peek().some((task) => task.id === id)

  /** Takes tasks out at once, before the server has answered. */
  function drop(ids: ReadonlySet<number>): void {
    const before = items.peek().length
    items.value = items.peek().filter(({ id }) => !ids.has(id))
    if (total.peek() !== null) total.value = (total.peek() ?? 0) - (before - items.peek().length)
  }

  function onEvent({ type, subject }: EventWire): void {
    const id = Number(/^tasks\/(\d+)$/.exec(subject)?.[1])
    if (type === 'tasks.cleared' || type === 'tasks.imported') reopen()
    else if (Number.isInteger(id)) refresh([id])
  }

  /** Follows the change stream. After the server was away it loads everything again. @returns stops it */
  function follow(): () => void {
    listeners.add(onEvent)
    let wasOffline = false
    const stop = effect(() => {
      const isOffline = offlineSince.value !== null
      if (wasOffline && !isOffline) queueMicrotask(reopen)
      wasOffline = isOffline
    })
    return () => {
      listeners.delete(onEvent)
      stop()
      controller.abort()
    }
  }

  const read = <Value>(value: ReadonlySignal<Value>) => value
  return {
    items: read(items),
    total: read(total),
    state: read(state),
    more: read(more),
    open,
    reopen,
    loadMore,
    loadAll,
    refresh,
    drop,
    follow,
  }
}

/** A task as this page knows it: a change that was just made here is in `tasks` before it is in the list. */
export function latestOf(task: TaskWire): TaskWire {
  const known = tasks.value.get(task.id)
  return known && known.version >= task.version ? known : task
}
