import { signal } from '@preact/signals'
import { useLayoutEffect } from 'preact/hooks'
import { text } from '../text/en.ts'

export interface Key {
  /** `n`, or two after each other: `g e`. As in KeyboardEvent.key. */
  readonly key: string
  /** For the help. */
  readonly label: string
  readonly run: () => void
}

/** The keys of the shell and of the screens that are shown. */
export const keys = signal<readonly Key[]>([])

export const isHelpOpen = signal(false)

/** Adds keys while the component is shown. The list must be the same at every render: define it outside of the component. */
export function useKeys(own: readonly Key[]): void {
  useLayoutEffect(() => {
    keys.value = [...keys.peek(), ...own]
    return () => {
      keys.value = keys.peek().filter((key) => !own.includes(key))
    }
  }, [own])
}

/** How long the second key of two may take. */
const sequenceMs = 1_500
let first = ''
let firstAt = 0

function isTyping({ target }: KeyboardEvent): boolean {
  return (
    target instanceof Element &&
    target.closest('input:not([type="radio"], [type="checkbox"]), textarea, select, dialog') !== null
  )
}

export function startKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return
    const pressed = event.timeStamp - firstAt < sequenceMs ? `${first} ${event.key}` : event.key
    // The key of the latest screen counts.
    const found = keys.peek().findLast(({ key }) => key === pressed || key === event.key)
    first = found ? '' : event.key
    firstAt = event.timeStamp
    if (!found) return
    event.preventDefault()
    found.run()
  })
}

/** The links of all rows: the focus is the selection. */
const rows = () => [...document.querySelectorAll<HTMLElement>('main .row .t')]

function moveFocus(by: number): void {
  const all = rows()
  const at = all.findIndex((link) => link.closest('.row')?.contains(document.activeElement))
  all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))]?.focus()
}

const press = (selector: string) =>
  document.activeElement?.closest('.row')?.querySelector<HTMLElement>(selector)?.click()

/** Keys of every list of rows. */
export const rowKeys: readonly Key[] = [
  { key: 'j', label: text.keys.down, run: () => moveFocus(1) },
  { key: 'k', label: text.keys.up, run: () => moveFocus(-1) },
  { key: 'c', label: text.keys.complete, run: () => press('.tick-box') },
  { key: 's', label: text.keys.snooze, run: () => press('[data-snooze]') },
]
