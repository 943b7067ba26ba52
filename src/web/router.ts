import { computed, effect, signal } from '@preact/signals'
import { base } from './base.ts'

/** The screens, each by the pattern of its path below the root. */
const patterns = {
  expiring: '',
  all: 'all',
  done: 'done',
  task: 'tasks/:id',
} as const

export type ScreenName = keyof typeof patterns

const address = signal(new URL(location.href))

/** The screen to show, the parameter of its path, and its query. */
export const route = computed(() => {
  const { pathname, searchParams } = address.value
  const path = pathname.slice(base.pathname.length).replace(/\/$/, '')
  for (const [name, pattern] of Object.entries(patterns) as [ScreenName, string][]) {
    const [, id] = new RegExp(`^${pattern.replace(':id', '(\\d+)')}$`).exec(path) ?? [undefined]
    if (path === pattern || id !== undefined) return { name, id: Number(id), query: searchParams }
  }
  return { name: 'missing' as const, id: Number.NaN, query: searchParams }
})

/** The address of a path below the root: `href('tasks/42')`. */
export const href = (path: string) => base.pathname + path

/** The last screen that was no task, and its path with the query: where a task closes to. */
export const lastScreen = signal<{ readonly name: string; readonly path: string }>({ name: 'expiring', path: '' })

/** Goes to a path below the root, with its query. `replace` leaves no entry in the history, for a filter that is being typed. */
export function navigate(path: string, { replace = false } = {}): void {
  history[replace ? 'replaceState' : 'pushState'](null, '', href(path))
  const moved = address.value.pathname !== location.pathname
  address.value = new URL(location.href)
  if (moved) scrollTo(0, 0)
  // A menu that holds the link stays open otherwise.
  for (const menu of document.querySelectorAll<HTMLElement>(':popover-open')) menu.hidePopover()
}

/** Follows the history, and clicks on links to this app. */
export function startRouter(): void {
  effect(() => {
    const { name } = route.value
    const path = location.href.slice(base.href.length).replace(/#.*$/, '')
    if (name !== 'task' && name !== 'missing') lastScreen.value = { name, path }
  })
  addEventListener('popstate', () => {
    address.value = new URL(location.href)
  })
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest?.('a')
    if (!link || event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target || link.download) return
    const { origin, pathname, search, hash } = new URL(link.href)
    const isOwn = origin === base.origin && pathname.startsWith(base.pathname) && hash === ''
    // Other pages of this server: the API reference, sign-in.
    if (!isOwn || /^(docs|sign-in|openapi)/.test(pathname.slice(base.pathname.length))) return
    event.preventDefault()
    navigate(pathname.slice(base.pathname.length) + search)
  })
}
