import { batch, computed, signal } from '@preact/signals'
import type { EventWire } from '#api/schemas/event.ts'
import type { TaskWire } from '#api/schemas/task.ts'
import { client, currentCursor } from './client.ts'
import { loadSettings } from './settings.ts'

/**
 * The tasks that are open, and those that this page has seen completed. They are loaded once; from then on the change stream keeps them as
 * the server has them:
 *
 *   cursor ─▶ list of open tasks ─▶ stream after the cursor
 *
 * What happens between the first two is in both, and the version decides.
 */
export const tasks = signal<ReadonlyMap<number, TaskWire>>(new Map())

/** The state of the list; an error of the first load stays until `reload`. */
export const loading = signal<'loading' | 'ready' | { readonly error: unknown }>('loading')

/** Tasks that were just changed elsewhere: their rows are tinted for a second. */
export const changedElsewhere = signal<ReadonlySet<number>>(new Set())

/** Tasks that were just completed here: their rows stay for a moment, so that a click in the wrong place is seen. */
export const lingering = signal<ReadonlySet<number>>(new Set())

/** Open tasks by expiry; those without one come last. */
export const openTasks = computed(() =>
  [...tasks.value.values()].filter(({ completed_dt }) => completed_dt === null).sort(byExpiry),
)

/** All times have one form, so their order is that of their text. */
function byExpiry(a: TaskWire, b: TaskWire): number {
  const [first, second] = [a.expiry_dt ?? '~', b.expiry_dt ?? '~']
  return first < second ? -1 : first > second ? 1 : a.id - b.id
}

/** Sets a task as it is now, or deletes it by null. An older version than the known one is ignored. */
export function putTask(id: number, task: TaskWire | null): void {
  const known = tasks.value.get(id)
  if (task && known && known.version > task.version) return
  const next = new Map(tasks.value)
  if (task) next.set(id, task)
  else next.delete(id)
  tasks.value = next
}

/** Adds an id to a set for a while. */
export function markFor(ms: number, set: typeof lingering, id: number): void {
  set.value = new Set(set.value).add(id)
  setTimeout(() => {
    const rest = new Set(set.value)
    rest.delete(id)
    set.value = rest
  }, ms)
}

const retryMs = 5_000

/** Loads the tasks and follows the stream, until the page is closed. */
export async function startTasks(): Promise<void> {
  for (;;) {
    try {
      await follow(await load())
    } catch (error) {
      if (loading.value !== 'ready') loading.value = { error }
    }
    await new Promise<void>((resolve) => {
      retry = resolve
      setTimeout(resolve, retryMs)
    })
  }
}

let retry = () => {}

/** The button «Try again»: does not wait for the next attempt. */
export function reload(): void {
  loading.value = 'loading'
  retry()
}

/** @returns the cursor after which the stream continues */
async function load(): Promise<string> {
  const [cursor] = await Promise.all([currentCursor(), loadSettings()])
  const loaded = new Map<number, TaskWire>()
  for await (const task of client.iterateTasks({ status: 'open', sort: 'expiry_dt' }, { pageSize: 5_000 }))
    loaded.set(task.id, task)
  batch(() => {
    tasks.value = loaded
    loading.value = 'ready'
  })
  return cursor
}

/** Other screens listen here to what happens: notifications, deliveries. */
export const listeners = new Set<(event: EventWire) => void>()

/** Returns when everything must be loaded again. */
async function follow(cursor: string): Promise<void> {
  for await (const event of client.followEvents({ after: cursor })) {
    if (event.type === 'reset') return
    if (event.type === 'tasks.cleared' || event.type === 'tasks.imported') await load()
    else applyEvent(event)
    for (const listener of listeners) listener(event)
  }
}

function applyEvent({ subject, data: { task } }: EventWire): void {
  const id = Number(/^tasks\/(\d+)$/.exec(subject)?.[1])
  if (!Number.isInteger(id)) return
  const known = tasks.value.get(id)
  if (!known && (!task || task.completed_dt !== null)) return
  // The change was made here, and its response came first.
  if (task && known && known.version >= task.version) return
  if (task) markFor(1_000, changedElsewhere, id)
  putTask(id, task)
}
