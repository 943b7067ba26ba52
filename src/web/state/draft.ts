import { signal } from '@preact/signals'

/** The text in the field of quick add; it stays when the screen changes. An example on a screen may set it. */
export const draft = signal('')

export const focusQuickAdd = () => document.querySelector<HTMLElement>('.qa textarea')?.focus()
