import { draft } from '../state/draft.ts'
import { clear, isSending, reader, sendError, startReading, submit } from '../state/quick-add.ts'
import { reasonOf, text } from '../text/en.ts'

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
  const error = sendError.value
  const loaded = reader.value === 'failed' ? null : reader.value
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
        {isOpen && loaded && <loaded.Mirror />}
        <textarea
          rows={1}
          value={draft.value}
          aria-label={text.newTask}
          aria-invalid={error !== null}
          aria-describedby={error === null ? undefined : 'qa-error'}
          placeholder={text.quickAddExample}
          enterkeyhint="done"
          autocomplete="off"
          dir="auto"
          onFocus={startReading}
          onInput={(event) => {
            draft.value = event.currentTarget.value
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      {isOpen && (
        <div class="got">
          {loaded && <loaded.Reading />}
          {(reader.value === 'failed' || loaded?.reading.value === null) && <p class="hint">{text.notRead}</p>}
          {error !== null && (
            <p class="hint err" id="qa-error" role="alert">
              {reasonOf(error)}
            </p>
          )}
          <div class="bar right">
            <button class="btn text" type="button" onClick={clear}>
              {text.clear}
            </button>
            <button
              class="btn go"
              type="submit"
              aria-disabled={isSending.value || loaded?.reading.value?.task === null}
            >
              {text.addTask}
            </button>
          </div>
        </div>
      )}
    </form>
  )
}
