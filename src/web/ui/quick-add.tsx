import { signal } from '@preact/signals'
import { addTask } from '../state/changes.ts'
import { reasonOf, text } from '../text/en.ts'

/** The text in the field; it stays when the screen changes. An example on a screen may set it. */
export const draft = signal('')

const error = signal<unknown>(null)
const isSending = signal(false)

export const focusQuickAdd = () => document.querySelector<HTMLElement>('.qa textarea')?.focus()

async function submit(): Promise<void> {
  const title = draft.value.trim()
  if (title === '' || isSending.value) return
  isSending.value = true
  error.value = null
  try {
    await addTask(title)
    draft.value = ''
  } catch (reason) {
    error.value = reason
  }
  isSending.value = false
}

function clear(): void {
  draft.value = ''
  error.value = null
}

function onKeyDown(event: KeyboardEvent): void {
  // Enter while an input method composes a word chooses the word.
  if (event.key === 'Enter' && !event.isComposing) {
    event.preventDefault()
    submit()
  } else if (event.key === 'Escape') {
    if (draft.value === '') (event.target as HTMLElement).blur()
    else clear()
  }
}

/** The field by which a task is added, on every screen. */
export function QuickAdd() {
  const isOpen = draft.value !== ''
  return (
    <form
      class={isOpen ? 'qa is-open' : 'qa'}
      aria-label={text.addTask}
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <div class="type">
        <textarea
          rows={1}
          value={draft.value}
          aria-label={text.newTask}
          aria-invalid={error.value !== null}
          aria-describedby={error.value === null ? undefined : 'qa-error'}
          placeholder={text.quickAddExample}
          enterkeyhint="done"
          autocomplete="off"
          onInput={(event) => {
            draft.value = event.currentTarget.value
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      {isOpen && (
        <div class="got">
          {error.value !== null && (
            <p class="hint err" id="qa-error" role="alert">
              {reasonOf(error.value)}
            </p>
          )}
          <div class="bar right">
            <button class="btn text" type="button" onClick={clear}>
              {text.clear}
            </button>
            <button class="btn go" type="submit" aria-disabled={isSending.value}>
              {text.addTask}
            </button>
          </div>
        </div>
      )}
    </form>
  )
}
