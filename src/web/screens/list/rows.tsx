import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { TaskWire } from '#api/schemas/task.ts'
import type { TaskList } from '../../state/task-list.ts'
import { text } from '../../text/all.ts'
import { ErrorNote } from '../../ui/notes.tsx'

/** Rows come and go in portions of this size. */
const portionSize = 50
/** About the height of a row, until its portion has been drawn and measured. */
const rowPx = 43

interface RowsProps {
  readonly tasks: readonly TaskWire[]
  readonly row: (task: TaskWire) => ComponentChildren
}

/** A long list: only the portions near the window are drawn. Rows differ in height, so a portion that goes leaves its measured height. */
export function Rows({ tasks, row }: RowsProps) {
  const portions: (readonly TaskWire[])[] = []
  for (let at = 0; at < tasks.length; at += portionSize) portions.push(tasks.slice(at, at + portionSize))
  return (
    <>
      {portions.map((portion, index) => (
        <Portion key={index} tasks={portion} row={row} isFirst={index === 0} />
      ))}
    </>
  )
}

function Portion({ tasks, row, isFirst }: RowsProps & { isFirst: boolean }) {
  const ref = useRef<HTMLUListElement>(null)
  const [isNear, setNear] = useState(isFirst)
  const [height, setHeight] = useState(0)
  useLayoutEffect(() => {
    const list = ref.current as HTMLElement
    const observer = new IntersectionObserver(
      (entries) => {
        const entry = entries.at(-1) as IntersectionObserverEntry
        // The focus would be lost with its row.
        if (!entry.isIntersecting && list.contains(document.activeElement)) return
        if (!entry.isIntersecting && list.childElementCount > 0) setHeight(entry.boundingClientRect.height)
        setNear(entry.isIntersecting)
      },
      { rootMargin: '100% 0px' },
    )
    observer.observe(list)
    return () => observer.disconnect()
  }, [])
  if (isNear)
    return (
      <ul class="portion" ref={ref}>
        {tasks.map(row)}
      </ul>
    )
  return <ul class="portion is-far" ref={ref} style={{ '--h': `${height || tasks.length * rowPx}px` }} />
}

/** The end of a list: it loads the next page before it is seen. */
export function More({ list }: { list: TaskList }) {
  const state = list.more.value
  if (state === 'none') return null
  if (typeof state === 'object')
    return <ErrorNote title={text.moreFailed} error={state.error} onRetry={() => list.loadMore()} />
  return (
    <>
      <Sentinel key={list.items.value.length} onNear={() => list.loadMore()} />
      <p class="s mute more">{text.loadingMore} …</p>
    </>
  )
}

/** It is made anew for each page: one that stays near the window would not be noticed again. */
function Sentinel({ onNear }: { onNear: () => void }) {
  const ref = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const observer = new IntersectionObserver((entries) => entries.at(-1)?.isIntersecting && onNear(), {
      rootMargin: '200% 0px',
    })
    observer.observe(ref.current as Element)
    return () => observer.disconnect()
  }, [])
  return <div ref={ref} />
}
