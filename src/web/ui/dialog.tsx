import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef } from 'preact/hooks'
import { text } from '../text/en.ts'

/** A modal dialog while it is rendered. Escape, the button and a click beside it call `onClose`. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string
  onClose: () => void
  children: ComponentChildren
}) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useLayoutEffect(() => ref.current?.showModal(), [])
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onClose={onClose}
      onPointerDown={(event) => event.target === ref.current && ref.current?.close()}
    >
      <header>
        <h2 id={id}>{title}</h2>
        <button class="btn text" type="button" onClick={() => ref.current?.close()}>
          {text.close}
        </button>
      </header>
      {children}
    </dialog>
  )
}
