import { signal } from '@preact/signals'

export interface Toast {
  readonly message: string
  /** Takes back what the message is about. */
  readonly undo?: (() => void) | undefined
}

/** The one message at the foot of the page. */
export const toast = signal<Toast | null>(null)

const shownMs = 8_000
let timer: ReturnType<typeof setTimeout> | undefined

export function showToast(next: Toast): void {
  toast.value = next
  resumeToast()
}

/** While the pointer or the focus is on it, it stays. */
export function pauseToast(): void {
  clearTimeout(timer)
}

export function resumeToast(): void {
  clearTimeout(timer)
  timer = setTimeout(hideToast, shownMs)
}

export function hideToast(): void {
  clearTimeout(timer)
  toast.value = null
}

/** The key `z` and the button. */
export function undoLast(): void {
  const { undo } = toast.value ?? {}
  if (!undo) return
  hideToast()
  undo()
}
