import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { TaskWire } from '#api/schemas/task.ts'
import { saveTask } from '../../state/task.ts'
import { taskText } from '../../text/task.ts'

/** Keeps what is typed into a field, until the field is left: then it is saved. */
function useDraft(task: TaskWire, value: string, save: (seen: TaskWire, draft: string) => void) {
  const [draft, setDraft] = useState<string | null>(null)
  const typing = useRef<{ draft: string | null; seen: TaskWire }>({ draft: null, seen: task })
  const set = (next: string | null) => {
    // The change is one of the task as it was when the typing began.
    if (typing.current.draft === null) typing.current.seen = task
    typing.current.draft = next
    setDraft(next)
  }
  const commit = () => {
    const { draft: typed, seen } = typing.current
    typing.current.draft = null
    setDraft(null)
    if (typed !== null && typed !== value) save(seen, typed)
  }
  const latest = useRef(commit)
  latest.current = commit
  // The browser's own way back leaves a field without a blur.
  useLayoutEffect(() => () => latest.current(), [])
  return { shown: draft ?? value, set, commit }
}

interface FieldProps {
  /** As the server has it. */
  readonly task: TaskWire
  /** With what is not saved yet. */
  readonly shown: TaskWire
}

/** The title: Enter or leaving it saves, Escape takes the typing back. */
export function Title({ task, shown }: FieldProps) {
  const {
    shown: value,
    set,
    commit,
  } = useDraft(task, shown.title, (seen, draft) => {
    const title = draft.replaceAll(/\s+/g, ' ').trim()
    if (title !== '' && title !== shown.title) saveTask(seen, { title })
  })
  return (
    <textarea
      class="ttl"
      rows={1}
      dir="auto"
      aria-label={taskText.members.title}
      value={value}
      onInput={(event) => set(event.currentTarget.value)}
      onBlur={commit}
      onKeyDown={(event) => {
        if (event.key === 'Escape') set(null)
        if ((event.key !== 'Enter' && event.key !== 'Escape') || event.isComposing) return
        event.preventDefault()
        event.currentTarget.blur()
      }}
    />
  )
}

/** The notes: leaving them or Ctrl and Enter saves. Escape leaves them too: it must not throw away a long text. */
export function Notes({ task, shown }: FieldProps) {
  const {
    shown: value,
    set,
    commit,
  } = useDraft(task, shown.description ?? '', (seen, draft) => {
    saveTask(seen, { description: draft.trim() === '' ? null : draft })
  })
  return (
    <div class="field">
      <label for="task-notes">{taskText.members.description}</label>
      <textarea
        class="in quiet"
        id="task-notes"
        dir="auto"
        placeholder={taskText.notesHint}
        value={value}
        onInput={(event) => set(event.currentTarget.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          const isSave = event.key === 'Enter' && (event.ctrlKey || event.metaKey)
          if (event.isComposing || (event.key !== 'Escape' && !isSave)) return
          event.preventDefault()
          event.currentTarget.blur()
        }}
      />
    </div>
  )
}
