import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { QuickAdd } from './quick-add.tsx'

interface PageProps {
  readonly title: string
  /** Beside the heading. */
  readonly aside?: ComponentChildren
  /** One line below the heading, which answers the first question. */
  readonly lead?: ComponentChildren
  /** Between the heading and quick add. */
  readonly above?: ComponentChildren
  /** 1040 px instead of 728. */
  readonly isWide?: boolean
  readonly children?: ComponentChildren
}

/** A screen: its heading, quick add, and its content. */
export function Page({ title, aside, lead, above, isWide = false, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Duebell`
  }, [title])
  return (
    <main class={isWide ? 'page wide' : 'page'} id="main" tabIndex={-1}>
      <div class="top">
        <h1>{title}</h1>
        {aside}
      </div>
      {lead && <p>{lead}</p>}
      {above}
      <QuickAdd />
      {children}
    </main>
  )
}
