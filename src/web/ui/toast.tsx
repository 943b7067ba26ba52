import { pauseToast, resumeToast, toast, undoLast } from '../state/toast.ts'
import { text } from '../text/en.ts'

/** The region is always there, so that assistive technology announces what comes into it. */
export function Toast() {
  const shown = toast.value
  return (
    <div role="status">
      {shown && (
        <div
          class="toast"
          onPointerEnter={pauseToast}
          onPointerLeave={resumeToast}
          onFocusIn={pauseToast}
          onFocusOut={resumeToast}
        >
          <span>{shown.message}</span>
          {shown.undo && (
            <button class="btn" type="button" onClick={undoLast}>
              {text.undo} <kbd>z</kbd>
            </button>
          )}
        </div>
      )}
    </div>
  )
}
