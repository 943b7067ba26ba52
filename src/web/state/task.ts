import { computed, signal } from '@preact/signals'
import type { TaskPatchWire, TaskWire } from '#api/schemas/task.ts'
import { quoted } from '../format/quoted.ts'
import { taskText } from '../text/task.ts'
import { client } from './client.ts'
import { putTask, tasks } from './tasks.ts'
import { showToast } from './toast.ts'

/** Members that the screen edits. */
export type Edit = Pick<
  TaskPatchWire,
  'title' | 'description' | 'expiry_dt' | 'expiry_date' | 'reminders' | 'tags' | 'priority'
>
type Member = keyof Edit

/** An edit that the server does not have yet. The screen shows its values in place of those of the task. */
export interface Pending {
  readonly edit: Edit
  /** The task as the user saw it while editing. */
  readonly seen: TaskWire
  /** Why it is not saved; absent while it is being sent. */
  readonly error?: unknown
  /** The task as it was changed elsewhere, and which of the edited members that concerns. */
  readonly conflict?: { readonly current: TaskWire; readonly members: readonly Member[] }
}

/** By the id of the task: the user may go on to another one before this is saved. */
export const pending = signal<ReadonlyMap<number, Pending>>(new Map())

function setPending(id: number, value: Pending | null): void {
  const next = new Map(pending.value)
  if (value) next.set(id, value)
  else next.delete(id)
  pending.value = next
}

/** Tasks with an edit applied, as the fields show them. */
export const withEdits = computed(() => (task: TaskWire): TaskWire => {
  const edit = pending.value.get(task.id)?.edit
  return edit ? ({ ...task, ...edit } as TaskWire) : task
})

/** The values that this page has saved last, by task. A value from here is no change of someone else. */
const saved = new Map<number, Edit>()
/** The saves of a task follow each other, so that a version is known before the next is sent. */
const queues = new Map<number, Promise<void>>()

const isSame = (a: unknown, b: unknown) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null)

interface SaveOptions {
  /** Absent: the edit is itself an undo. */
  readonly hasUndo?: boolean
}

/** Sends an edit of a task, as it was seen. An edit that is not saved stays in `pending`, with the reason. */
export function saveTask(seen: TaskWire, edit: Edit, { hasUndo = true }: SaveOptions = {}): Promise<void> {
  const waiting = pending.value.get(seen.id)
  // An edit that waits for the user's decision is sent along, and so are the values of one that failed.
  const next: Pending = { edit: { ...waiting?.edit, ...edit }, seen: waiting?.seen ?? seen }
  setPending(seen.id, next)
  return enqueue(seen.id, () => send(seen.id, hasUndo))
}

function enqueue(id: number, work: () => Promise<void>): Promise<void> {
  const run = (queues.get(id) ?? Promise.resolve()).then(work)
  queues.set(id, run)
  return run
}

async function send(id: number, hasUndo: boolean, version?: number): Promise<void> {
  const sent = pending.value.get(id)
  // The previous one in the queue has taken its values along.
  if (!sent) return
  const before = tasks.value.get(id) ?? sent.seen
  try {
    const task = await client.updateTask(id, sent.edit, { ifVersion: version ?? sent.seen.version })
    saved.set(id, { ...saved.get(id), ...sent.edit })
    putTask(id, task)
    keepNewer(id, sent, task)
    if (hasUndo) offerUndo(task, before, sent.edit)
  } catch (error) {
    const { current } = (error as { problem?: { current?: TaskWire } }).problem ?? {}
    if (!current) return markFailed(id, sent, { error })
    putTask(id, current)
    const members = conflictsOf(sent, current)
    // Other members were changed elsewhere: both changes hold.
    if (members.length === 0 && current.version !== version) return send(id, hasUndo, current.version)
    markFailed(id, sent, { conflict: { current, members } })
  }
}

/** Edits that were made while one was being sent stay. */
function keepNewer(id: number, sent: Pending, task: TaskWire): void {
  const now = pending.value.get(id)
  const isAll = !now || now === sent
  const rest = Object.entries(isAll ? {} : now.edit).filter(
    ([member, value]) => !isSame(value, sent.edit[member as Member]),
  )
  setPending(id, rest.length === 0 ? null : { edit: Object.fromEntries(rest), seen: task })
}

function markFailed(id: number, sent: Pending, reason: Pick<Pending, 'error' | 'conflict'>): void {
  const now = pending.value.get(id) ?? sent
  setPending(id, { edit: now.edit, seen: now.seen, ...reason })
}

function conflictsOf({ edit, seen }: Pending, current: TaskWire): Member[] {
  const own = saved.get(seen.id) ?? {}
  const edited = new Set(Object.keys(edit) as Member[])
  // A task expires at a time or on a day: a change of one is a change of the other.
  if (edited.has('expiry_date') || edited.has('expiry_dt')) edited.add('expiry_date').add('expiry_dt')
  return [...edited].filter((member) => {
    const isKnown = [seen, edit, own].some((known) => member in known && isSame(known[member], current[member]))
    return !isKnown
  })
}

function offerUndo(task: TaskWire, before: TaskWire, edit: Edit): void {
  const members = new Set(Object.keys(edit) as Member[])
  // The end of a day is no expiry of its own.
  if (members.has('expiry_date') && before.expiry_date === null) members.add('expiry_dt')
  if (before.expiry_date !== null && members.delete('expiry_dt')) members.add('expiry_date')
  const old = Object.fromEntries([...members].map((member) => [member, before[member]])) as Edit
  showToast({
    message: taskText.changed(quoted(task.title)),
    undo: () => saveTask(tasks.value.get(task.id) ?? task, old, { hasUndo: false }),
  })
}

/** Sends again what failed, or what is in conflict: then over the change of the other side. */
export function keepMine(id: number): void {
  const waiting = pending.value.get(id)
  if (!waiting) return
  const seen = waiting.conflict?.current ?? waiting.seen
  setPending(id, { edit: waiting.edit, seen })
  enqueue(id, () => send(id, true))
}

/** Gives up an edit: the fields show the task as the server has it. */
export function takeTheirs(id: number): void {
  setPending(id, null)
}

/** Tasks that are not among the open ones: why they could not be loaded. */
export const missing = signal<ReadonlyMap<number, unknown>>(new Map())

/** Loads a task that is not known, such as a completed one. */
export async function loadTask(id: number): Promise<void> {
  const rest = new Map(missing.value)
  if (rest.delete(id)) missing.value = rest
  try {
    putTask(id, await client.getTask(id))
  } catch (error) {
    missing.value = new Map(missing.value).set(id, error)
  }
}
