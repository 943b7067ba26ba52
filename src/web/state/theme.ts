export type Theme = 'system' | 'light' | 'dark'

const key = 'duebell-theme'

export const theme = (): Theme => (localStorage.getItem(key) as Theme | null) ?? 'system'

/** Applies the stored theme, or stores and applies another. */
export function applyTheme(to: Theme = theme()): void {
  if (to === 'system') localStorage.removeItem(key)
  else localStorage.setItem(key, to)
  const { dataset } = document.documentElement
  if (to === 'system') delete dataset.theme
  else dataset.theme = to
}
