import type { TaskWire } from '#api/schemas/task.ts'
import { text } from '../text/all.ts'
import { text as common } from '../text/en.ts'
import { client } from './client.ts'
import { maxIds, type TaskList } from './task-list.ts'
import { tasks } from './tasks.ts'
import { showToast } from './toast.ts'

/** Changes of many tasks, by as few requests as possible. Each is shown when the server has answered, and can be undone. */

function* partsOf<Item>(items: readonly Item[]): Generator<Item[]> {
  for (let at = 0; at < items.length; at += maxIds) yield items.slice(at, at + maxIds)
}

/** One copy of the map for all, not one for each. */
function putTasks(changed: readonly TaskWire[]): void {
  const next = new Map(tasks.peek())
  for (const task of changed) if ((next.get(task.id)?.version ?? 0) < task.version) next.set(task.id, task)
  tasks.value = next
}

function removeTasks(ids: readonly number[]): void {
  const next = new Map(tasks.peek())
  for (const id of ids) next.delete(id)
  tasks.value = next
}

interface Bulk {
  readonly list: TaskList
  readonly ids: readonly number[]
  readonly message: string
  readonly send: () => Promise<void>
  readonly undo?: () => void
}

/** Sends, reads the rows again, and says what was done. A failure may be partial, so the rows are read again after it too. */
async function run({ list, ids, message, send, undo }: Bulk): Promise<void> {
  try {
    await send()
    showToast({ message, undo })
  } catch (error) {
    showToast({ message: common.failed(message, error) })
  }
  await list.refresh(ids)
}

async function setCompleted(ids: readonly number[], completedAt: string | null): Promise<void> {
  for (const part of partsOf(ids)) {
    const { tasks: changed } = await client.updateTasks({
      tasks: part.map((id) => ({ id, completed_dt: completedAt })),
    })
    putTasks(changed)
  }
}

export function completeTasks(list: TaskList, selected: readonly TaskWire[]): Promise<void> {
  // Those that are completed already keep their time.
  const ids = selected.filter(({ completed_dt }) => completed_dt === null).map(({ id }) => id)
  return run({
    list,
    ids,
    message: text.completedMany(ids.length),
    send: () => setCompleted(ids, new Date().toISOString()),
    undo: () => reopenTasks(list, ids),
  })
}

function reopenTasks(list: TaskList, ids: readonly number[]): Promise<void> {
  return run({ list, ids, message: text.reopenedMany(ids.length), send: () => setCompleted(ids, null) })
}

/** The rows go at once; the trash keeps the tasks for undo. */
export function deleteTasks(list: TaskList, selected: readonly TaskWire[]): Promise<void> {
  const ids = selected.map(({ id }) => id)
  list.drop(new Set(ids))
  return run({
    list,
    ids,
    message: text.deletedMany(ids.length),
    send: async () => {
      for (const part of partsOf(ids)) {
        await client.deleteTasks({ ids: part })
        removeTasks(part)
      }
    },
    undo: () => restoreTasks(list, ids),
  })
}

function restoreTasks(list: TaskList, ids: readonly number[]): Promise<void> {
  return run({
    list,
    ids,
    message: text.restoredMany(ids.length),
    send: async () => {
      for (const part of partsOf(ids)) await client.restoreTasks({ ids: part })
    },
  })
}

const withTag = (tags: readonly string[], tag: string) => (tags.includes(tag) ? [...tags] : [...tags, tag])
const withoutTag = (tags: readonly string[], tag: string) => tags.filter((one) => one !== tag)

export function addTag(list: TaskList, selected: readonly TaskWire[], tag: string): Promise<void> {
  const changed = selected.filter(({ tags }) => !tags.includes(tag))
  const ids = changed.map(({ id }) => id)
  return run({
    list,
    ids,
    message: text.taggedMany(ids.length, tag),
    send: () => setTags(changed, (tags) => withTag(tags, tag)),
    undo: () => untag(list, ids, tag),
  })
}

export function removeTag(list: TaskList, selected: readonly TaskWire[], tag: string): Promise<void> {
  const changed = selected.filter(({ tags }) => tags.includes(tag))
  const ids = changed.map(({ id }) => id)
  return run({
    list,
    ids,
    message: text.untaggedMany(ids.length, tag),
    send: () => setTags(changed, (tags) => withoutTag(tags, tag)),
    undo: () => retag(list, ids, tag),
  })
}

async function untag(list: TaskList, ids: readonly number[], tag: string): Promise<void> {
  await removeTag(list, await fetchTasks(ids), tag)
}

async function retag(list: TaskList, ids: readonly number[], tag: string): Promise<void> {
  await addTag(list, await fetchTasks(ids), tag)
}

async function fetchTasks(ids: readonly number[]): Promise<TaskWire[]> {
  const found: TaskWire[] = []
  for (const part of partsOf(ids)) found.push(...(await client.listTasks({ ids: part, limit: maxIds })).tasks)
  return found
}

const attempts = 3

/**
 * The API sets all tags of a task at once. With its version, a tag that is added elsewhere meanwhile is not lost: the server refuses the
 * change (409), and it is made again to the tasks as they are then.
 */
async function setTags(changed: readonly TaskWire[], edit: (tags: readonly string[]) => string[]): Promise<void> {
  for (const part of partsOf(changed)) {
    let latest: readonly TaskWire[] = part
    for (let attempt = 1; ; attempt++) {
      try {
        const patches = latest.map(({ id, version, tags }) => ({ id, version, tags: edit(tags) }))
        const { tasks: saved } = await client.updateTasks({ tasks: patches })
        putTasks(saved)
        break
      } catch (error) {
        if ((error as { problem?: { status: number } }).problem?.status !== 409 || attempt === attempts) throw error
        latest = await fetchTasks(part.map(({ id }) => id))
      }
    }
  }
}
