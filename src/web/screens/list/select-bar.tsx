import { computed, signal } from '@preact/signals'
import { useLayoutEffect, useRef } from 'preact/hooks'
import type { TaskWire } from '#api/schemas/task.ts'
import { list, rows, selectedTasks } from '../../state/all.ts'
import { addTag, completeTasks, deleteTasks, removeTag } from '../../state/bulk.ts'
import { type Key, useKeys } from '../../state/keys.ts'
import { clearSelection, selectAll } from '../../state/selection.ts'
import { openTasks } from '../../state/tasks.ts'
import { text } from '../../text/all.ts'
import { Dialog } from '../../ui/dialog.tsx'

const dialog = signal<'add' | 'remove' | null>(null)
const closeDialog = () => {
  dialog.value = null
}

/** Acts on the selection, which ends with it. The tasks are read first: the list changes at once. */
function act(action: (tasks: readonly TaskWire[]) => void): void {
  const chosen = selectedTasks.value
  if (chosen.length === 0) return
  clearSelection()
  action(chosen)
}

const complete = () => act((chosen) => completeTasks(list, chosen))
const remove = () => act((chosen) => deleteTasks(list, chosen))
const openAddTag = () => {
  if (selectedTasks.value.length > 0) dialog.value = 'add'
}

async function selectEverything(): Promise<void> {
  await list.loadAll()
  selectAll(rows.value.map(({ id }) => id))
}

const barKeys: readonly Key[] = [
  { key: 'Escape', label: text.keys.clear, run: clearSelection },
  { key: 'c', label: text.keys.complete, run: complete },
  { key: 't', label: text.keys.tag, run: openAddTag },
  { key: 'Delete', label: text.keys.delete, run: remove },
]

const canComplete = computed(() => selectedTasks.value.some(({ completed_dt }) => completed_dt === null))
const canUntag = computed(() => selectedTasks.value.some(({ tags }) => tags.length > 0))

/** At the foot of the list while rows are selected. */
export function SelectBar() {
  useKeys(barKeys)
  useLayoutEffect(() => {
    // The button that began it is gone, and the focus with it.
    if (document.activeElement === document.body) document.querySelector<HTMLElement>('main .pick')?.focus()
  }, [])
  const count = selectedTasks.value.length
  const all = Math.max(list.total.value ?? 0, rows.value.length)
  return (
    <>
      <section class="select-bar" aria-label={text.selection}>
        <p role="status">{text.selected(count)}</p>
        {count < all && (
          <button class="btn text" type="button" onClick={selectEverything}>
            {text.selectAll(all)}
          </button>
        )}
        <button class="btn text" type="button" onClick={clearSelection}>
          {text.cancel}
        </button>
        <div class="bar">
          {canComplete.value && (
            <button class="btn" type="button" onClick={complete}>
              {text.complete}
            </button>
          )}
          {count > 0 && (
            <button class="btn" type="button" aria-haspopup="dialog" onClick={openAddTag}>
              {text.addTag}
            </button>
          )}
          {canUntag.value && (
            <button
              class="btn"
              type="button"
              aria-haspopup="dialog"
              onClick={() => {
                dialog.value = 'remove'
              }}
            >
              {text.removeTag}
            </button>
          )}
          {count > 0 && (
            <button class="btn danger" type="button" onClick={remove}>
              {text.delete}
            </button>
          )}
        </div>
      </section>
      {dialog.value === 'add' && <AddTag />}
      {dialog.value === 'remove' && <RemoveTag />}
    </>
  )
}

function AddTag() {
  const input = useRef<HTMLInputElement>(null)
  const known = [...new Set(openTasks.value.flatMap(({ tags }) => tags))].sort()
  return (
    <Dialog title={text.addTag} onClose={closeDialog}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          const tag = input.current?.value.trim().replace(/^#/, '') ?? ''
          if (tag === '') return
          closeDialog()
          act((chosen) => addTag(list, chosen, tag))
        }}
      >
        <label>
          <span class="lab">{text.tagName}</span>
          <input class="in" ref={input} required maxLength={50} list="known-tags" autocomplete="off" autofocus />
        </label>
        <datalist id="known-tags">
          {known.map((tag) => (
            <option key={tag} value={tag} />
          ))}
        </datalist>
        <div class="bar right">
          <button class="btn" type="button" onClick={closeDialog}>
            {text.cancel}
          </button>
          <button class="btn go" type="submit">
            {text.addTag}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

function RemoveTag() {
  const counts = new Map<string, number>()
  for (const { tags } of selectedTasks.value) for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + 1)
  return (
    <Dialog title={text.removeTag} onClose={closeDialog}>
      <div class="body">
        <ul class="tag-choice">
          {[...counts].map(([tag, count]) => (
            <li key={tag}>
              <button
                type="button"
                onClick={() => {
                  closeDialog()
                  act((chosen) => removeTag(list, chosen, tag))
                }}
              >
                <bdi>{tag}</bdi> <span class="mute s">{text.counts.all(count)}</span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </Dialog>
  )
}
