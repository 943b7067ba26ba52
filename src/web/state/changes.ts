import type { TaskDraftWire, TaskWire } from '#api/schemas/task.ts'
import { quoted } from '../format/quoted.ts'
import { text } from '../text/en.ts'
import { client } from './client.ts'
import { lingering, markFor, putTask, tasks } from './tasks.ts'
import { showToast } from './toast.ts'

interface Change {
  readonly task: TaskWire
  /** The task as it will be, shown at once; null for one that goes. */
  readonly expected: TaskWire | null
  /** Sends the change. @returns the task as it is then; null for one that is gone */
  readonly send: () => Promise<TaskWire | null>
  /** The text of the toast. */
  readonly message: string
  readonly undo?: () => void
}

/** Shows a change at once, sends it, and offers to undo it. If it fails, the task is again what it was, and a toast says why. */
export async function change({ task, expected, send, message, undo }: Change): Promise<void> {
  putTask(task.id, expected)
  showToast({ message, undo })
  try {
    putTask(task.id, await send())
  } catch (error) {
    // A newer version that has arrived meanwhile stays.
    const known = tasks.value.get(task.id)
    if (known === undefined || known === expected) putTask(task.id, task)
    showToast({ message: text.failed(message, error) })
  }
}

/** How long a completed row stays, struck through. */
const lingerMs = 800

export function completeTask(task: TaskWire): Promise<void> {
  markFor(lingerMs, lingering, task.id)
  return change({
    task,
    expected: { ...task, completed_dt: new Date().toISOString() },
    send: () => client.completeTask(task.id),
    message: text.completed(quoted(task.title)),
    undo: () => reopenTask(latest(task)),
  })
}

export function reopenTask(task: TaskWire): Promise<void> {
  const { completed_dt } = task
  return change({
    task,
    expected: { ...task, completed_dt: null },
    send: () => client.reopenTask(task.id),
    message: text.reopened(quoted(task.title)),
    undo: () => restoreCompletion(latest(task), completed_dt),
  })
}

/** Completes a task at the instant at which it was completed before. */
function restoreCompletion(task: TaskWire, completed_dt: string | null): Promise<void> {
  return change({
    task,
    expected: { ...task, completed_dt },
    send: () => client.updateTask(task.id, { completed_dt }),
    message: text.completed(quoted(task.title)),
    undo: () => reopenTask(latest(task)),
  })
}

/** @param until an instant, in ms @param shown the same for people */
export function snoozeTask(task: TaskWire, until: number, shown: string): Promise<void> {
  const untilText = new Date(until).toISOString()
  return change({
    task,
    expected: { ...task, snoozed_until_dt: untilText },
    send: () => client.snoozeTask(task.id, { until: untilText }),
    message: text.snoozed(quoted(task.title), shown),
  })
}

export function deleteTask(task: TaskWire): Promise<void> {
  return change({
    task,
    expected: null,
    send: async () => {
      await client.deleteTask(task.id)
      return null
    },
    message: text.deleted(quoted(task.title)),
    undo: () => restoreTask(task),
  })
}

function restoreTask(task: TaskWire): Promise<void> {
  return change({
    task,
    expected: task,
    send: async () => {
      await client.restoreTasks({ ids: [task.id] })
      return client.getTask(task.id)
    },
    message: text.restored(quoted(task.title)),
  })
}

/** Adds a task of quick add. @throws what the client throws: the field keeps the text, and shows why */
export async function addTask(draft: TaskDraftWire): Promise<void> {
  const task = await client.createTask(draft)
  putTask(task.id, task)
  showToast({ message: text.added(quoted(task.title)), undo: () => deleteTask(latest(task)) })
}

const latest = (task: TaskWire) => tasks.value.get(task.id) ?? task
