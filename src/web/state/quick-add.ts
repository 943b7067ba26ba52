import { effect, signal } from '@preact/signals'
import { addTask } from './changes.ts'
import { draft } from './draft.ts'
import { loadSettings, settings } from './settings.ts'

/** Why the last attempt failed; null after none. */
export const sendError = signal<unknown>(null)
export const isSending = signal(false)

type Reader = typeof import('../ui/reading.tsx')

/** The parser and what shows its results. It is twice the size of the shell, so it is loaded at the first focus. `failed`: offline, or an old browser. */
export const reader = signal<Reader | 'failed' | null>(null)
let loading: Promise<void> | undefined

/** Settles when the parser is there, or is known not to be. */
export function loadReader(): Promise<void> {
  loading ??= import('../ui/reading.tsx').then(
    (loaded) => {
      reader.value = loaded
    },
    () => {
      reader.value = 'failed'
    },
  )
  return loading
}

/** The next focus tries again what failed, but not each letter. */
export function startReading(): void {
  if (reader.peek() === 'failed') loading = undefined
  loadReader()
}

effect(() => {
  if (draft.value !== '') loadReader()
})

export function clear(): void {
  draft.value = ''
  sendError.value = null
}

/** Creates what is shown: the members that were read are sent, and not the text, which the server might read otherwise. */
export async function submit(): Promise<void> {
  if (draft.value.trim() === '' || isSending.value) return
  isSending.value = true
  sendError.value = null
  try {
    await loadReader()
    // Their zone may be another than that of the browser.
    if (settings.value === null) await loadSettings()
    const words = draft.value
    const reading = reader.value === 'failed' ? null : reader.value?.reading.value
    const task = reading ? reading.task : { title: words.trim() }
    if (task) {
      await addTask(task)
      // A text that was typed meanwhile is another task.
      if (draft.value === words) draft.value = ''
    }
  } catch (reason) {
    sendError.value = reason
  }
  isSending.value = false
}
