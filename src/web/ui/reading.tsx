import { computed } from '@preact/signals'
import { quoted } from '../format/quoted.ts'
import { type Chip, keepAsText, type Reading as ReadingOf, readText } from '../format/reading.ts'
import { draft, focusQuickAdd } from '../state/draft.ts'
import { zone } from '../state/settings.ts'
import { minute } from '../state/time.ts'
import { text } from '../text/quick-add.ts'
import { Icon } from './icons.tsx'

if (typeof Temporal === 'undefined') throw new Error('The parser needs Temporal, and this browser has none.')

/** The draft as it is read; again each minute, because «in 2 hours» and «at 5» depend on the time. Null where the parser fails. */
export const reading = computed<ReadingOf | null>(() => {
  const words = draft.value
  minute.value
  const options = { now: Date.now(), zone: zone(), languages: navigator.languages }
  try {
    return readText(words, options)
  } catch (error) {
    // All of the text becomes the title, so that the task can be added still.
    console.error(error)
    return null
  }
})

/** The layer under the text of the field, which tints the parts that were read. */
export function Mirror() {
  const { spans } = reading.value ?? { spans: [] }
  const words = draft.value
  let from = 0
  return (
    <div class="mirror" dir="auto" aria-hidden="true">
      {spans
        .filter(({ field }) => field !== 'syntax')
        .map(({ start, end, field }) => {
          const before = words.slice(from, start)
          from = end
          const isTime = /^(?:expiry|time|recurrence)/.test(field)
          return [before, <mark class={isTime ? 'when' : undefined}>{words.slice(start, end)}</mark>]
        })}
      {words.slice(from)}
    </div>
  )
}

/** The task that Enter creates. */
export function Reading() {
  if (!reading.value) return null
  const { task, chips, dates, notes } = reading.value
  return (
    <>
      {task && task.title !== draft.value.trim() && (
        <p class="title">
          <span class="vh">{text.title}</span>
          <bdi dir="auto">{task.title}</bdi>
        </p>
      )}
      {chips.length > 0 && (
        <ul class="chips" aria-label={text.recognised}>
          {chips.map((chip) => (
            <ChipItem key={chip.key} chip={chip} />
          ))}
        </ul>
      )}
      {dates.length > 0 && (
        <ol class="next" aria-label={text.dates}>
          {dates.map((date) => (
            <li key={date}>{date}</li>
          ))}
        </ol>
      )}
      <div class="notes" role="status">
        {chips.length > 0 && <p class="vh">{text.summary(chips.map(({ label }) => label))}</p>}
        {notes.map((note) => (
          <p key={note} class="hint">
            {note}
          </p>
        ))}
      </div>
    </>
  )
}

function ChipItem({ chip }: { chip: Chip }) {
  const words = chip.pieces.map(({ start, end }) => draft.value.slice(start, end)).join(' … ')
  const dismiss = () => {
    draft.value = keepAsText(draft.value, chip)
    focusQuickAdd()
  }
  return (
    <li class="chip">
      {chip.repeats && <Icon name="repeat" />}
      <bdi>{chip.label}</bdi>
      <button
        type="button"
        aria-label={text.keepAsText(quoted(words))}
        onClick={dismiss}
        onKeyDown={(event) => {
          if (event.key === 'Escape') focusQuickAdd()
          if (event.key !== 'Backspace' && event.key !== 'Delete') return
          event.preventDefault()
          dismiss()
        }}
      >
        <Icon name="close" />
      </button>
    </li>
  )
}
