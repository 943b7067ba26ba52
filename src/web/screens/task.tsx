import { signal } from '@preact/signals'
import { useLayoutEffect, useRef } from 'preact/hooks'
import type { TaskWire } from '#api/schemas/task.ts'
import { lastScreen, navigate, route } from '../router.ts'
import { type Key, rowKeys, useKeys } from '../state/keys.ts'
import { loadTask, missing } from '../state/task.ts'
import { loading, reload, tasks } from '../state/tasks.ts'
import { text } from '../text/en.ts'
import { taskText } from '../text/task.ts'
import { ErrorNote, Skeleton } from '../ui/notes.tsx'
import { QuickAdd } from '../ui/quick-add.tsx'
import { openSnooze } from '../ui/snooze.tsx'
import { Groups } from './expiring.tsx'
import { BackLink, CloseLink, canSnooze, deleteAndClose, Panel, toggleComplete } from './task/panel.tsx'
import './task.css'

/** From here on there is room for the list beside the task. */
const wide = matchMedia('(min-width: 1024px)')
const isWide = signal(wide.matches)
wide.addEventListener('change', () => {
  isWide.value = wide.matches
})

const shownTask = () => tasks.value.get(route.value.id)

/** Does something with the task, or with the row that has the focus. */
function runOn(key: string, run: (task: TaskWire) => void): () => void {
  return () => {
    const task = shownTask()
    if (document.activeElement?.closest('.row')) rowKeys.find((one) => one.key === key)?.run()
    else if (task) run(task)
  }
}

const taskKeys: readonly Key[] = [
  { key: 'e', label: taskText.keys.edit, run: () => document.querySelector<HTMLElement>('.ttl')?.focus() },
  { key: 'c', label: taskText.keys.complete, run: runOn('c', toggleComplete) },
  {
    key: 's',
    label: taskText.keys.snooze,
    run: runOn('s', (task) => {
      const button = document.getElementById('task-snooze')
      if (button && canSnooze(task)) openSnooze(task, button)
    }),
  },
  {
    key: 'Delete',
    label: taskText.keys.delete,
    run: () => {
      const task = shownTask()
      if (task) deleteAndClose(task)
    },
  },
]
const wideKeys = [...rowKeys.filter(({ key }) => key === 'j' || key === 'k'), ...taskKeys]

/** Leaves the field first, then the task. Menus and dialogs close themselves. */
function onEscape(event: KeyboardEvent): void {
  if (event.key !== 'Escape' || event.defaultPrevented || document.querySelector(':popover-open, dialog[open]')) return
  const target = event.target as HTMLElement
  if (target.closest('.qa')) return
  if (target.matches('input:not([type="radio"], [type="checkbox"]), textarea, select')) target.blur()
  else navigate(lastScreen.value.path)
}

/** One task: a panel beside the list on a desk, a page of its own on a phone. */
export function Task() {
  useKeys(isWide.value ? wideKeys : taskKeys)
  useLayoutEffect(() => {
    document.addEventListener('keydown', onEscape)
    return () => document.removeEventListener('keydown', onEscape)
  }, [])
  const { id } = route.value
  if (!isWide.value)
    return (
      <main class="split" id="main" tabIndex={-1}>
        <Shown id={id} key={id} />
      </main>
    )
  return (
    <main class="split" id="main" tabIndex={-1}>
      <section class="list" aria-labelledby="list-heading">
        <h2 class="h1" id="list-heading">
          {text.expiring}
        </h2>
        <QuickAdd />
        {loading.value === 'ready' && <Groups />}
      </section>
      <Shown id={id} key={id} />
    </main>
  )
}

function Shown({ id }: { id: number }) {
  const article = useRef<HTMLElement>(null)
  const task = tasks.value.get(id)
  const state = loading.value
  useLayoutEffect(() => {
    if (state === 'ready' && !task) loadTask(id)
  }, [id, state, task === undefined])
  useLayoutEffect(() => {
    document.title = `${task?.title ?? taskText.task(id)} · Duebell`
  }, [id, task?.title])
  useLayoutEffect(() => {
    // A row of the list beside keeps the focus.
    if (isFocusLost()) article.current?.focus({ preventScroll: true })
    // Back in a list, the row of the task has the focus.
    return () =>
      queueMicrotask(() => {
        if (isFocusLost()) document.querySelector<HTMLElement>(`#task-${id} .t`)?.focus({ preventScroll: true })
      })
  }, [id])
  return (
    <article class="panel" aria-labelledby="task-heading" tabIndex={-1} ref={article}>
      {task ? <Panel task={task} /> : <NotShown id={id} />}
    </article>
  )
}

const isFocusLost = () => document.activeElement === null || document.activeElement === document.body

/** A task that is being loaded, or could not be. */
function NotShown({ id }: { id: number }) {
  const state = loading.value
  const error = typeof state === 'object' ? state.error : missing.value.get(id)
  const isGone = (error as { status?: number } | undefined)?.status === 404
  return (
    <>
      <div class="bar apart">
        <BackLink />
        <CloseLink />
      </div>
      <h1 class={isGone ? undefined : 'vh'} id="task-heading">
        {isGone ? taskText.missing : taskText.task(id)}
      </h1>
      {isGone && <p class="mute">{taskText.missingHint(id)}</p>}
      {error === undefined && <Skeleton />}
      {error !== undefined && !isGone && (
        <ErrorNote
          title={taskText.loadFailed}
          error={error}
          onRetry={() => (typeof state === 'object' ? reload() : loadTask(id))}
        />
      )}
    </>
  )
}
