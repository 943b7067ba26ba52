import { signal } from '@preact/signals'
import type { ComponentType } from 'preact'
import { ErrorNote } from './notes.tsx'

/** A component in a file of its own, which is loaded when it is first shown. */
export function lazy<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  const component = signal<ComponentType<Props> | null>(null)
  const error = signal<unknown>(null)
  let isLoading = false

  async function begin() {
    isLoading = true
    error.value = null
    try {
      component.value = await load()
    } catch (reason) {
      error.value = reason
    }
    isLoading = false
  }

  return function Lazy(props: Props) {
    const Loaded = component.value
    if (Loaded) return <Loaded {...props} />
    if (error.value !== null) return <ErrorNote error={error.value} onRetry={begin} />
    if (!isLoading) begin()
    return null
  }
}
